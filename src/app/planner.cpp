// SPDX-License-Identifier: Apache-2.0
#include "app/planner.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "app/on_github.hpp"
#include "app/plan_sources.hpp"
#include "app/plan_steps.hpp"
#include "base/text.hpp"
#include "engine/health.hpp"

namespace belay::app {

using pipeline::EnvironmentSpec;
using pipeline::Plan;
using pipeline::Spec;

namespace {

std::string tag_now(const EnvironmentSpec& env, TimePoint now, const engine::Releases& releases) {
  // Two runs within a second: the later one takes the next free second, also where the earlier one
  // still waits or has failed, for its files are there under that name.
  std::string tag;
  do {
    tag = env.tag + "-" + to_tag_stamp(now);
    now += std::chrono::seconds(1);
  } while (releases.named.contains(tag));
  return tag;
}

// Checks are the release's own, where it knows the environment.
const EnvironmentSpec& checked_in(const Spec& release, const EnvironmentSpec& present) {
  const auto* own = release.environment(present.name);
  return own != nullptr ? *own : present;
}

// A literal URI with a password would be stored in the plan, in clear.
Status no_literal_passwords(const Spec& spec) {
  const auto check = [](const std::optional<pipeline::Database>& database,
                        const std::string& where) -> Status {
    if (!database) return {};
    for (const auto* text :
         {&database->uri,
          database->migrate && database->migrate->uri ? &*database->migrate->uri : nullptr}) {
      if (text != nullptr && text->literal() && text->text.find('@') != std::string::npos) {
        return fail(Fault::invalid, where +
                                        " holds a user and password; write ${NAME} there and give "
                                        "the value in the environment");
      }
    }
    return {};
  };
  TRY(check(spec.database, "database.uri"));
  for (const auto& env : spec.environments)
    TRY(check(env.database, "environments." + env.name + ".database.uri"));
  return {};
}

// Where Belay is root, a service runs as root only when that is written.
Status users_are_written(const Spec& release, const EnvironmentSpec& env,
                         const std::string& commit) {
  if (::geteuid() != 0) return {};
  std::vector<std::string> services, keys;
  const auto* migration = pipeline::migration_of(release, env.name);
  for (const auto& placed : env.services) {
    const bool migrates =
        is_hosted(placed) && migration != nullptr && migration->in == placed.service;
    if (placed.target != pipeline::Placement::Target::host && !migrates) continue;
    if (release.service(placed.service) == nullptr || !user_of(release, placed).empty()) continue;
    services.push_back(placed.service);
    keys.push_back("services." + placed.service + ".user");
  }
  if (services.empty()) return {};
  return fail(Fault::invalid,
              fmt::format("belay.yaml of {} names nobody whom {} should run as, and Belay is root "
                          "here; write {}: NAME, an account that may do little (`root` if it "
                          "really must be root), and commit that",
                          commit.substr(0, 7), join(services, ", "), join(keys, ": NAME, ")));
}

// The release says what migrates, the present file where: both must know the same service.
Status migration_fits(const Spec& release, const Spec& present, const EnvironmentSpec& env,
                      const std::string& commit) {
  const auto* migration = pipeline::migration_of(release, env.name);
  if (migration == nullptr) return {};
  const auto what = "belay.yaml of " + commit.substr(0, 7) + " migrates";
  if (database_of(present, env.name) == nullptr) {
    return fail(Fault::invalid, fmt::format("{}, but the present file has no database for {}; add "
                                            "database: {{ uri: ... }}",
                                            what, env.name));
  }
  const auto& services = env.services;
  if (std::any_of(services.begin(), services.end(),
                  [&](const auto& placed) { return placed.service == migration->in; }))
    return {};
  return fail(Fault::invalid,
              fmt::format("{} in {}, which is not among the services of {} in the present file; "
                          "place it there",
                          what, migration->in, env.name));
}

}  // namespace

pipeline::Person who_asks(const Getenv& env, const Path& folder) {
  const auto get = [&](const char* name) {
    const auto at = env.find(name);
    return at == env.end() ? std::string() : at->second;
  };
  std::string email;
  if (auto source = source::make_git(folder)) {
    if (auto found = (*source)->user_email()) email = *found;
  }
  if (!get("BELAY_USER").empty()) return {get("BELAY_USER"), email};
  if (get("GITHUB_ACTIONS") == "true" && !get("GITHUB_ACTOR").empty())
    return {get("GITHUB_ACTOR"), email};
  if (!email.empty()) return {email, email};
  return {get("USER").empty() ? get("LOGNAME") : get("USER"), {}};
}

Result<Plan> plan_deploy(Desk& desk, const DeployRequest& request) {
  TRY_LET(auto source, source::make_git(desk.project.folder));
  TRY_LET(const auto* env, environment_of(desk.project.spec, request.environment));
  if (env->services.empty()) {
    return fail(Fault::invalid,
                "environment " + env->name + " has no services: there is nothing to deploy");
  }
  const std::string ref = request.ref.empty() ? "HEAD" : request.ref;
  TRY_LET(auto commit, source->resolve(ref));
  TRY_LET(auto choice, choose_policy(desk, source.get(), request.environment));
  TRY(branch_rule(*source, choice.policy.branches, request.environment, commit.id));
  TRY_LET(auto releases, releases_of(desk, request.environment));

  TRY_LET(const auto own_file, file_at(*source, desk.project, commit.id));
  Plan plan;
  plan.pipeline = "deploy";
  plan.project = desk.project.spec.project;
  plan.environment = request.environment;
  plan.release = tag_now(*env, desk.world().clock.now(), releases);
  plan.commit = commit.id;
  plan.ref = ref;
  plan.live = releases.live ? releases.live->tag : "";
  plan.requester = request.requester;
  const ConfigTexts texts{
      desk.project.text,
      choice.text,
      own_file.value_or(desk.project.text),
      text_of_release(desk, releases.live ? &*releases.live : nullptr),
      desk.project.folder.string(),
      releases.live ? std::map<std::string, std::string>{{plan.live, releases.live->commit}}
                    : std::map<std::string, std::string>{}};
  plan.config = to_json(texts);
  TRY_LET(auto shipped, spec_of(texts.release, "belay.yaml of " + commit.id.substr(0, 7)));
  TRY(no_literal_passwords(desk.project.spec));
  TRY(no_literal_passwords(shipped));
  TRY(migration_fits(shipped, desk.project.spec, *env, commit.id));
  TRY(users_are_written(shipped, *env, commit.id));

  PlanParts parts;
  parts.present = &desk.project.spec;
  parts.release = &shipped;
  parts.env = env;
  parts.database = database_of(desk.project.spec, env->name);
  parts.policy = &choice.policy;
  plan.facts = {
      {"build_from", own_file ? "belay.yaml of " + commit.id.substr(0, 7)
                              : "the present file (the commit has none)"},
      {"automatic_rollback", env->rollback.automatic},
      {"budget_ms", env->rollback.budget.count()},
      {"changes", changes_between(source.get(), shipped, *env, desk.project.folder,
                                  releases.live ? releases.live->commit : "", commit.id)}};
  put_policy(plan, choice);
  put_unchecked(plan, desk.project.spec.tls);
  if (!request.skip_tests.empty()) plan.facts["skip_tests"] = request.skip_tests;
  if (!request.skip_backup.empty()) plan.facts["skip_backup"] = request.skip_backup;
  if (!request.skip_checks.empty()) plan.facts["skip_checks"] = request.skip_checks;
  deploy_steps(plan, parts);
  TRY(settle_gate(desk, plan));

  TRY_LET(auto dirty, source->uncommitted());
  TRY_LET(auto left_out, source->not_carried(commit.id));
  plan.notes = {{"subject", commit.subject},
                {"estimates", estimates(desk, plan)},
                {"times_back", times_back(desk, plan.environment)},
                {"hold", belay::to_text(env->hold)},
                {"policy", choice.notes}};
  put_some(plan.notes, "uncommitted", dirty);
  put_some(plan.notes, "not_carried", left_out);
  if (auto note = variables_there(desk, plan, shipped, *env); !note.is_null())
    plan.notes["variables"] = std::move(note);
  plan.notes["warnings"] = warnings_of(plan, *env);
  if (!plan.facts.contains("skip_checks") &&
      engine::asked_of(shipped, checked_in(shipped, *env)).empty())
    plan.notes["warnings"].push_back(engine::nothing_checked);
  note_pulls(desk, *source, plan, releases.live ? releases.live->commit : "");
  if (releases.live) plan.notes["live_since"] = to_text(releases.live_since);
  if (releases.live) plan.notes["live_commit"] = releases.live->commit;
  if (!texts.live.empty()) {
    TRY_LET(const auto live, stored_spec(texts.live, plan.live));
    TRY(tell_old_file(plan, live, needs_of(plan, *env, true)));
  }
  TRY(fits_the_journal(plan));
  return plan;
}

Json created_body(const Plan& plan) {
  Json summary{{"release", plan.release},
               {"commit", plan.commit},
               {"ref", plan.ref},
               {"live", plan.live},
               {"requester", plan.requester.name},
               {"subject", plan.notes.value("subject", "")},
               {"code", plan.facts.value("code", true)},
               {"data", plan.facts.value("data", "none")},
               {"restore_point", plan.first_of("restore_point") != nullptr}};
  return {{"pipeline", plan.pipeline},
          {"environment", plan.environment},
          {"summary", summary},
          {"digest", pipeline::digest(plan)},
          {"plan", pipeline::to_json(plan)}};
}

}  // namespace belay::app
