// SPDX-License-Identifier: Apache-2.0
// Plans of the way back: rollback and rewind.
#include <fmt/format.h>

#include "app/plan_sources.hpp"
#include "app/plan_steps.hpp"
#include "app/planner.hpp"
#include "base/text.hpp"
#include "pipeline/gate.hpp"

namespace belay::app {

using pipeline::EnvironmentSpec;
using pipeline::Plan;
using pipeline::Policy;

namespace {

Result<const engine::Release*> target_of(const engine::Releases& releases,
                                         const EnvironmentSpec& env,
                                         const RollbackRequest& request) {
  if (request.tag.empty()) {
    const auto* before = releases.before_live();
    if (before != nullptr) return before;
    return fail(
        Fault::missing,
        fmt::format("there is no verified-good release of {} other than the live one", env.name));
  }
  const std::string prefix = env.tag + "-";
  if (!request.tag.starts_with(prefix)) {
    return fail(Fault::invalid, fmt::format("{} is no release of {}: its tags begin with {}",
                                            request.tag, env.name, prefix));
  }
  if (!parse_tag_stamp(std::string_view(request.tag).substr(prefix.size()))) {
    return fail(Fault::invalid, fmt::format("{} is not a release tag: {}YYYYMMDD-HHMMSS is wanted",
                                            request.tag, prefix));
  }
  const auto* found = releases.find(request.tag);
  if (found != nullptr) return found;
  std::vector<std::string> known;
  for (const auto& release : releases.shipped) known.push_back(release.tag);
  const auto near = nearest(request.tag, known);
  return fail(Fault::missing,
              fmt::format("{} never shipped a release {}{}; see: belay history", env.name,
                          request.tag, near.empty() ? "" : "; did you mean " + near));
}

// Only to say it early: the gate takes the signature of one of these people and nothing else.
Status emergency_allowed(const Policy& policy, const RollbackRequest& request) {
  std::vector<std::string> names;
  for (const auto& person : policy.emergency) {
    if (pipeline::is_person(person, request.requester)) return {};
    names.push_back(person.name);
  }
  return fail(Fault::denied,
              fmt::format("{} may not roll back without approval; rollback.emergency names: {}",
                          request.requester.name, names.empty() ? "nobody" : join(names, ", ")));
}

Result<DataPlan> data_plan(const engine::Releases& releases, const engine::Release& target) {
  const auto data = releases.data_of(target.tag);
  switch (data.kind) {
    case engine::DataOf::Kind::point: return DataPlan{data.name, ""};
    case engine::DataOf::Kind::undo: return DataPlan{"", data.name};
    case engine::DataOf::Kind::none: break;
  }
  return fail(Fault::missing,
              fmt::format("the data of {} cannot be brought back: {}; the code can: "
                          "belay rollback {} --code-only",
                          target.tag, data.why_none, target.tag));
}

// Code of a branch that rollback.branches does not name stays away.
Status rollback_branches(source::Source* source, const Policy& policy,
                         const std::string& environment, const engine::Release& target) {
  if (policy.rollback_branches.empty()) return {};
  if (source == nullptr) {
    return fail(Fault::refused,
                "rollback.branches: this folder is in no git work tree, so the "
                "branches of " +
                    target.tag + " cannot be told");
  }
  return branch_rule(*source, policy.rollback_branches, environment, target.commit)
      .in("rollback.branches, for " + target.tag);
}

}  // namespace

Result<Plan> plan_rollback(Desk& desk, const RollbackRequest& request) {
  TRY_LET(auto source, source_of(desk.project.folder));
  TRY_LET(const auto* env, environment_of(desk.project.spec, request.environment));
  TRY_LET(auto choice, choose_policy(desk, source.get(), request.environment));
  TRY_LET(auto releases, engine::read_releases(*desk.journal, request.environment));
  if (!releases.live)
    return fail(Fault::missing,
                "nothing is live in " + env->name + ": there is nothing to roll back");
  if (!request.emergency.empty()) TRY(emergency_allowed(choice.policy, request));

  Plan plan;
  plan.pipeline = "rollback";
  plan.project = desk.project.spec.project;
  plan.environment = request.environment;
  plan.live = releases.live->tag;
  plan.requester = request.requester;
  const engine::Release* target = &*releases.live;
  DataPlan data;
  const bool has_database = env->database || desk.project.spec.database;
  if (!request.undo_run.empty()) {
    data.undo = "salvage-" + request.undo_run;
  } else if (request.code) {
    TRY_LET(target, target_of(releases, *env, request));
    if (target->tag == releases.live->tag)
      return fail(Fault::invalid, target->tag + " is live already");
  } else if (!request.tag.empty()) {
    TRY_LET(target, target_of(releases, *env, request));
  } else if (const auto* before = releases.before_live()) {
    target = before;
  }
  if (request.undo_run.empty() && request.data && has_database) {
    TRY_LET(data, data_plan(releases, *target));
  }
  const bool code = request.code && request.undo_run.empty();
  if (code) {
    TRY(rollback_branches(source.get(), choice.policy, env->name, *target));
  }
  plan.release = code ? target->tag : releases.live->tag;
  plan.commit = code ? target->commit : releases.live->commit;
  plan.ref = plan.release;
  const auto* shipped_as = code ? target : &*releases.live;
  const ConfigTexts texts{desk.project.text,
                          choice.text,
                          text_of_release(desk, shipped_as),
                          text_of_release(desk, &*releases.live),
                          desk.project.folder.string(),
                          {{plan.release, plan.commit}, {plan.live, releases.live->commit}}};
  plan.config = to_json(texts);
  TRY_LET(auto old, spec_of(texts.release, "belay.yaml of " + plan.release));

  PlanParts parts;
  parts.present = &desk.project.spec;
  parts.release = &old;
  parts.env = env;
  parts.database = env->database
                       ? &*env->database
                       : (desk.project.spec.database ? &*desk.project.spec.database : nullptr);
  parts.policy = &choice.policy;
  plan.facts = {{"target", plan.release},
                {"code", code},
                {"data", data.point.empty() ? (data.undo.empty() ? "none" : "undo:" + data.undo)
                                            : "point:" + data.point},
                {"automatic_rollback", true}};
  put_policy(plan, choice);
  if (!request.skip_checks.empty()) plan.facts["skip_checks"] = request.skip_checks;
  if (!request.emergency.empty()) plan.facts["emergency"] = request.emergency;
  rollback_steps(plan, parts, data, code);
  TRY(pipeline::can_be_passed(plan));
  plan.notes = {{"estimates", estimates(desk, plan)}, {"policy", choice.notes}};
  return plan;
}

Result<Plan> plan_rewind(Desk& desk, const RewindRequest& request) {
  TRY_LET(auto source, source_of(desk.project.folder));
  TRY_LET(const auto* env, environment_of(desk.project.spec, request.environment));
  TRY_LET(auto choice, choose_policy(desk, source.get(), request.environment));
  TRY_LET(auto releases, engine::read_releases(*desk.journal, request.environment));
  Plan plan;
  plan.pipeline = "rewind";
  plan.project = desk.project.spec.project;
  plan.environment = request.environment;
  plan.live = releases.live ? releases.live->tag : "";
  plan.release = plan.live;
  plan.requester = request.requester;
  const auto text = text_of_release(desk, releases.live ? &*releases.live : nullptr);
  plan.config = to_json({desk.project.text,
                         choice.text,
                         text.empty() ? desk.project.text : text,
                         "",
                         desk.project.folder.string(),
                         {}});
  PlanParts parts;
  parts.present = parts.release = &desk.project.spec;
  parts.env = env;
  parts.database = env->database
                       ? &*env->database
                       : (desk.project.spec.database ? &*desk.project.spec.database : nullptr);
  parts.policy = &choice.policy;
  if (parts.database == nullptr)
    return fail(Fault::invalid, "belay.yaml has no database to rewind");
  const bool undo = request.point.starts_with("salvage-");
  plan.facts = {{"code", false},
                {"automatic_rollback", true},
                {"data", (undo ? "undo:" : "point:") + request.point}};
  put_policy(plan, choice);
  rollback_steps(plan, parts, undo ? DataPlan{"", request.point} : DataPlan{request.point, ""},
                 false);
  TRY(pipeline::can_be_passed(plan));
  plan.notes = {{"estimates", estimates(desk, plan)}, {"policy", choice.notes}};
  return plan;
}

}  // namespace belay::app
