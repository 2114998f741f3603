// SPDX-License-Identifier: Apache-2.0
// The order of a rollback, and of a rewind by hand.
#include "app/plan_shape.hpp"

namespace belay::app {

using pipeline::Plan;
using pipeline::Step;

void rollback_steps(Plan& plan, const PlanParts& parts, const DataPlan& data, bool code) {
  const auto services = answering(parts);
  const bool workers = services.size() < in_order(parts).size();
  const auto fence = fence_of(parts);
  const bool held = data.any() && fence.any();
  const std::string why = ", whose files are no longer here";
  Ids under_lock = parts.to_build, before_it = parts.to_build;
  std::erase_if(under_lock, [&](const auto& name) { return !is_built_under_lock(parts, name); });
  std::erase_if(before_it, [&](const auto& name) { return is_built_under_lock(parts, name); });
  add_lock(plan, *parts.env,
           add_gate(plan, *parts.policy, add_builds(plan, parts, before_it, {}, why)));
  Ids after = add_builds(plan, parts, under_lock, {"recheck"}, why);
  if (code && !services.empty()) after = add_starts(plan, parts, services, after, false);
  if (held) after = then(plan.steps, hold_step(fence, "hold"), after);
  const auto move = [&] {
    Step step =
        changing("switch", "switch", "all traffic to " + plan.release, "switch to " + plan.live);
    step.args = {{"release", "new"}, {"reverse", true}, {"back", true}};
    after = then(plan.steps, std::move(step), after);
  };
  const bool data_first = held && fence.data_first();
  if (code && !data_first) move();
  if (data.any()) {
    Step rewind = changing(
        "rewind", "rewind",
        data.point.empty() ? "undo of the rewind kept in " + data.undo : "data as of " + data.point,
        "rewind to the salvage");
    rewind.args = {{data.point.empty() ? "undo" : "point", data.point + data.undo},
                   {"of", data.run}};
    after = then(plan.steps, std::move(rewind), after);
  } else if (parts.database != nullptr && code) {
    // Beside the checks: the customers are on the old code already.
    Step point{"safety", "restore_point", "safety point of the database", after};
    point.args = {{"kind", "safety"}, {"may_fail", true}};
    plan.steps.push_back(std::move(point));
  }
  if (code && data_first) move();
  if (held) after = then(plan.steps, {"lift", "lift", "the fence is lifted"}, after);
  // The fence stopped them; another release's would be the wrong ones.
  if (workers && !plan.release.empty() && (code || (held)))
    after = then(plan.steps, workers_step(plan.release, "those of " + plan.live + " go on"), after);
  if (!plan.facts.contains("skip_checks") && !services.empty() && !plan.release.empty()) {
    Step check{"check", "check", "the checks on " + plan.release};
    check.args = {{"release", "new"}};
    after = then(plan.steps, std::move(check), after);
  }
  Step announce{"announce", "announce", "tell people"};
  announce.args = {{"event", "rolled_back"}};
  then(plan.steps, std::move(announce), after);

  if (held) {
    const auto hold = hold_step(fence, "again:hold", true);
    back(plan, "again:hold", "hold", hold.title, hold.args, {"rewind"});
  }
  if (data.any()) {
    back(plan, "again:rewind", "rewind", "the data as it was before",
         {{"undo", "salvage-{run}"}, {"again", true}}, {"rewind"});
  }
  if (code) {
    back(plan, "again:switch", "switch", "all traffic to " + plan.live, {{"release", "live"}},
         {"switch"});
  }
  if (held) back(plan, "again:lift", "lift", "the fence is lifted", Json::object(), {"hold"});
  if (workers && plan.step("workers") != nullptr) {
    Ids undoes{"workers"};
    if (held) undoes.push_back("hold");
    back(plan, "again:workers", "workers", "the workers of " + plan.live + " go on",
         {{"release", "live"}}, std::move(undoes));
  }
  Step sorry{"again:announce", "announce", "tell people"};
  sorry.args = {{"event", "failed"}};
  plan.back.push_back(std::move(sorry));
  say_undo(plan);
}

}  // namespace belay::app
