// SPDX-License-Identifier: Apache-2.0
#include "app/plan_steps.hpp"

#include <fmt/format.h>

#include "app/plan_shape.hpp"
#include "base/text.hpp"

namespace belay::app {

using pipeline::Plan;
using pipeline::Step;

namespace {

struct Shape {    // what this environment calls for
  Ids services;   // of the release, in the order of `needs`
  Ids answering;  // those that customers or other services ask: all but the workers
  bool workers = false;
  bool migrates = false;
  bool restore_point = false;
  Fence can_hold;
  bool fence = false;  // all_at_once: held from before the migration to after the switch
};

Shape shape_of(const Plan& plan, const PlanParts& parts) {
  Shape shape;
  shape.services = in_order(parts);
  shape.answering = answering(parts);
  shape.workers = shape.answering.size() < shape.services.size();
  shape.can_hold = fence_of(parts);
  shape.restore_point = parts.database != nullptr && !plan.facts.contains("skip_backup");
  shape.migrates = pipeline::migration_of(*parts.release, parts.env->name) != nullptr;
  shape.fence = shape.can_hold.any() && parts.env->strategy == pipeline::Strategy::all_at_once;
  return shape;
}

std::string lifted(const Fence& fence) {
  return fence.proxied ? "customers' requests go on" : "who was held goes on";
}

void add_forward(Plan& plan, const PlanParts& parts, const Shape& shape) {
  Ids after;
  if (!parts.release->test.empty() && !plan.facts.contains("skip_tests")) {
    after = then(
        plan.steps,
        {"test", "test", parts.release->test + " in a copy of " + plan.commit.substr(0, 7)}, {});
  }
  Ids under_lock = shape.services;
  std::erase_if(under_lock, [&](const auto& name) { return !is_built_under_lock(parts, name); });
  Ids before_it = shape.services;
  std::erase_if(before_it, [&](const auto& name) { return is_built_under_lock(parts, name); });
  after = add_builds(plan, parts, before_it, after);
  add_lock(plan, *parts.env, add_gate(plan, *parts.policy, after));
  after = add_builds(plan, parts, under_lock, {"recheck"});
  if (shape.fence) {
    after = then(plan.steps, hold_step(shape.can_hold, "hold"), after);
  }
  if (shape.restore_point) {
    Step point{"restore_point", "restore_point", "restore point of the database"};
    point.args = {{"kind", "deploy"}, {"fenced", shape.fence && shape.can_hold.proxied}};
    after = then(plan.steps, std::move(point), after);
  }
  if (shape.migrates) {
    const auto& migration = *pipeline::migration_of(*parts.release, parts.env->name);
    Step migrate = changing("migrate", "migrate", migration.run, "");
    say_undo_of_data(migrate, shape.restore_point, parts.env->rollback.database);
    after = then(plan.steps, std::move(migrate), after);
  }
  if (!shape.answering.empty()) after = add_starts(plan, parts, shape.answering, after, true);
  if (!plan.facts.contains("skip_checks")) {
    const bool unseen = !plan.live.empty() || !shape.can_hold.proxied;
    Step check{"check", "check", unseen ? "the checks, unseen by customers" : "the checks"};
    check.args = {{"release", "new"}, {"unseen", true}};
    after = then(plan.steps, std::move(check), after);
  }
  Step move = changing("switch", "switch", "all traffic to the new release",
                       plan.live.empty() ? "take it down: nothing was live before" : "switch back");
  move.args = {{"release", "new"}};
  after = then(plan.steps, std::move(move), after);
  if (shape.fence) after = then(plan.steps, {"lift", "lift", lifted(shape.can_hold)}, after);
  // After the fence, which workers' writes would break.
  if (shape.workers)
    after = then(plan.steps,
                 workers_step("the new release",
                              plan.live.empty() ? "they are stopped" : "the live ones go on"),
                 after);
  if (parts.env->watch > Millis(0) && !plan.facts.contains("skip_checks")) {
    Step watch{"watch", "watch", "the checks for " + for_people(parts.env->watch)};
    watch.args = {{"release", "new"}};
    after = then(plan.steps, std::move(watch), after);
  }
  after = then(plan.steps, {"tag", "tag", "git tag"}, after);
  Step announce{"announce", "announce", "tell people"};
  announce.args = {{"event", "shipped"}};
  after = then(plan.steps, std::move(announce), after);
  then(plan.steps, {"clean_up", "clean_up", "keep the former release warm, stop older ones"},
       after);
}

void add_back_to_live(Plan& plan, const Ids& services) {
  Ids reversed(services.rbegin(), services.rend());
  for (const auto& name : reversed) {
    back(plan, "back:start:" + name, "start", name + " of " + plan.live + " is ready",
         {{"service", name}, {"release", "live"}, {"listening", true}}, {"switch"});
  }
  back(plan, "back:switch", "switch", "all traffic to " + plan.live,
       {{"release", "live"}, {"reverse", true}, {"back", true}}, {"switch"});
}

void add_back_hold(Plan& plan, const Shape& shape, Json args) {
  const auto step = hold_step(shape.can_hold, "back:hold", true);
  args.update(step.args);
  back(plan, "back:hold", "hold", step.title, std::move(args), {"migrate"});
}

// The data half, when a migration may have changed it.
void add_data_back(Plan& plan, const PlanParts& parts, const Shape& shape) {
  const auto rule = parts.env->rollback.database;
  if (!shape.migrates || !shape.restore_point || rule == pipeline::DataReturn::never) return;
  const bool ask = rule == pipeline::DataReturn::ask;
  if (ask) {
    back(plan, "back:preview", "preview", "what going back would cost", {{"point", "rp-{run}"}},
         {"migrate"});
    back(plan, "back:ask", "ask",
         "whether the data goes back too is a person's decision (rollback.database: ask): "
         "belay resume {run} --rewind, or belay resume {run} --keep-data",
         Json::object(), {"migrate"});
  }
  if (shape.can_hold.any() && ask && !plan.live.empty())
    add_back_hold(plan, shape, {{"only_if_rewinding", ask}});
  back(plan, "back:rewind", "rewind", "data as of the restore point",
       {{"point", "rp-{run}"}, {"only_if_rewinding", ask}}, {"migrate"});
}

// The steps that bring versions of the new release up.
Ids begun_by(const Shape& shape) {
  auto ids = with_prefix("start:", shape.answering);
  if (shape.workers) ids.push_back("workers");
  return ids;
}

void add_way_back(Plan& plan, const PlanParts& parts, const Shape& shape) {
  const bool data = shape.migrates && shape.restore_point &&
                    parts.env->rollback.database != pipeline::DataReturn::never;
  const bool at_once = data && parts.env->rollback.database == pipeline::DataReturn::automatic;
  // Where nothing was live there are no customers to hold.
  const bool fenced = shape.can_hold.any() && !plan.live.empty();
  const bool data_first = fenced && at_once && shape.can_hold.data_first();
  if (fenced && at_once) add_back_hold(plan, shape, Json::object());
  if (data_first) add_data_back(plan, parts, shape);
  if (plan.live.empty()) {
    back(plan, "back:switch", "switch", "nothing is live", {{"release", "live"}}, begun_by(shape));
  } else {
    add_back_to_live(plan, shape.answering);
  }
  if (!data_first) add_data_back(plan, parts, shape);
  back(plan, "back:stop", "stop", "the new versions", {{"release", "new"}}, begun_by(shape));
  if ((data && fenced) || shape.fence) {
    Ids undoes;
    if (data && fenced) undoes.push_back("migrate");
    if (shape.fence) undoes.push_back("hold");
    back(plan, "back:lift", "lift", lifted(shape.can_hold), {{"hold", "back:hold"}},
         std::move(undoes));
  }
  if (shape.workers && !plan.live.empty()) {
    Ids undoes{"workers"};
    if (data && fenced) undoes.push_back("migrate");
    if (shape.fence) undoes.push_back("hold");
    back(plan, "back:workers", "workers", "the workers of " + plan.live + " go on",
         {{"release", "live"}}, std::move(undoes));
  }
  // After the fence: services ask each other at their addresses, which the fence holds.
  if (!plan.live.empty()) {
    back(plan, "back:check", "check", "the checks on " + plan.live, {{"release", "live"}},
         shape.migrates ? Ids{"switch", "migrate"} : Ids{"switch"});
  }
  back(plan, "back:announce", "announce", "tell people", {{"event", "rolled_back"}}, {});
  // The data stays. Beside the last step, so that neither the switch nor the checks wait for it.
  if (shape.restore_point && !at_once && !plan.live.empty()) {
    back(plan, "back:safety", "restore_point", "safety point of the database",
         {{"kind", "safety"}, {"may_fail", true}}, {"switch"});
    plan.back.back().after = {"back:check"};
  }
}

}  // namespace

void deploy_steps(Plan& plan, const PlanParts& parts) {
  const auto shape = shape_of(plan, parts);
  add_forward(plan, parts, shape);
  add_way_back(plan, parts, shape);
  say_undo(plan);
}

}  // namespace belay::app
