// SPDX-License-Identifier: Apache-2.0
#include "app/plan_begin.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "pipeline/gate.hpp"

namespace belay::app {

using pipeline::Plan;
using pipeline::Step;

namespace {

std::string people_for(const pipeline::ApprovalRule& rule) {
  Ids names;
  for (const auto& reviewer : rule.reviewers) names.push_back(reviewer.name);
  std::string text = fmt::format("{} of {}", rule.required, join(names, ", "));
  if (rule.required == 0)
    text = "nobody needed";
  else if (!rule.self_approval)
    text += "; not the requester";
  if (rule.by == pipeline::Evidence::github && rule.required > 0) text += "; by reviews on GitHub";
  if (rule.wait > Millis(0)) text += "; then " + for_people(rule.wait) + " wait";
  return text;
}

const char* busy_text(pipeline::Busy busy) {
  switch (busy) {
    case pipeline::Busy::queue: return "queue";
    case pipeline::Busy::supersede: return "supersede";
    case pipeline::Busy::refuse: return "refuse";
  }
  return "queue";
}

}  // namespace

Ids then(std::vector<Step>& list, Step step, Ids after) {
  step.after = std::move(after);
  const std::string id = step.id;
  list.push_back(std::move(step));
  return {id};
}

Step changing(std::string id, std::string kind, std::string title, std::string undo) {
  Step step{std::move(id), std::move(kind), std::move(title)};
  step.changes = true;
  step.undo = std::move(undo);
  return step;
}

Ids add_gate(Plan& plan, const pipeline::Policy& policy, Ids after) {
  const auto gate = pipeline::gate_for(plan, policy);
  if (!gate) return after;
  Step step{"approve", "approve", people_for(gate->rule), std::move(after)};
  step.args = pipeline::to_json(*gate);
  plan.steps.push_back(std::move(step));
  return {"approve"};
}

void add_lock(Plan& plan, const pipeline::EnvironmentSpec& env, Ids after) {
  Step lock{"lock", "lock", env.name, std::move(after)};
  lock.args = {{"busy", busy_text(env.busy)}};
  if (plan.pipeline == "rollback") {
    lock.args["takes_over"] = true;
    lock.title += "; a deploy that is under way is stopped and taken back first";
  }
  plan.steps.push_back(std::move(lock));
  plan.steps.push_back(
      {"recheck", "recheck", "what is live, and the ref, are as planned", {"lock"}});
}

}  // namespace belay::app
