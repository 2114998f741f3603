// SPDX-License-Identifier: Apache-2.0
// belay resume and belay cancel.
#include <fmt/format.h>

#include "app/planner.hpp"
#include "cli/session.hpp"

namespace belay::cli {

namespace {

Status not_over(const engine::Loaded& loaded) {
  if (loaded.history.ending.empty()) return {};
  return fail(Fault::refused, "the run has ended already: " + loaded.history.ending);
}

// The run that holds the environment, unless somebody drives it.
Result<std::string> left_in(const app::Desk& desk, const std::string& environment) {
  TRY_LET(const auto locks, desk.journal->locks());
  for (const auto& lock : locks) {
    if (lock.environment == environment && desk.claims->claim(lock.run)) return lock.run;
  }
  return std::string();
}

// Whatever it comes to: when it has ended, the environment is free for others.
int resume_what_holds(Session& session, const Opened& opened) {
  auto& desk = *opened.desk;
  auto run = left_in(desk, opened.environment);
  if (!run) return tell(run.error());
  if (run->empty()) {
    if (!session.json) put("No run was left in the middle in " + opened.environment + ".\n");
    return exit_done;
  }
  if (!session.json)
    put(fmt::format("Run {} was left in the middle in {}; it goes on first.\n", *run,
                    opened.environment));
  // What this job is about is not that run: its outputs are the next command's.
  auto quiet = session;
  quiet.job = nullptr;
  const int code = drive_or_follow(quiet, desk, *run);
  auto loaded = engine::load_run(*desk.journal, *run);
  return loaded && !loaded->history.ending.empty() ? exit_done : code;
}

int resume(Session& session, const Args& args) {
  auto opened = open(session, args);
  if (!opened) return tell(opened.error());
  if (args.has("--held")) return resume_what_holds(session, *opened);
  auto& desk = *opened->desk;
  const auto run = args.word(0);
  if (run.empty())
    return tell(fail(Fault::invalid, "belay resume needs RUN, or --held"), exit_usage);
  auto loaded = engine::load_run(*desk.journal, run);
  if (!loaded) return tell(loaded.error());
  const bool answers = args.has("--rewind") || args.has("--keep-data");
  if (loaded->history.stopped || answers) {
    Json body{{"by", app::who_asks(session.env, desk.project.folder).name}};
    if (answers) body["rewind_data"] = args.has("--rewind");
    auto done =
        engine::append_event(*desk.journal, run, {"run.resumed", "", canonical(body), 1}, not_over);
    if (!done) return tell(done.error());
  }
  return drive_or_follow(session, desk, run, !args.has("--no-wait"));
}

int cancel(Session& session, const Args& args) {
  auto opened = open(session, args);
  if (!opened) return tell(opened.error());
  auto& desk = *opened->desk;
  const auto run = args.word(0);
  const auto who = app::who_asks(session.env, desk.project.folder).name;
  const auto because = who + (args.get("--reason").empty() ? "" : ": " + args.get("--reason"));
  auto done = engine::append_event(
      *desk.journal, run, {"cancel.requested", "", canonical({{"because", because}}), 1}, not_over);
  if (!done) return tell(done.error());
  fmt::print("Run {} is asked to stop: what was changed is taken back first.\n", run);
  // Whoever drives it sees the event, and is followed; when nobody does, it is driven to its end
  // here.
  return drive_or_follow(session, desk, run);
}

}  // namespace

Command resume_command() {
  return {"resume",
          "go on with a run after a crash, an interruption or a stop",
          "[RUN]",
          0,
          1,
          {{"--env", "ENV", "environment"},
           {"--held", "", "the run that holds the environment, if nobody drives it"},
           {"--rewind", "", "answer: the data goes back too"},
           {"--keep-data", "", "answer: the data stays as it is"},
           {"--no-wait", "", "return while people or a lock are waited for"}},
          resume,
          manual_of("resume")};
}

Command cancel_command() {
  return {"cancel", "stop a run safely: what it changed is taken back",
          "RUN",    1,
          1,        {{"--env", "ENV", "environment"}, {"--reason", "TEXT", "recorded"}},
          cancel,   manual_of("cancel")};
}

}  // namespace belay::cli
