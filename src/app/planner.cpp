// SPDX-License-Identifier: Apache-2.0
#include "app/planner.hpp"

#include <fmt/format.h>

#include "app/plan_steps.hpp"
#include "base/text.hpp"

namespace belay::app {

using pipeline::EnvironmentSpec;
using pipeline::Plan;
using pipeline::Policy;
using pipeline::Spec;

namespace {

constexpr int commits_shown = 50;

Result<const EnvironmentSpec*> environment_of(const Spec& spec, const std::string& name) {
  const auto* found = spec.environment(name);
  if (found != nullptr) return found;
  std::vector<std::string> known;
  for (const auto& one : spec.environments) known.push_back(one.name);
  const auto near = nearest(name, known);
  return fail(Fault::invalid, fmt::format("belay.yaml has no environment {}{}; known here: {}", name,
                                          near.empty() ? "" : "; did you mean " + near, join(known, ", ")));
}

// belay.yaml of a commit; the present one when the commit has none.
std::string file_at(source::Source& source, const Project& project, const std::string& commit, bool& there) {
  auto text = source.read(commit, (prefix_of(project.folder) / project.file.filename()).lexically_normal().string());
  there = text.ok();
  return text ? *text : project.text;
}

struct PolicyChoice {
  Policy policy;
  std::string text, from;
  std::vector<std::string> notes;
};

// The policy of the last run in this environment, to be compared with.
std::optional<Policy> last_recorded(Desk& desk, const std::string& environment) {
  auto rows = desk.journal->runs(environment, 1);
  if (!rows || rows->empty()) return std::nullopt;
  auto loaded = engine::load_run(*desk.journal, rows->front().run);
  if (!loaded || !loaded->plan.facts.contains("policy")) return std::nullopt;
  auto policy = pipeline::policy_from_json(loaded->plan.facts["policy"]);
  return policy ? std::optional(*policy) : std::nullopt;
}

// From the protected branch; without a remote, a policy weaker than the last one does not count
// before it was approved under that one.
Result<PolicyChoice> choose_policy(Desk& desk, source::Source* source, const std::string& environment) {
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
    choice.from = there ? "the protected branch at " + ruling->id.substr(0, 7) : "the present file (the protected branch has none)";
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

std::string tag_now(const EnvironmentSpec& env, TimePoint now, const engine::Releases& releases) {
  // Two releases within a second: the later one takes the next free second.
  std::string tag;
  do {
    tag = env.tag + "-" + to_tag_stamp(now);
    now += std::chrono::seconds(1);
  } while (releases.find(tag) != nullptr);
  return tag;
}

Json changes_between(source::Source& source, const Spec& spec, const EnvironmentSpec& env,
                     const Path& prefix, const std::string& from, const std::string& to) {
  Json changes = Json::array();
  for (const auto& placed : env.services) {
    const auto* service = spec.service(placed.service);
    if (service == nullptr) continue;
    const auto path = (prefix / service->path).lexically_normal().string();
    auto commits = source.between(from, to, path == "." ? "" : path, commits_shown);
    Json subjects = Json::array();
    if (commits) {
      for (const auto& commit : *commits) subjects.push_back(commit.subject);
    }
    changes.push_back({{"service", placed.service}, {"commits", subjects}});
  }
  return changes;
}

// A release of the branch rule's branches: one of those that contain the commit.
Status branch_rule(source::Source& source, const Policy& policy, const std::string& environment,
                   const source::Commit& commit) {
  if (policy.branches.empty()) return {};
  TRY_LET(auto branches, source.branches_with(commit.id));
  for (const auto& branch : branches) {
    if (pipeline::branch_allowed(policy.branches, branch)) return {};
  }
  return pipeline::check_branch(environment, policy.branches, branches.empty() ? commit.id.substr(0, 7) : branches.front());
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
    std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
    out[step] = times[times.size() / 2];
  }
  return out;
}

// What the live release was built from: needed to start it again.
std::string text_of_release(Desk& desk, const engine::Release* release) {
  if (release == nullptr) return {};
  auto loaded = engine::load_run(*desk.journal, release->run);
  return loaded ? loaded->plan.config.value("release", std::string()) : std::string();
}

// A literal URI with a password would be stored in the plan, in clear.
Status no_literal_passwords(const Spec& spec) {
  const auto check = [](const std::optional<pipeline::Database>& database, const std::string& where) -> Status {
    if (!database) return {};
    for (const auto* text : {&database->uri, database->migrate && database->migrate->uri ? &*database->migrate->uri : nullptr}) {
      if (text != nullptr && text->literal() && text->text.find('@') != std::string::npos) {
        return fail(Fault::invalid, where + " holds a user and password; write ${NAME} there and give the value in the environment");
      }
    }
    return {};
  };
  TRY(check(spec.database, "database.uri"));
  for (const auto& env : spec.environments) TRY(check(env.database, "environments." + env.name + ".database.uri"));
  return {};
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
  if (get("GITHUB_ACTIONS") == "true" && !get("GITHUB_ACTOR").empty()) return {get("GITHUB_ACTOR"), email};
  if (!email.empty()) return {email, email};
  return {get("USER").empty() ? get("LOGNAME") : get("USER"), {}};
}

Result<Plan> plan_deploy(Desk& desk, const DeployRequest& request) {
  TRY_LET(auto source, source::make_git(desk.project.folder));
  TRY_LET(const auto* env, environment_of(desk.project.spec, request.environment));
  if (env->services.empty()) {
    return fail(Fault::invalid, "environment " + env->name + " has no services: there is nothing to deploy");
  }
  const std::string ref = request.ref.empty() ? "HEAD" : request.ref;
  TRY_LET(auto commit, source->resolve(ref));
  TRY_LET(auto choice, choose_policy(desk, source.get(), request.environment));
  TRY(branch_rule(*source, choice.policy, request.environment, commit));
  TRY_LET(auto releases, engine::read_releases(*desk.journal, request.environment));

  bool in_commit = false;
  Plan plan;
  plan.pipeline = "deploy";
  plan.project = desk.project.spec.project;
  plan.environment = request.environment;
  plan.release = tag_now(*env, desk.world().clock.now(), releases);
  plan.commit = commit.id;
  plan.ref = ref;
  plan.live = releases.live ? releases.live->tag : "";
  plan.requester = request.requester;
  const ConfigTexts texts{desk.project.text, choice.text, file_at(*source, desk.project, commit.id, in_commit),
                          text_of_release(desk, releases.live ? &*releases.live : nullptr),
                          desk.project.folder.string(),
                          releases.live ? std::map<std::string, std::string>{{plan.live, releases.live->commit}}
                                        : std::map<std::string, std::string>{}};
  plan.config = to_json(texts);
  TRY_LET(auto shipped, spec_of(texts.release, "belay.yaml of " + commit.id.substr(0, 7)));
  TRY(no_literal_passwords(desk.project.spec));
  TRY(no_literal_passwords(shipped));

  PlanParts parts;
  parts.present = &desk.project.spec;
  parts.release = &shipped;
  parts.env = env;
  parts.database = env->database ? &*env->database : (desk.project.spec.database ? &*desk.project.spec.database : nullptr);
  parts.policy = &choice.policy;
  plan.facts = {{"policy", pipeline::to_json(choice.policy)},
                {"policy_from", choice.from},
                {"build_from", in_commit ? "belay.yaml of " + commit.id.substr(0, 7) : "the present file (the commit has none)"},
                {"automatic_rollback", env->rollback.automatic},
                {"changes", changes_between(*source, shipped, *env, prefix_of(desk.project.folder),
                                            releases.live ? releases.live->commit : "", commit.id)}};
  if (!request.skip_tests.empty()) plan.facts["skip_tests"] = request.skip_tests;
  if (!request.skip_backup.empty()) plan.facts["skip_backup"] = request.skip_backup;
  if (!request.skip_checks.empty()) plan.facts["skip_checks"] = request.skip_checks;
  deploy_steps(plan, parts);

  TRY_LET(auto dirty, source->uncommitted());
  TRY_LET(auto left_out, source->not_carried(commit.id));
  plan.notes = {{"subject", commit.subject}, {"estimates", estimates(desk, plan)}, {"uncommitted", dirty},
                {"not_carried", left_out},   {"policy", choice.notes}};
  if (releases.live) plan.notes["live_since"] = to_text(releases.live_since);
  if (releases.live) plan.notes["live_commit"] = releases.live->commit;
  return plan;
}

namespace {

Result<const engine::Release*> target_of(const engine::Releases& releases, const EnvironmentSpec& env,
                                         const RollbackRequest& request) {
  if (request.tag.empty()) {
    const auto* before = releases.before_live();
    if (before != nullptr) return before;
    return fail(Fault::missing, fmt::format("there is no verified-good release of {} other than the live one", env.name));
  }
  const std::string prefix = env.tag + "-";
  if (!request.tag.starts_with(prefix)) {
    return fail(Fault::invalid, fmt::format("{} is no release of {}: its tags begin with {}", request.tag, env.name, prefix));
  }
  if (!parse_tag_stamp(std::string_view(request.tag).substr(prefix.size()))) {
    return fail(Fault::invalid, fmt::format("{} is not a release tag: {}YYYYMMDD-HHMMSS is wanted", request.tag, prefix));
  }
  const auto* found = releases.find(request.tag);
  if (found != nullptr) return found;
  std::vector<std::string> known;
  for (const auto& release : releases.shipped) known.push_back(release.tag);
  const auto near = nearest(request.tag, known);
  return fail(Fault::missing, fmt::format("{} never shipped a release {}{}; see: belay history", env.name, request.tag,
                                          near.empty() ? "" : "; did you mean " + near));
}

Status emergency_allowed(const Policy& policy, const RollbackRequest& request) {
  const auto& people = policy.emergency;
  const auto& who = request.requester;
  if (std::find(people.begin(), people.end(), who.name) != people.end()) return {};
  if (!who.email.empty() && std::find(people.begin(), people.end(), who.email) != people.end()) return {};
  return fail(Fault::denied, fmt::format("{} may not roll back without approval; rollback.emergency names: {}", who.name,
                                         people.empty() ? "nobody" : join(people, ", ")));
}

Result<DataPlan> data_plan(const engine::Releases& releases, const engine::Release& target) {
  const auto data = releases.data_of(target.tag);
  switch (data.kind) {
    case engine::DataOf::Kind::point: return DataPlan{data.name, ""};
    case engine::DataOf::Kind::undo: return DataPlan{"", data.name};
    case engine::DataOf::Kind::none: break;
  }
  return fail(Fault::missing, fmt::format("the data of {} cannot be brought back: {}; the code can: "
                                          "belay rollback {} --code-only",
                                          target.tag, data.why_none, target.tag));
}

}  // namespace

Result<Plan> plan_rollback(Desk& desk, const RollbackRequest& request) {
  auto source = source::make_git(desk.project.folder);
  TRY_LET(const auto* env, environment_of(desk.project.spec, request.environment));
  TRY_LET(auto choice, choose_policy(desk, source ? source->get() : nullptr, request.environment));
  TRY_LET(auto releases, engine::read_releases(*desk.journal, request.environment));
  if (!releases.live) return fail(Fault::missing, "nothing is live in " + env->name + ": there is nothing to roll back");
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
    if (target->tag == releases.live->tag) return fail(Fault::invalid, target->tag + " is live already");
  } else if (!request.tag.empty()) {
    TRY_LET(target, target_of(releases, *env, request));
  } else if (const auto* before = releases.before_live()) {
    target = before;
  }
  if (request.undo_run.empty() && request.data && has_database) {
    TRY_LET(data, data_plan(releases, *target));
  }
  const bool code = request.code && request.undo_run.empty();
  plan.release = code ? target->tag : releases.live->tag;
  plan.commit = code ? target->commit : releases.live->commit;
  plan.ref = plan.release;
  const auto* shipped_as = code ? target : &*releases.live;
  const ConfigTexts texts{desk.project.text, choice.text, text_of_release(desk, shipped_as),
                          text_of_release(desk, &*releases.live), desk.project.folder.string(),
                          {{plan.release, plan.commit}, {plan.live, releases.live->commit}}};
  plan.config = to_json(texts);
  TRY_LET(auto old, spec_of(texts.release, "belay.yaml of " + plan.release));

