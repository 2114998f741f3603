// SPDX-License-Identifier: Apache-2.0
// belay plan and belay deploy: the same plan, shown or run.
#include <fmt/format.h>

#include "app/planner.hpp"
#include "app/upkeep.hpp"
#include "base/text.hpp"
#include "cli/job_report.hpp"
#include "cli/session.hpp"

namespace belay::cli {

namespace {

app::DeployRequest request_of(const Session& session, const Opened& opened, const Args& args) {
  app::DeployRequest request;
  request.environment = opened.environment;
  request.ref = args.get("--ref");
  request.requester = app::who_asks(session.env, opened.desk->project.folder);
  const auto reason = args.get("--reason");
  if (args.has("--skip-tests")) request.skip_tests = reason;
  if (args.has("--skip-backup")) request.skip_backup = reason;
  if (args.has("--skip-checks")) request.skip_checks = reason;
  return request;
}

// A skip without a reason is refused before anything is looked at.
Status reasons_given(const Args& args) {
  for (const char* skip : {"--skip-tests", "--skip-backup", "--skip-checks", "--emergency"}) {
    if (args.has(skip) && trim(args.get("--reason")).empty()) {
      return fail(
          Fault::invalid,
          std::string(skip) + " needs a reason, which is announced and recorded: --reason \"...\"");
    }
  }
  return {};
}

std::string as_typed(const Args& args) {
  std::string out;
  for (const auto& [name, value] : args.values) out += " " + name + " " + value;
  for (const auto& flag : args.flags) {
    if (flag != "--dry-run") out += " " + flag;
  }
  return out;
}

// The commit is live, and so is its belay.yaml: a deploy would make the same release again.
bool changes_nothing(const pipeline::Plan& plan) {
  const auto texts = app::config_of(plan);
  return texts && !plan.live.empty() &&
         plan.notes.value("live_commit", std::string()) == plan.commit &&
         texts->release == texts->live && texts->present == texts->live;
}

int show_plan(Session& session, const Args& args) {
  if (auto given = reasons_given(args); !given) return tell(given.error(), exit_usage);
  auto opened = open(session, args, app::Opening::to_look);
  if (!opened) return tell(opened.error());
  auto plan = app::plan_deploy(*opened->desk, request_of(session, *opened, args));
  if (!plan) return tell(plan.error());
  if (session.json)
    fmt::print("{}\n", plan_json(*plan));
  else
    fmt::print("{}", plan_for_people(*plan, "belay deploy" + as_typed(args)));
  if (session.job != nullptr) {
    tell(*session.job, {{"digest", pipeline::digest(*plan)}});
    session.job->summary(summary_of(*plan, ""));
  }
  if (!changes_nothing(*plan)) return exit_changes;
  if (!session.json) fmt::print("  Nothing to change: {} is this commit.\n", plan->live);
  return exit_done;
}

Result<bool> first_release_agreed(const Session& session, const Opened& opened,
                                  const pipeline::Plan& plan) {
  const auto* env = opened.desk->project.spec.environment(plan.environment);
  if (!plan.live.empty() || env->first) return true;
  return agree(
      session,
      fmt::format(
          "Nothing is live in {}: if this first release fails, it is taken down and nothing is "
          "live. Go on?",
          plan.environment));
}

// Without an agent nobody else stops what was kept warm long enough.
void sweep(app::Desk& desk, const std::string& environment) {
  auto stopped = app::stop_the_cold(desk, environment);
  if (!stopped)
    static_cast<void>(tell(std::move(stopped).error().in("stopping what was kept warm")));
}

int deploy(Session& session, const Args& args) {
  if (args.has("--dry-run")) return show_plan(session, args);
  if (auto given = reasons_given(args); !given) return tell(given.error(), exit_usage);
  auto opened = open(session, args);
  if (!opened) return tell(opened.error());
  auto& desk = *opened->desk;
  const bool later = args.has("--later");
  if (!later) sweep(desk, opened->environment);
  auto plan = app::plan_deploy(desk, request_of(session, *opened, args));
  if (!plan) return tell(plan.error());
  auto agreed = first_release_agreed(session, *opened, *plan);
  if (!agreed) return tell(agreed.error(), exit_usage);
  if (!*agreed) return exit_failed;
  if (later) {
    if (!session.json) put(plan_for_people(*plan, ""));
    return make_for_later(session, desk, *plan);
  }
  return begin_run(session, desk, *plan, !args.has("--no-wait"));
}

std::vector<Option> plan_options() {
  return {{"--env", "ENV", "environment (needed when there are several)"},
          {"--ref", "REF", "branch, tag or commit; HEAD when not given"},
          {"--skip-tests", "", "do not run `test:` (needs --reason)"},
          {"--skip-backup", "",
           "no restore point: what migrate changes cannot be undone (needs --reason)"},
          {"--skip-checks", "", "no checks, no watch (needs --reason)"},
          {"--reason", "TEXT", "why something is skipped; announced and recorded"}};
}

std::vector<Option> deploy_options() {
  auto options = plan_options();
  options.insert(options.end(),
                 {{"--no-wait", "",
                   "return while approvals or a timer (exit 4) or a lock (exit 3) are waited for"},
                  {"--later", "", "make the run and have its tests run; belay resume goes on"},
                  {"--dry-run", "", "the same as belay plan"}});
  return options;
}

}  // namespace

Command plan_command() {
  return {"plan",    "show what a deploy would do; changes nothing",
          "",        0,
          0,         plan_options(),
          show_plan, manual_of("plan")};
}
Command deploy_command() {
  return {"deploy",           "take a commit to an environment", "", 0, 0, deploy_options(), deploy,
          manual_of("deploy")};
}

}  // namespace belay::cli
