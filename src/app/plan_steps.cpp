// SPDX-License-Identifier: Apache-2.0
#include "app/plan_steps.hpp"

#include <fmt/format.h>

#include "app/plan_begin.hpp"
#include "base/text.hpp"

namespace belay::app {

using pipeline::Plan;
using pipeline::Step;

namespace {

struct Shape {    // what this environment calls for
  Ids services;   // of the release, in the order of `needs`
  Ids answering;  // those that customers or other services ask: all but the workers
  bool workers = false;
  bool proxied = false;
  bool migrates = false;
  bool restore_point = false;
  bool fence = false;  // all_at_once: held from before the migration to after the switch
};

Ids in_order(const PlanParts& parts) {
  Ids order;
  const std::function<void(const std::string&)> add = [&](const std::string& name) {
    const auto* service = parts.release->service(name);
    const bool placed = std::any_of(parts.env->services.begin(), parts.env->services.end(),
                                    [&](const auto& p) { return p.service == name; });
    if (service == nullptr || std::find(order.begin(), order.end(), name) != order.end()) return;
    for (const auto& before : service->needs) add(before);
    if (placed && std::find(order.begin(), order.end(), name) == order.end()) order.push_back(name);
  };
  for (const auto& placed : parts.env->services) add(placed.service);
  return order;
}

Ids answering(const PlanParts& parts) {
  auto names = in_order(parts);
  std::erase_if(names, [&](const auto& name) {
    return parts.release->service(name)->kind == pipeline::Service::Kind::worker;
  });
  return names;
}

bool behind_proxy(const PlanParts& parts) {
  return std::any_of(parts.env->services.begin(), parts.env->services.end(), [](const auto& p) {
    return p.target == pipeline::Placement::Target::host && !p.listen.empty();
  });
}

Shape shape_of(const Plan& plan, const PlanParts& parts) {
  Shape shape;
  shape.services = in_order(parts);
  shape.answering = answering(parts);
  shape.workers = shape.answering.size() < shape.services.size();
  shape.proxied = behind_proxy(parts);
  shape.restore_point = parts.database != nullptr && !plan.facts.contains("skip_backup");
  shape.migrates = pipeline::migration_of(*parts.release, parts.env->name) != nullptr;
  shape.fence = shape.proxied && parts.env->strategy == pipeline::Strategy::all_at_once;
  return shape;
}

Ids with_prefix(const std::string& prefix, const Ids& names) {
  Ids ids;
  for (const auto& name : names) ids.push_back(prefix + name);
  return ids;
}

// "Vercel", where a platform builds and runs it; else "".
std::string platform_of(const PlanParts& parts, const std::string& name) {
  for (const auto& placed : parts.env->services) {
    if (placed.service != name) continue;
    if (placed.target == pipeline::Placement::Target::vercel) return "Vercel";
    if (placed.target == pipeline::Placement::Target::railway) return "Railway";
  }
  return "";
}

std::string build_title(const PlanParts& parts, const std::string& name) {
  const auto platform = platform_of(parts, name);
  if (platform == "Railway") return name + ", by Railway when it goes live";
  return platform.empty() ? name : name + ", at " + platform;
}

std::string start_title(const PlanParts& parts, const std::string& name, bool first) {
  const auto platform = platform_of(parts, name);
  if (!platform.empty()) return name + ", left to " + platform;
  return name + (first ? ", at its address at once" : ", beside the live one");
}

Ids add_starts(Plan& plan, const PlanParts& parts, const Ids& services, const Ids& after,
               bool changes) {
  for (const auto& name : services) {
    Ids before = after;
    for (const auto& needed : parts.release->service(name)->needs) {
      if (std::find(services.begin(), services.end(), needed) != services.end())
        before.push_back("start:" + needed);
    }
    // The first release has nothing to stand beside: what is ready is reached at once, because the
    // services that need it ask for it at its address.
    const bool first = changes && plan.live.empty();
    Step step{"start:" + name, "start", start_title(parts, name, first), std::move(before)};
    step.args = {{"service", name}, {"release", "new"}};
    if (first) step.args["open"] = true;
    // Old code may not bear the new data: that it listens is enough until the data is back.
    if (!changes) step.args["listening"] = true;
    step.changes = changes;
    step.undo = changes ? "stop it" : "";
    plan.steps.push_back(std::move(step));
  }
  return with_prefix("start:", services);
}

Step workers_step(const std::string& release, const std::string& undo) {
  auto step = changing("workers", "workers", "the workers of " + release + ", and no others", undo);
  step.args = {{"release", "new"}};
  return step;
}

void add_forward(Plan& plan, const PlanParts& parts, const Shape& shape) {
  Ids after;
  if (!parts.release->test.empty() && !plan.facts.contains("skip_tests")) {
    after = then(
        plan.steps,
        {"test", "test", parts.release->test + " in a copy of " + plan.commit.substr(0, 7)}, {});
  }
  for (const auto& name : shape.services) {
    Step build{"build:" + name, "build", build_title(parts, name), after};
    build.args = {{"service", name}};
    plan.steps.push_back(std::move(build));
  }
  after = add_gate(plan, *parts.policy, with_prefix("build:", shape.services));
  add_lock(plan, *parts.env, after);
  after = {"recheck"};
  if (shape.fence) {
    after = then(plan.steps, changing("hold", "hold", "customers' requests wait", "let them go on"),
                 after);
  }
  if (shape.restore_point) {
    Step point{"restore_point", "restore_point", "restore point of the database"};
    point.args = {{"kind", "deploy"}, {"fenced", shape.fence}};
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
    const bool unseen = !plan.live.empty() || !shape.proxied;
    Step check{"check", "check", unseen ? "the checks, unseen by customers" : "the checks"};
    check.args = {{"release", "new"}, {"unseen", true}};
    after = then(plan.steps, std::move(check), after);
  }
  Step move = changing("switch", "switch", "all traffic to the new release",
                       plan.live.empty() ? "take it down: nothing was live before" : "switch back");
  move.args = {{"release", "new"}};
  after = then(plan.steps, std::move(move), after);
  if (shape.fence) after = then(plan.steps, {"lift", "lift", "customers' requests go on"}, after);
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

void back(Plan& plan, std::string id, std::string kind, std::string title, Json args, Ids undoes) {
  Step step{std::move(id), std::move(kind), std::move(title)};
  step.args = std::move(args);
  step.undoes = std::move(undoes);
  plan.back.push_back(std::move(step));
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
  if (shape.proxied && ask && !plan.live.empty())
    back(plan, "back:hold", "hold", "new requests wait", {{"only_if_rewinding", ask}}, {"migrate"});
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
  const bool fenced = shape.proxied && !plan.live.empty();
  if (fenced && at_once)
    back(plan, "back:hold", "hold", "new requests wait", Json::object(), {"migrate"});
  if (plan.live.empty()) {
    back(plan, "back:switch", "switch", "nothing is live", {{"release", "live"}}, begun_by(shape));
  } else {
    add_back_to_live(plan, shape.answering);
  }
  add_data_back(plan, parts, shape);
  back(plan, "back:stop", "stop", "the new versions", {{"release", "new"}}, begun_by(shape));
  if ((data && fenced) || shape.fence) {
    Ids undoes;
    if (data && fenced) undoes.push_back("migrate");
    if (shape.fence) undoes.push_back("hold");
    back(plan, "back:lift", "lift", "customers' requests go on", {{"hold", "back:hold"}},
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

void rollback_steps(Plan& plan, const PlanParts& parts, const DataPlan& data, bool code) {
  const auto services = answering(parts);
  const bool workers = services.size() < in_order(parts).size();
  const bool proxied = behind_proxy(parts);
  Ids after;
  for (const auto& name : parts.to_build) {
    Step build{"build:" + name, "build", name + ", whose files are no longer here"};
    build.args = {{"service", name}};
    plan.steps.push_back(std::move(build));
  }
  after = with_prefix("build:", parts.to_build);
  add_lock(plan, *parts.env, add_gate(plan, *parts.policy, after));
  after = {"recheck"};
  if (code && !services.empty()) after = add_starts(plan, parts, services, after, false);
  if (data.any() && proxied) {
    after = then(plan.steps, changing("hold", "hold", "customers' requests wait", "let them go on"),
                 after);
  }
  if (code) {
    Step move =
        changing("switch", "switch", "all traffic to " + plan.release, "switch to " + plan.live);
    move.args = {{"release", "new"}, {"reverse", true}, {"back", true}};
    after = then(plan.steps, std::move(move), after);
  }
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
  if (data.any() && proxied)
    after = then(plan.steps, {"lift", "lift", "the fence is lifted"}, after);
  // The fence stopped them; another release's would be the wrong ones.
  if (workers && !plan.release.empty() && (code || (data.any() && proxied)))
    after = then(plan.steps, workers_step(plan.release, "those of " + plan.live + " go on"), after);
  if (!plan.facts.contains("skip_checks") && !services.empty() && !plan.release.empty()) {
    Step check{"check", "check", "the checks on " + plan.release};
    check.args = {{"release", "new"}};
    after = then(plan.steps, std::move(check), after);
  }
  Step announce{"announce", "announce", "tell people"};
  announce.args = {{"event", "rolled_back"}};
  then(plan.steps, std::move(announce), after);

  if (data.any() && proxied)
    back(plan, "again:hold", "hold", "new requests wait", Json::object(), {"rewind"});
  if (data.any()) {
    back(plan, "again:rewind", "rewind", "the data as it was before",
         {{"undo", "salvage-{run}"}, {"again", true}}, {"rewind"});
  }
  if (code) {
    back(plan, "again:switch", "switch", "all traffic to " + plan.live, {{"release", "live"}},
         {"switch"});
  }
  if (data.any() && proxied)
    back(plan, "again:lift", "lift", "the fence is lifted", Json::object(), {"hold"});
  if (workers && plan.step("workers") != nullptr) {
    Ids undoes{"workers"};
    if (data.any() && proxied) undoes.push_back("hold");
    back(plan, "again:workers", "workers", "the workers of " + plan.live + " go on",
         {{"release", "live"}}, std::move(undoes));
  }
  Step sorry{"again:announce", "announce", "tell people"};
  sorry.args = {{"event", "failed"}};
  plan.back.push_back(std::move(sorry));
  say_undo(plan);
}

}  // namespace belay::app