  PlanParts parts;
  parts.present = &desk.project.spec;
  parts.release = &old;
  parts.env = env;
  parts.database = env->database ? &*env->database : (desk.project.spec.database ? &*desk.project.spec.database : nullptr);
  parts.policy = &choice.policy;
  plan.facts = {{"policy", pipeline::to_json(choice.policy)}, {"policy_from", choice.from},
                {"target", plan.release},                     {"code", code},
                {"data", data.point.empty() ? (data.undo.empty() ? "none" : "undo:" + data.undo) : "point:" + data.point},
                {"automatic_rollback", true}};
  if (!request.skip_checks.empty()) plan.facts["skip_checks"] = request.skip_checks;
  if (!request.emergency.empty()) plan.facts["emergency"] = request.emergency;
  rollback_steps(plan, parts, data, code);
  plan.notes = {{"estimates", estimates(desk, plan)}, {"policy", choice.notes}};
  return plan;
}

Result<Plan> plan_rewind(Desk& desk, const RewindRequest& request) {
  auto source = source::make_git(desk.project.folder);
  TRY_LET(const auto* env, environment_of(desk.project.spec, request.environment));
  TRY_LET(auto choice, choose_policy(desk, source ? source->get() : nullptr, request.environment));
  TRY_LET(auto releases, engine::read_releases(*desk.journal, request.environment));
  Plan plan;
  plan.pipeline = "rewind";
  plan.project = desk.project.spec.project;
  plan.environment = request.environment;
  plan.live = releases.live ? releases.live->tag : "";
  plan.release = plan.live;
  plan.requester = request.requester;
  const auto text = text_of_release(desk, releases.live ? &*releases.live : nullptr);
  plan.config = to_json({desk.project.text, choice.text, text.empty() ? desk.project.text : text, "",
                         desk.project.folder.string(), {}});
  PlanParts parts;
  parts.present = parts.release = &desk.project.spec;
  parts.env = env;
  parts.database = env->database ? &*env->database : (desk.project.spec.database ? &*desk.project.spec.database : nullptr);
  parts.policy = &choice.policy;
  if (parts.database == nullptr) return fail(Fault::invalid, "belay.yaml has no database to rewind");
  const bool undo = request.point.starts_with("salvage-");
  plan.facts = {{"policy", pipeline::to_json(choice.policy)}, {"policy_from", choice.from},
                {"code", false}, {"automatic_rollback", true},
                {"data", (undo ? "undo:" : "point:") + request.point}};
  rollback_steps(plan, parts, undo ? DataPlan{"", request.point} : DataPlan{request.point, ""}, false);
  plan.notes = {{"estimates", estimates(desk, plan)}, {"policy", choice.notes}};
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
  return {{"pipeline", plan.pipeline},       {"environment", plan.environment}, {"summary", summary},
          {"digest", pipeline::digest(plan)}, {"plan", pipeline::to_json(plan)}};
}

}  // namespace belay::app
