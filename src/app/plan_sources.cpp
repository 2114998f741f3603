// SPDX-License-Identifier: Apache-2.0
#include "app/plan_sources.hpp"

#include <fmt/format.h>

#include "app/plan_steps.hpp"
#include "base/text.hpp"

namespace belay::app {

using pipeline::EnvironmentSpec;
using pipeline::Plan;
using pipeline::Policy;
using pipeline::Spec;

namespace {

// The policy of the last run in this environment, to be compared with.
std::optional<Policy> last_recorded(Desk& desk, const std::string& environment) {
  auto rows = desk.journal->runs(environment, 1);
  if (!rows || rows->empty()) return std::nullopt;
  auto loaded = engine::load_run(*desk.journal, rows->front().run);
  if (!loaded || !loaded->plan.facts.contains("policy")) return std::nullopt;
  auto policy = pipeline::policy_from_json(loaded->plan.facts["policy"]);
  return policy ? std::optional(*policy) : std::nullopt;
}

}  // namespace

Result<const EnvironmentSpec*> environment_of(const Spec& spec, const std::string& name) {
  const auto* found = spec.environment(name);
  if (found != nullptr) return found;
  std::vector<std::string> known;
  for (const auto& one : spec.environments) known.push_back(one.name);
  const auto near = nearest(name, known);
  return fail(Fault::invalid,
              fmt::format("belay.yaml has no environment {}{}; known here: {}", name,
                          near.empty() ? "" : "; did you mean " + near, join(known, ", ")));
}

// belay.yaml of a commit; the present one when the commit has none.
std::string file_at(source::Source& source, const Project& project, const std::string& commit,
                    bool& there) {
  auto text = source.read(
      commit, (prefix_of(project.folder) / project.file.filename()).lexically_normal().string());
  there = text.ok();
  return text ? *text : project.text;
}

// From the protected branch; without a remote, a policy weaker than the last one does not count
// before it was approved under that one.
Result<PolicyChoice> choose_policy(Desk& desk, source::Source* source,
                                   const std::string& environment) {
  PolicyChoice choice;
  std::optional<source::Commit> ruling;
  if (source != nullptr) {
    TRY_LET(ruling, source->protected_head());
  }
  choice.text = desk.project.text;
  choice.from = "the present file";
  if (ruling) {
    bool there = false;
    choice.text = file_at(*source, desk.project, ruling->id, there);
    choice.from = there ? "the protected branch at " + ruling->id.substr(0, 7)
                        : "the present file (the protected branch has none)";
  }
  TRY_LET(auto spec, spec_of(choice.text, "belay.yaml of " + choice.from));
  TRY_LET(const auto* env, environment_of(spec, environment));
  choice.policy = pipeline::policy_of(spec, *env);
  if (ruling) return choice;
  if (auto recorded = last_recorded(desk, environment)) {
    if (auto less = pipeline::weaker(choice.policy, *recorded); !less.empty()) {
      choice.notes.push_back("belay.yaml asks less than the last run did (" + join(less, "; ") +
                             "); this run is approved under the former rule");
      choice.policy = std::move(*recorded);
      choice.from = "the last run's record";
    }
  }
  return choice;
}

// What steps took in earlier runs: the median of the last five.
Json estimates(Desk& desk, const Plan& plan) {
  std::map<std::string, std::vector<std::int64_t>> taken;
  auto rows = desk.journal->runs(plan.environment, 20);
  int used = 0;
  for (const auto& row : rows ? *rows : std::vector<journal::RunRow>{}) {
    if (row.pipeline != plan.pipeline || row.state == "open" || used++ >= 5) continue;
    auto loaded = engine::load_run(*desk.journal, row.run);
    if (!loaded) continue;
    for (const auto& event : loaded->events) {
      if (event.kind != "step.outcome" || !event.body.value("ok", false)) continue;
      taken[event.body.value("step", "")].push_back(event.body.value("ms", std::int64_t{0}));
    }
  }
  Json out = Json::object();
  for (auto& [step, times] : taken) {
    std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2),
                     times.end());
    out[step] = times[times.size() / 2];
  }
  return out;
}

Status branch_rule(source::Source& source, const std::vector<std::string>& allowed,
                   const std::string& environment, const std::string& commit) {
  if (allowed.empty()) return {};
  TRY_LET(auto branches, source.branches_with(commit));
  for (const auto& branch : branches) {
    if (pipeline::branch_allowed(allowed, branch)) return {};
  }
  return pipeline::check_branch(environment, allowed,
                                branches.empty() ? commit.substr(0, 7) : branches.front());
}

// What the live release was built from: needed to start it again.
std::string text_of_release(Desk& desk, const engine::Release* release) {
  if (release == nullptr) return {};
  auto loaded = engine::load_run(*desk.journal, release->run);
  return loaded ? loaded->plan.config.value("release", std::string()) : std::string();
}

}  // namespace belay::app
