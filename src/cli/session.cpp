// SPDX-License-Identifier: Apache-2.0
#include "cli/session.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <iostream>
#include <thread>

#include "app/agent_service.hpp"
#include "app/plan_sources.hpp"
#include "base/text.hpp"

namespace belay::cli {

namespace {

constexpr Millis cancel_poll{250};

// SIGINT and SIGTERM ask the run to stop safely; a closed terminal stops nothing. Signals are
// blocked in every thread and taken here, one at a time.
class Signals {
 public:
  Signals() {
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGHUP, SIG_IGN);
    sigemptyset(&set_);
    sigaddset(&set_, SIGINT);
    sigaddset(&set_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }

  std::jthread watch(std::stop_source& source, bool& interrupted) {
    return std::jthread([this, &source, &interrupted](std::stop_token stop) {
      const timespec pause{0, 100'000'000};
      while (!stop.stop_requested()) {
        if (sigtimedwait(&set_, nullptr, &pause) <= 0) continue;
        interrupted = true;
        std::fputs("\nstopping safely; the run stays resumable\n", stderr);
        source.request_stop();
      }
    });
  }

 private:
  sigset_t set_{};
};

// A cancel that somebody asked for elsewhere reaches a step that is at work here.
std::jthread watch_cancel(app::Desk& desk, const std::string& run, std::int64_t seen,
                          std::stop_source& source) {
  return std::jthread([&desk, run, seen, &source](std::stop_token stop) mutable {
    while (!stop.stop_requested()) {
      auto events = desk.journal->load(run, seen);
      for (const auto& event : events ? *events : std::vector<journal::Event>{}) {
        seen = event.seq;
        if (event.kind == "cancel.requested") source.request_stop();
      }
      desk.world().clock.sleep(cancel_poll, stop);
    }
  });
}

std::string first_environment(const pipeline::Spec& spec) {
  return spec.environments.size() == 1 ? spec.environments.front().name : std::string();
}

int finish(Session& session, app::Desk& desk, const std::string& run, engine::RunState state) {
  auto loaded = engine::load_run(*desk.journal, run);
  if (!loaded) return tell(loaded.error());
  const int code = exit_of(*loaded, state);
  if (session.json) return code;
  if (state == engine::RunState::interrupted) {
    put(fmt::format("\nInterrupted; run {} can be resumed: belay resume {}\n", run, run));
  } else if (state == engine::RunState::waiting) {
    put(fmt::format("\nRun {} waits; it goes on with: belay resume {}\n", run, run));
  } else {
    put(fmt::format("{}exit {}\n", ending_for_people(run, *loaded), code));
  }
  return code;
}

}  // namespace

Exit exit_for(const Error& error) {
  switch (error.fault) {
    case Fault::invalid:
    case Fault::missing: return exit_usage;  // no such run, tag, file, secret, program
    case Fault::busy: return exit_busy;
    case Fault::conflict:
    case Fault::denied:
    case Fault::timeout:
    case Fault::unreachable:
    case Fault::refused:
    case Fault::corrupt:
    case Fault::cancelled:
    case Fault::internal: break;
  }
  return exit_failed;
}

int tell(const Error& error, Exit code) {
  std::fputs((std::string(trim(error.message())) + "\n").c_str(), stderr);
  return code == exit_failed ? exit_for(error) : code;
}

Result<Opened> open(Session& session, const Args& args) {
  TRY_LET(auto project, app::load_project(session.file, session.here, session.env));
  Opened opened;
  opened.environment = args.get("--env", first_environment(project.spec));
  if (opened.environment.empty()) {
    opened.environment = project.spec.environment("production") != nullptr ? "production" : "";
  }
  if (opened.environment.empty()) {
    std::vector<std::string> names;
    for (const auto& one : project.spec.environments) names.push_back(one.name);
    return fail(Fault::invalid, "which environment? --env one of: " + join(names, ", "));
  }
  TRY(app::environment_of(project.spec, opened.environment));
  TRY_LET(opened.desk, app::open_desk(std::move(project)));
  return opened;
}

Result<bool> agree(const Session& session, const std::string& question,
                   const std::string& expected) {
  if (session.yes) return true;
  if (!session.terminal.ask) {
    return fail(Fault::denied,
                question + "\nthere is no terminal to ask on; to agree beforehand, add --yes");
  }
  fmt::print("{} [type {}] ", question, expected);
  std::fflush(stdout);
  std::string answer;
  if (std::getline(std::cin, answer) && trim(answer) == expected) return true;
  put("Not agreed.\n");
  return false;
}

void name_unfinished(const app::Desk& desk, const std::string& but_run) {
  auto rows = desk.journal->open_runs();
  for (const auto& row : rows ? *rows : std::vector<journal::RunRow>{}) {
    if (row.run == but_run) continue;
    std::fputs(
        fmt::format("Run {} ({} in {}) is not finished: belay resume {}, or belay cancel {}\n",
                    row.run, row.pipeline, row.environment, row.run, row.run)
            .c_str(),
        stderr);
  }
}

bool agent_is_running(const app::Desk& desk) {
  return app::agent_at_work(desk.project.places);
}

int exit_of(const engine::Loaded& loaded, engine::RunState state) {
  switch (state) {
    case engine::RunState::interrupted: return exit_interrupted;
    case engine::RunState::waiting: return exit_approval;
    case engine::RunState::needs_person: return exit_needs_person;
    case engine::RunState::finished: break;
  }
  const auto& ending = loaded.history.ending;
  if (ending == "done") return exit_done;
  if (ending == "refused" || ending == "expired") return exit_approval;
  if (ending == "busy") return exit_busy;
  return exit_failed;
}

namespace {

int follow_from(Session& session, app::Desk& desk, const std::string& run,
                std::int64_t quiet_until) {
  Screen screen(session, desk.project.places,
                [](std::string_view text) { return std::string(text); });
  screen.quiet_until(quiet_until);
  Signals signals;
  std::stop_source stop;
  bool interrupted = false;
  auto watching = signals.watch(stop, interrupted);
  std::int64_t seen = 0;
  while (!stop.stop_requested()) {
    auto head = desk.journal->head();
    auto loaded = engine::load_run(*desk.journal, run);
    if (!loaded) return tell(loaded.error());
    for (const auto& event : loaded->events) {
      if (event.seq > seen) screen.event(run, loaded->plan, event);
    }
    seen = loaded->history.last_seq;
    if (!loaded->history.ending.empty())
      return finish(session, desk, run, engine::RunState::finished);
    if (loaded->history.stopped) return finish(session, desk, run, engine::RunState::needs_person);
    auto grown =
        desk.journal->wait(head ? head->first : 0, std::chrono::seconds(1), stop.get_token());
    if (!grown && grown.error().fault != Fault::cancelled) return tell(grown.error());
  }
  put(fmt::format("\nNot following any more; the run goes on. To stop it: belay cancel {}\n", run));
  return exit_interrupted;
}

}  // namespace

int follow(Session& session, app::Desk& desk, const std::string& run) {
  return follow_from(session, desk, run, 0);
}

void show_fresh_key(const app::FreshKey& key) {
  const bool person = ::isatty(STDERR_FILENO) == 1;
  const auto shown = person ? "  shown only this once: " + key.key.reveal() + "\n" : "";
  std::fputs(
      fmt::format("A vault key was made: {}\n{}  Keep a copy elsewhere: without it no restore "
                  "point can be read.\n",
                  key.path.string(), shown)
          .c_str(),
      stderr);
}

Result<std::unique_ptr<app::Works>> wire_to_drive(app::Desk& desk, const pipeline::Plan& plan) {
  TRY_LET(auto works, app::wire_run(desk, plan));
  if (!works->vault_absent) return works;
  TRY_LET(auto fresh, app::make_vault_key(desk, plan).in("vault.key"));
  if (fresh) show_fresh_key(*fresh);
  return app::wire_run(desk, plan);
}

namespace {

// The agent's surroundings are not ours: a secret that only this command's environment has is not
// there for it.
Status agent_could_drive(app::Desk& desk, const pipeline::Plan& plan) {
  app::Getenv bare;
  for (const char* name : {"PATH", "HOME"}) {
    if (desk.project.env.contains(name)) bare[name] = desk.project.env[name];
  }
  std::swap(bare, desk.project.env);
  auto works = app::wire_run(desk, plan);
  std::swap(bare, desk.project.env);
  if (!works) return std::move(works).error();
  return {};
}

// A deploy that a rollback asked to stop and that nobody drives: taken back here, before the
// rollback goes on. What stands against it is told; the rollback then waits for somebody else.
void take_back_other(const Session& session, app::Desk& desk, const std::string& run,
                     std::stop_token stop) {
  auto loaded = engine::load_run(*desk.journal, run);
  if (!loaded) return static_cast<void>(tell(loaded.error()));
  auto works = wire_to_drive(desk, loaded->plan);
  if (!works) return static_cast<void>(tell(std::move(works).error().in("run " + run)));
  desk.machine->hide((*works)->secrets);
  Screen screen(session, desk.project.places, [secrets = (*works)->secrets](std::string_view text) {
    return secrets->mask(text);
  });
  screen.quiet_until(loaded->history.last_seq);
  engine::Runner runner(*desk.journal, (*works)->steps, desk.world(), screen, *desk.claims);
  if (auto state = runner.drive(run, stop); !state) tell(std::move(state).error().in("run " + run));
}

// A run that waits for a lock says whose it is, and whether anybody is at work on that run.
void tell_of_lock(const app::Desk& desk, const pipeline::Plan& plan, const std::string& run) {
  auto locks = desk.journal->locks();
  for (const auto& lock : locks ? *locks : std::vector<journal::Lock>{}) {
    if (lock.environment != plan.environment || lock.run == run) continue;
    const bool idle = !agent_is_running(desk) && desk.claims->claim(lock.run).ok();
    std::fputs(
        fmt::format("{} is held by run {}{}; when it is this run's turn depends on that one\n",
                    lock.environment, lock.run,
                    idle ? fmt::format(", which nobody drives: belay resume {0}, or belay "
                                       "cancel {0}, elsewhere",
                                       lock.run)
                         : "")
            .c_str(),
        stderr);
  }
}

// Drives until the run ends, waits, or is interrupted.
Result<engine::RunState> drive_here(const Session& session, app::Desk& desk, Signals& signals,
                                    engine::Runner& runner, Screen& screen, const std::string& run,
                                    std::int64_t seen, bool wait) {
  for (;;) {
    std::stop_source stop;
    bool interrupted = false;
    auto state = [&] {
      auto by_signal = signals.watch(stop, interrupted);
      auto by_cancel = watch_cancel(desk, run, seen, stop);
      const auto other = [&](const std::string& in_the_way) {
        take_back_other(session, desk, in_the_way, stop.get_token());
      };
      return runner.drive(run, stop.get_token(), {wait, other});
    }();
    if (!state || *state != engine::RunState::interrupted || interrupted) return state;
    // Stopped by a cancel that is now in the journal: the run decides what that means.
    TRY_LET(auto again, engine::load_run(*desk.journal, run));
    seen = again.history.last_seq;
    screen.quiet_until(seen);
  }
}

}  // namespace

namespace {

// To the end, or to where a person is needed. What happened before `quiet_until` was shown already.
int drive_or_follow_on(Session& session, app::Desk& desk, const std::string& run, bool wait,
                       std::int64_t quiet_until) {
  auto loaded = engine::load_run(*desk.journal, run);
  if (!loaded) return tell(loaded.error());
  tell_of_lock(desk, loaded->plan, run);
  if (agent_is_running(desk)) {
    auto could = agent_could_drive(desk, loaded->plan);
    if (could) return follow_from(session, desk, run, quiet_until);
    std::fputs(
        (could.error().message() +
         "\nThe agent does not have it, so this command drives the run itself; `belay doctor` "
         "says how to give it to the agent.\n")
            .c_str(),
        stderr);
  }
  Signals signals;
  auto works = wire_to_drive(desk, loaded->plan);
  if (!works) return tell(works.error());
  auto secrets = (*works)->secrets;
  desk.machine->hide(secrets);
  Screen screen(session, desk.project.places,
                [secrets](std::string_view text) { return secrets->mask(text); });
  screen.quiet_until(quiet_until);
  engine::Runner runner(*desk.journal, (*works)->steps, desk.world(), screen, *desk.claims);
  auto state =
      drive_here(session, desk, signals, runner, screen, run, loaded->history.last_seq, wait);
  // Somebody else, an agent most likely, was first.
  if (!state && state.error().fault == Fault::busy)
    return follow_from(session, desk, run, quiet_until);
  if (!state) return tell(state.error());
  return finish(session, desk, run, *state);
}

}  // namespace

int drive_or_follow(Session& session, app::Desk& desk, const std::string& run, bool wait) {
  std::int64_t shown = 0;
  for (;;) {
    const int code = drive_or_follow_on(session, desk, run, wait, shown);
    if (code != exit_needs_person) return code;
    if (auto loaded = engine::load_run(*desk.journal, run)) shown = loaded->history.last_seq;
    if (!answer_question(session, desk, run)) return code;
  }
}

}  // namespace belay::cli
