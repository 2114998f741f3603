// SPDX-License-Identifier: Apache-2.0
// Releases that came and went before a test begins, as finished runs of a journal.
#pragma once

#include "app/planner.hpp"
#include "tests/engine/stage.hpp"

namespace belay::engine::testing {

class Past {
 public:
  Past(journal::Journal& journal, FakeWorld& world) : journal_(journal), world_(world) {}

  // Each returns its run.
  std::string deploy(const std::string& tag, bool migrates = false) {
    auto plan = planned("deploy", tag);
    plan.steps = {{"restore_point", "restore_point", ""}, {"migrate", "migrate", ""}};
    std::map<std::string, Json> steps{{"restore_point", Json::object()}};
    if (migrates) steps["migrate"] = Json::object();
    return ended(plan, steps);
  }
  std::string rollback_of_code(const std::string& tag, bool safe = true) {
    auto plan = planned("rollback", tag);
    plan.facts = {{"code", true}, {"data", "none"}};
    plan.steps = {{"safety", "restore_point", ""}};
    return ended(plan, {{"safety", safe ? Json::object() : Json{{"failed", "the disk is full"}}}});
  }
  // `data`: "point:rp-2" or "undo:salvage-3", of the run `of`. `found`: whether anything differed.
  std::string rollback(const std::string& tag, const std::string& data, const std::string& of,
                       bool found = true) {
    auto plan = planned("rollback", tag);
    plan.facts = {{"code", true}, {"data", data}};
    plan.steps = {{"rewind", "rewind", ""}};
    plan.steps[0].args = {{"of", of}};
    const auto next = std::to_string(journal_.runs().value().size() + 1);
    return ended(plan, {{"rewind", {{"salvage", found ? "salvage-" + next : ""}}}});
  }
  std::string to_point_of(const std::string& run, const std::string& tag, bool found = true) {
    return rollback(tag, "point:rp-" + run, run, found);
  }
  std::string undo_of(const std::string& run, const std::string& tag) {
    return rollback(tag, "undo:salvage-" + run, run);
  }

  // One that goes on.
  std::string begun(const pipeline::Plan& plan) {
    return journal_.create_run({"run.created", "", canonical(app::created_body(plan)), 1}).value();
  }
  static pipeline::Plan planned(const std::string& pipeline, const std::string& tag) {
    pipeline::Plan plan;
    plan.pipeline = pipeline;
    plan.project = "shop";
    plan.environment = "production";
    plan.release = tag;
    return plan;
  }

 private:
  // A run that ended "done" with these steps done.
  std::string ended(const pipeline::Plan& plan, const std::map<std::string, Json>& steps) {
    const auto run = begun(plan);
    std::vector<journal::NewEvent> events;
    for (const auto& [step, result] : steps) {
      const auto key = run + "." + step;
      events.push_back(make_event(
          "step.intent", {{"step", step}, {"attempt", 1}, {"baseline", Json::object()}}, key));
      events.push_back(make_event(
          "step.outcome", {{"step", step}, {"ok", true}, {"ms", 1}, {"result", result}}, key));
    }
    events.push_back(make_event("run.finished", {{"ending", "done"}}));
    world_.clock.advance(std::chrono::minutes(1));
    EXPECT_TRUE(journal_.append(run, 1, std::move(events)).ok());
    return run;
  }

  journal::Journal& journal_;
  FakeWorld& world_;
};

}  // namespace belay::engine::testing
