// SPDX-License-Identifier: Apache-2.0
// belay rollback and belay rewind: back, with a preview of what would be lost.
#include <fmt/format.h>

#include "app/planner.hpp"
#include "base/text.hpp"
#include "cli/voting.hpp"
#include "engine/votes.hpp"
#include "pipeline/gate.hpp"

namespace belay::cli {

namespace {

// Whoever goes without approval proves that he is who may.
Status sign_at_once(app::Desk& desk, const std::string& run, const std::string& key) {
  TRY(engine::open_gate(*desk.journal, desk.world(), run));
  TRY_LET(auto loaded, engine::load_run(*desk.journal, run));
  TRY_LET(auto ballot, pipeline::ballot_of(loaded.plan, loaded.history, run));
  TRY_LET(auto candidate, signed_with(key, ballot, pipeline::Decision::approve));
  TRY_LET(auto vote, cast(desk, run, candidate));
  static_cast<void>(vote);
  return {};
}

int sign_where_asked(app::Desk& desk, const std::string& run, const std::string& key) {
  if (key.empty()) return exit_done;
  auto done = sign_at_once(desk, run, key);
  if (done) return exit_done;
  std::fputs(fmt::format("Run {0} waits for the signature: belay approve {0} --key FILE, or "
                         "belay cancel {0}\n",
                         run)
                 .c_str(),
             stderr);
  return tell_of_vote(done.error());
}

int go(Session& session, app::Desk& desk, const pipeline::Plan& plan, const Args& args) {
  if (!session.json)
    fmt::print("{}", plan_for_people(plan, ""));
  else if (args.has("--dry-run"))
    fmt::print("{}\n", plan_json(plan));
  if (args.has("--dry-run")) return exit_changes;
  const bool open = plan.first_of("rewind") != nullptr && plan.first_of("hold") == nullptr;
  auto agreed =
      agree(session,
            fmt::format("{}Go back in {}?",
                        open ? "Every writer must be stopped: nothing else holds them. " : "",
                        plan.environment),
            open ? "stopped" : "yes");
  if (!agreed) return tell(agreed.error(), exit_usage);
  if (!*agreed) return exit_failed;
  if (args.has("--later")) return make_for_later(session, desk, plan);
  return begin_run(session, desk, plan, !args.has("--no-wait"), [&](const std::string& run) {
    return sign_where_asked(desk, run, args.get("--key"));
  });
}

int rollback(Session& session, const Args& args) {
  if (args.has("--code-only") && args.has("--database-only")) {
    return tell(fail(Fault::invalid, "--code-only and --database-only exclude each other"),
                exit_usage);
  }
  for (const char* flag : {"--skip-checks", "--emergency"}) {
    if (args.has(flag) && trim(args.get("--reason")).empty()) {
      return tell(fail(Fault::invalid,
                       std::string(flag) +
                           " needs a reason, which is announced and recorded: --reason \"...\""),
                  exit_usage);
    }
  }
  if (!args.get("--key").empty() && !args.has("--emergency")) {
    return tell(
        fail(Fault::invalid, "--key belongs to --emergency; others sign with belay approve"),
        exit_usage);
  }
  auto opened = open(session, args);
  if (!opened) return tell(opened.error());
  app::RollbackRequest request;
  request.environment = opened->environment;
  request.tag = args.word(0);
  request.requester = app::who_asks(session.env, opened->desk->project.folder);
  request.code = !args.has("--database-only");
  request.data = !args.has("--code-only");
  request.undo_run = args.get("--undo");
  request.platforms_later = args.has("--later");
  const std::string reason(trim(args.get("--reason")));
  if (args.has("--skip-checks")) request.skip_checks = reason;
  if (args.has("--emergency")) request.emergency = reason;
  auto plan = app::plan_rollback(*opened->desk, request);
  if (!plan) return tell(plan.error());
  return go(session, *opened->desk, *plan, args);
}

int rewind(Session& session, const Args& args) {
  auto opened = open(session, args);
  if (!opened) return tell(opened.error());
  const auto who = app::who_asks(session.env, opened->desk->project.folder);
  auto plan = app::plan_rewind(*opened->desk, {opened->environment, args.word(0), who});
  if (!plan) return tell(plan.error());
  return go(session, *opened->desk, *plan, args);
}

}  // namespace

Command rollback_command() {
  return {"rollback",
          "bring code and data back to an earlier release",
          "[TAG]",
          0,
          1,
          {{"--env", "ENV", "environment"},
           {"--code-only", "", "only the code; the data stays as it is"},
           {"--database-only", "", "only the data"},
           {"--undo", "RUN", "take back the rewind that run RUN made"},
           {"--skip-checks", "", "no checks of the old release (needs --reason)"},
           {"--emergency", "", "without approval, where belay.yaml allows it (needs --reason)"},
           {"--key", "FILE", "with --emergency: the SSH key that proves who you are"},
           {"--reason", "TEXT", "announced and recorded"},
           {"--no-wait", "", "return while approvals (exit 4) or a lock (exit 3) are waited for"},
           {"--later", "", "make the run; belay resume goes on"},
           {"--dry-run", "", "show the plan and what would be lost"}},
          rollback,
          manual_of("rollback")};
}

Command rewind_command() {
  return {"rewind",
          "bring the live database to a restore point",
          "POINT",
          1,
          1,
          {{"--env", "ENV", "environment"},
           {"--no-wait", "", "return while approvals (exit 4) or a lock (exit 3) are waited for"},
           {"--dry-run", "", "show what would be changed"}},
          rewind,
          manual_of("rewind")};
}

}  // namespace belay::cli
