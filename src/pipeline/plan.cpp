// SPDX-License-Identifier: Apache-2.0
#include "pipeline/plan.hpp"

#include <fmt/format.h>

#include <set>

#include "base/hash.hpp"

namespace belay::pipeline {

namespace {

constexpr int plan_format = 1;

Json step_to_json(const Step& step) {
  return {{"id", step.id},        {"kind", step.kind},
          {"title", step.title},  {"after", step.after},
          {"args", step.args},    {"changes", step.changes},
          {"undo", step.undo},    {"cannot_undo", step.cannot_undo},
          {"undoes", step.undoes}};
}

Step step_from_json(const Json& json) {
  Step step;
  json.at("id").get_to(step.id);
  json.at("kind").get_to(step.kind);
  json.at("title").get_to(step.title);
  json.at("after").get_to(step.after);
  step.args = json.at("args");
  json.at("changes").get_to(step.changes);
  json.at("undo").get_to(step.undo);
  json.at("cannot_undo").get_to(step.cannot_undo);
  json.at("undoes").get_to(step.undoes);
  return step;
}

Json steps_to_json(const std::vector<Step>& steps) {
  Json list = Json::array();
  for (const auto& step : steps) list.push_back(step_to_json(step));
  return list;
}

Json what_will_be_done(const Plan& plan) {
  return {{"format", plan_format},
          {"pipeline", plan.pipeline},
          {"project", plan.project},
          {"environment", plan.environment},
          {"commit", plan.commit},
          {"ref", plan.ref},
          {"live", plan.live},
          {"requester", {{"name", plan.requester.name}, {"email", plan.requester.email}}},
          {"steps", steps_to_json(plan.steps)},
          {"back", steps_to_json(plan.back)},
          {"config", plan.config},
          {"facts", plan.facts}};
}

Plan read_plan(const Json& json) {
  Plan plan;
  json.at("pipeline").get_to(plan.pipeline);
  json.at("project").get_to(plan.project);
  json.at("environment").get_to(plan.environment);
  json.at("release").get_to(plan.release);
  json.at("commit").get_to(plan.commit);
  json.at("ref").get_to(plan.ref);
  json.at("live").get_to(plan.live);
  json.at("requester").at("name").get_to(plan.requester.name);
  json.at("requester").at("email").get_to(plan.requester.email);
  for (const auto& step : json.at("steps")) plan.steps.push_back(step_from_json(step));
  for (const auto& step : json.at("back")) plan.back.push_back(step_from_json(step));
  plan.config = json.at("config");
  plan.facts = json.at("facts");
  plan.notes = json.at("notes");
  return plan;
}

void find_defects(const std::vector<Step>& list, std::set<std::string>& seen,
                  std::vector<std::string>& found) {
  std::set<std::string> here;
  for (const auto& step : list) {
    for (const auto& before : step.after) {
      // Steps stand in order, so a circle would need a name that comes later.
      if (!here.contains(before)) {
        found.push_back(
            fmt::format("step {} comes after {}, which is not before it", step.id, before));
      }
    }
    if (!seen.insert(step.id).second)
      found.push_back(fmt::format("two steps are called {}", step.id));
    here.insert(step.id);
  }
}

}  // namespace

const Step* Plan::step(std::string_view id) const {
  for (const auto* list : {&steps, &back}) {
    for (const auto& step : *list) {
      if (step.id == id) return &step;
    }
  }
  return nullptr;
}

const Step* Plan::first_of(std::string_view kind) const {
  const auto at =
      std::find_if(steps.begin(), steps.end(), [&](const Step& s) { return s.kind == kind; });
  return at == steps.end() ? nullptr : &*at;
}

Json to_json(const Plan& plan) {
  Json json = what_will_be_done(plan);
  json["release"] = plan.release;
  json["notes"] = plan.notes;
  return json;
}

Result<Plan> plan_from_json(const Json& json) {
  try {
    const int format = json.at("format").get<int>();
    if (format > plan_format) {
      return fail(Fault::refused,
                  fmt::format("this plan has format {}; this program reads up to {}: "
                              "continue the run with the newer belay",
                              format, plan_format));
    }
    return read_plan(json);
  } catch (const Json::exception& e) {
    return fail(Fault::corrupt, fmt::format("the stored plan cannot be read: {}", e.what()));
  }
}

std::string digest(const Plan& plan) {
  return sha256_hex(canonical(what_will_be_done(plan)));
}

std::vector<std::string> defects(const Plan& plan) {
  std::vector<std::string> found;
  std::set<std::string> seen;
  find_defects(plan.steps, seen, found);
  find_defects(plan.back, seen, found);
  for (const auto& step : plan.back) {
    for (const auto& id : step.undoes) {
      const bool known = std::any_of(plan.steps.begin(), plan.steps.end(),
                                     [&](const Step& s) { return s.id == id; });
      if (!known)
        found.push_back(fmt::format("step {} undoes {}, which is not in the plan", step.id, id));
    }
  }
  return found;
}

}  // namespace belay::pipeline
