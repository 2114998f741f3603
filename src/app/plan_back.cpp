// SPDX-License-Identifier: Apache-2.0
// Plans of the way back: rollback and rewind.
#include <fmt/format.h>

#include <set>

#include "app/backup_file.hpp"
#include "app/on_github.hpp"
#include "app/plan_preview.hpp"
#include "app/plan_sources.hpp"
#include "app/plan_steps.hpp"
#include "app/planner.hpp"
#include "base/text.hpp"

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

Result<DataPlan> data_plan(Desk& desk, const std::string& environment,
                           const engine::Releases& releases, const engine::Release& target) {
  TRY_LET(const auto data, engine::data_left(*desk.journal, environment, releases, target.tag));
  switch (data.kind) {
    case engine::DataOf::Kind::point: return DataPlan{data.name, "", data.run};
    case engine::DataOf::Kind::undo: return DataPlan{"", data.name, data.run};
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

// Services of the release whose files were cleaned away: they are built anew, from its commit.
Result<std::vector<std::string>> to_build(Desk& desk, source::Source* source,
                                          const EnvironmentSpec& env, const pipeline::Spec& release,
                                          const engine::Release& target, bool platforms_later) {
  std::vector<std::string> missing;
  const auto later = [&](const auto& placed) { return platforms_later && is_hosted(placed); };
  if (std::all_of(env.services.begin(), env.services.end(), later)) {
    for (const auto& placed : env.services) {
      if (release.service(placed.service) != nullptr) missing.push_back(placed.service);
    }
    return missing;
  }
  TRY_LET(auto works, wire_present(desk, env.name, {false, true, false}));
  std::set<std::string> here;
  for (const auto& placed : env.services) {
    if (release.service(placed.service) == nullptr) continue;
    TRY_LET(auto versions, works->site.target(placed.service).versions(placed.service));
    bool found = false;
    for (const auto& version : versions) {
      found = found || version.release == target.tag;
      here.insert(version.release);
    }
    if (!found) missing.push_back(placed.service);
  }
  if (missing.empty()) return missing;
  auto commit = source != nullptr
                    ? source->resolve(target.commit)
                    : Result<source::Commit>(fail(Fault::missing, "no git work tree is here"));
  if (commit) return missing;
  return fail(Fault::missing,
              fmt::format("the files of {} were cleaned away, and they cannot be built again from "
                          "{}: {}; fetch that commit, or go back to one that is here: {}",
                          target.tag, target.commit.substr(0, 7), commit.error().message(),
                          here.empty() ? "none" : join({here.begin(), here.end()}, ", ")));
}

// What the vault has lost of a run's point, or cannot read, may be at GitHub, where the run's
// workflow left it. It is back in the vault, whole, before anybody agrees to anything.
Status note_preview(Desk& desk, Plan& plan, const std::string& environment, const DataPlan& data) {
  auto preview = preview_of(desk, environment, data);
  const bool lost = !preview && (preview.error().fault == Fault::missing ||
                                 preview.error().fault == Fault::corrupt);
  if (lost && !data.point.empty() && !data.run.empty() && desk.project.spec.github) {
    const auto fetched = fetch_point_of_run(desk, environment, data.point, data.run);
    if (!fetched) {
      return fail(
          preview.error().fault,
          fmt::format("{}; and from GitHub's artifacts: {}; without the data: belay rollback "
                      "--code-only",
                      preview.error().message(), fetched.error().message()));
    }
    plan.notes["fetched"] = fmt::format(
        "{} was not whole in the vault: it was taken from the artifact {} of GitHub's, "
        "SHA-256 {}",
        fetched->point.name, fetched->artifact, fetched->sha256);
    preview = preview_of(desk, environment, data);
  }
  TRY_LET(plan.notes["preview"], std::move(preview));
  return {};
}

// Facts and notes that rollbacks and rewinds have in common.
Status tell_way_back(Desk& desk, Plan& plan, const PolicyChoice& choice, const EnvironmentSpec& env,
                     const DataPlan& data) {
  put_policy(plan, choice);
  put_unchecked(plan, desk.project.spec.tls);
  plan.facts["automatic_rollback"] = true;
  plan.facts["budget_ms"] = env.rollback.budget.count();
  plan.facts["data"] = !data.point.empty()  ? "point:" + data.point
                       : !data.undo.empty() ? "undo:" + data.undo
                                            : "none";
  plan.notes = {{"times_back", times_back(desk, env.name)},
                {"hold", belay::to_text(env.hold)},
                {"policy", choice.notes}};
  if (!data.any()) return {};
  return note_preview(desk, plan, env.name, data).in("the preview of what would be lost");
}

// A rewind needs all writers held off. Where no proxy of ours does it, people must: the plan says
// so, and whoever agrees to it agrees to that.
void warn_of_writers(Plan& plan) {
  if (plan.first_of("rewind") == nullptr || plan.first_of("hold") != nullptr) return;
  const auto estimates = plan.notes.value("estimates", Json::object());
  const auto time = estimates.contains("rewind")
                        ? "about " + for_people(Millis(estimates["rewind"].get<std::int64_t>()))
                        : std::string("as long as reading the database takes");
  plan.notes["warnings"].push_back(fmt::format(
      "no proxy of Belay's holds writes back here: stop every writer (services, workers, cron) "
      "before you agree, until the rewind has ended ({})",
      time));
}

// What depends on the steps.
Status finish_way_back(Desk& desk, Plan& plan, const EnvironmentSpec& env) {
  plan.notes["estimates"] = estimates(desk, plan);
  plan.notes["warnings"] = warnings_of(plan, env);
  warn_of_writers(plan);
  if (plan.notes.contains("fetched")) plan.notes["warnings"].push_back(plan.notes["fetched"]);
  return fits_the_journal(plan);
}

}  // namespace

Result<Plan> plan_rollback(Desk& desk, const RollbackRequest& request) {
  TRY_LET(auto source, source_of(desk.project.folder));
  TRY_LET(const auto* env, environment_of(desk.project.spec, request.environment));
  TRY_LET(auto choice, choose_policy(desk, source.get(), request.environment));
  TRY_LET(auto releases, releases_of(desk, request.environment));
  if (!releases.live && request.undo_run.empty())
    return fail(Fault::missing,
                "nothing is live in " + env->name + ": there is nothing to roll back");
  if (!request.emergency.empty()) TRY(emergency_allowed(choice.policy, request));

  Plan plan;
  plan.pipeline = "rollback";
  plan.project = desk.project.spec.project;
  plan.environment = request.environment;
  const engine::Release live = releases.live.value_or(engine::Release{});
  plan.live = live.tag;
  plan.requester = request.requester;
  const engine::Release* target = &live;
  DataPlan data;
  const bool has_database = database_of(desk.project.spec, env->name) != nullptr;
  if (!request.undo_run.empty()) {
    data = {"", "salvage-" + request.undo_run, request.undo_run};
  } else if (request.code) {
    TRY_LET(target, target_of(releases, *env, request));
    if (target->tag == live.tag) return fail(Fault::invalid, target->tag + " is live already");
  } else if (!request.tag.empty()) {
    TRY_LET(target, target_of(releases, *env, request));
  } else if (const auto* before = releases.before_live()) {
    target = before;
  }
  if (request.undo_run.empty() && request.data && has_database) {
    TRY_LET(data, data_plan(desk, env->name, releases, *target));
  }
  const bool code = request.code && request.undo_run.empty();
  if (code) {
    TRY(rollback_branches(source.get(), choice.policy, env->name, *target));
  }
  const auto& shipped_as = code ? *target : live;
  plan.release = shipped_as.tag;
  plan.commit = shipped_as.commit;
  plan.ref = plan.release;
  ConfigTexts texts{desk.project.text,
                    choice.text,
                    text_of_release(desk, &shipped_as),
                    text_of_release(desk, &live),
                    desk.project.folder.string(),
                    {{plan.release, plan.commit}, {plan.live, live.commit}}};
  if (plan.release.empty()) texts.release = desk.project.text;  // only data, and nobody is live
  plan.config = to_json(texts);
  TRY_LET(const auto stored, stored_spec(texts.release, plan.release));
  const auto& old = stored.spec;

  PlanParts parts;
  parts.present = &desk.project.spec;
  parts.release = &old;
  parts.env = env;
  parts.database = database_of(desk.project.spec, env->name);
  parts.policy = &choice.policy;
  plan.facts = {{"target", plan.release}, {"code", code}};
  TRY(tell_way_back(desk, plan, choice, *env, data));
  if (code) {
    plan.facts["build_from"] = "belay.yaml of " + plan.release;
    plan.facts["changes"] =
        changes_between(source.get(), old, *env, desk.project.folder, live.commit, plan.commit);
    if (auto note = secrets_since(desk, old, *env, plan.release); !note.is_null())
      plan.notes["secrets"] = std::move(note);
    if (auto note = variables_there(desk, plan, old, *env); !note.is_null())
      plan.notes["variables"] = std::move(note);
    TRY_LET(parts.to_build,
            to_build(desk, source.get(), *env, old, *target, request.platforms_later));
  }
  if (!request.skip_checks.empty()) plan.facts["skip_checks"] = request.skip_checks;
  if (!request.emergency.empty()) plan.facts["emergency"] = request.emergency;
  rollback_steps(plan, parts, data, code);
  TRY(tell_old_file(plan, stored, needs_of(plan, *env)));
  if (plan.live != plan.release && !texts.live.empty()) {
    TRY_LET(const auto now, stored_spec(texts.live, plan.live));
    TRY(tell_old_file(plan, now, needs_of(plan, *env, true)));
  }
  TRY(settle_gate(desk, plan));
  TRY(finish_way_back(desk, plan, *env));
  return plan;
}

Result<Plan> plan_rewind(Desk& desk, const RewindRequest& request) {
  TRY_LET(auto source, source_of(desk.project.folder));
  TRY_LET(const auto* env, environment_of(desk.project.spec, request.environment));
  TRY_LET(auto choice, choose_policy(desk, source.get(), request.environment));
  TRY_LET(auto releases, releases_of(desk, request.environment));
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
  parts.database = database_of(desk.project.spec, env->name);
  parts.policy = &choice.policy;
  if (parts.database == nullptr)
    return fail(Fault::invalid, "belay.yaml has no database to rewind");
  const bool undo = request.point.starts_with("salvage-");
  const auto data = undo ? DataPlan{"", request.point} : DataPlan{request.point, ""};
  plan.facts = {{"code", false}};
  TRY(tell_way_back(desk, plan, choice, *env, data));
  rollback_steps(plan, parts, data, false);
  TRY(settle_gate(desk, plan));
  TRY(finish_way_back(desk, plan, *env));
  return plan;
}

}  // namespace belay::app
