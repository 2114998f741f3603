// SPDX-License-Identifier: Apache-2.0
#include "cli/session.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <iostream>
#include <thread>

#include "app/agent_service.hpp"
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
        fmt::print(stderr, "\nstopping safely; the run stays resumable\n");
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
    fmt::print("\nInterrupted; run {} can be resumed: belay resume {}\n", run, run);
  } else if (state == engine::RunState::waiting) {
    fmt::print("\nRun {} waits; it goes on with: belay resume {}\n", run, run);
  } else {
    fmt::print("{}exit {}\n", ending_for_people(run, *loaded), code);
  }
  return code;
}

}  // namespace

Exit exit_for(const Error& error) {
  switch (error.fault) {
    case Fault::invalid: return exit_usage;
    case Fault::busy: return exit_busy;
    case Fault::missing:
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
  fmt::print(stderr, "{}\n", error.message());
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
  if (project.spec.environment(opened.environment) == nullptr) {
    return fail(Fault::invalid, "belay.yaml has no environment " + opened.environment);
  }
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
  if (!std::getline(std::cin, answer)) return false;
  return std::string(trim(answer)) == expected;
}

void name_unfinished(const app::Desk& desk, const std::string& but_run) {
  auto rows = desk.journal->open_runs();
  for (const auto& row : rows ? *rows : std::vector<journal::RunRow>{}) {
    if (row.run == but_run) continue;
    fmt::print(stderr, "Run {} ({} in {}) is not finished: belay resume {}, or belay cancel {}\n",
               row.run, row.pipeline, row.environment, row.run, row.run);
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

int follow(Session& session, app::Desk& desk, const std::string& run) {
  Screen screen(session, desk.project.places,
                [](std::string_view text) { return std::string(text); });
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
  fmt::print("\nNot following any more; the run goes on. To stop it: belay cancel {}\n", run);
  return exit_interrupted;
}

int drive_or_follow(Session& session, app::Desk& desk, const std::string& run, bool wait) {
  if (agent_is_running(desk)) return follow(session, desk, run);
  auto loaded = engine::load_run(*desk.journal, run);
  if (!loaded) return tell(loaded.error());
  Signals signals;
  auto works = app::wire_run(desk, loaded->plan);
  if (!works) return tell(works.error());
  if (!(*works)->fresh_vault_key.empty()) {
    fmt::print(
        "A vault key was made: {}\n  Keep a copy elsewhere: without it no restore point can be "
        "read.\n",
        (*works)->fresh_vault_key);
  }
  auto secrets = (*works)->secrets;
  Screen screen(session, desk.project.places,
                [secrets](std::string_view text) { return secrets->mask(text); });
  engine::Runner runner(*desk.journal, (*works)->steps, desk.world(), screen, *desk.claims);
  std::int64_t seen = loaded->history.last_seq;
  for (;;) {
    std::stop_source stop;
    bool interrupted = false;
    auto state = [&] {
      auto by_signal = signals.watch(stop, interrupted);
      auto by_cancel = watch_cancel(desk, run, seen, stop);
      return runner.drive(run, stop.get_token(), {wait});
    }();
    if (!state) return tell(state.error());
    if (*state != engine::RunState::interrupted || interrupted)
      return finish(session, desk, run, *state);
    // Stopped by a cancel that is now in the journal: the run decides what that means.
    auto again = engine::load_run(*desk.journal, run);
    if (!again) return tell(again.error());
    seen = again->history.last_seq;
    screen.quiet_until(seen);
  }
}

}  // namespace belay::cli
