// SPDX-License-Identifier: Apache-2.0
// Driving a run from a command, or following it while somebody else drives.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "cli/job_report.hpp"
#include "cli/layout.hpp"
#include "cli/session.hpp"
#include "pipeline/decide.hpp"

namespace belay::cli {

namespace {

constexpr Millis cancel_poll{250};
constexpr Millis follow_poll = std::chrono::seconds(1);
// How often nobody may be found driving before the follower takes over: an agent, or whoever is
// about to resume, comes first.
constexpr int idle_looks = 3, idle_looks_with_agent = 10;
constexpr int busy_tries = 3;

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

  std::jthread watch(std::function<void()> each) const {
    return std::jthread([set = set_, each = std::move(each)](std::stop_token stop) {
      const timespec pause{0, 100'000'000};
      while (!stop.stop_requested()) {
        if (sigtimedwait(&set, nullptr, &pause) > 0) each();
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

// What was cut off in the middle, and whether customers wait for it.
std::string left_behind(const engine::Loaded& loaded) {
  std::string out;
  for (const auto* list : {&loaded.plan.steps, &loaded.plan.back}) {
    for (const auto& step : *list) {
      const auto* record = loaded.history.record(step.id);
      if (record != nullptr && record->state == pipeline::StepRecord::State::begun)
        out +=
            fmt::format("  left in the middle of {}; a program that it began goes on\n", step.id);
    }
  }
  if (pipeline::fenced(loaded.plan, loaded.history))
    out += "  CUSTOMERS ARE HELD behind the fence until the run goes on\n";
  return out;
}

// Where the run's health report is, when it has come to one.
std::string report_line(const app::Desk& desk, const std::string& run) {
  const Path path = desk.project.places.runs() / run / "health-report.json";
  std::error_code code;
  return std::filesystem::exists(path, code) ? "  health report: " + path.string() + "\n" : "";
}

}  // namespace

int tell_end(Session& session, app::Desk& desk, const std::string& run, engine::RunState state) {
  auto loaded = engine::load_run(*desk.journal, run);
  if (!loaded) return tell(loaded.error());
  const int code = exit_of(*loaded, state);
  if (session.job != nullptr) {
    tell(*session.job, outputs_of(run, *loaded, state));
    session.job->summary(summary_of(run, *loaded));
  }
  if (session.json) return code;
  if (state == engine::RunState::interrupted) {
    put(fmt::format("\nInterrupted; run {} can be resumed: belay resume {}\n{}", run, run,
                    left_behind(*loaded)));
  } else if (state == engine::RunState::waiting) {
    put(fmt::format("\nRun {} waits; it goes on with: belay resume {}\n", run, run));
  } else {
    auto text = ending_for_people(run, *loaded);
    text += report_line(desk, run);
    const auto width = static_cast<std::size_t>(session.terminal.width);
    put(fmt::format("{}exit {}\n", session.terminal.tty ? wrapped_text(text, width) : text, code));
  }
  return code;
}

namespace {

// The drive ended with an error. Something was begun: that is not "nothing changed".
int left_open(app::Desk& desk, const std::string& run, const Error& error) {
  const int code = tell(error);
  auto loaded = engine::load_run(*desk.journal, run);
  if (loaded && !loaded->history.ending.empty()) return code;
  std::fputs(
      fmt::format("Run {0} is not finished, and nobody drives it now. When the cause is mended: "
                  "belay resume {0}\n{1}",
                  run, loaded ? left_behind(*loaded) : "")
          .c_str(),
      stderr);
  return exit_interrupted;
}

bool driven_by_nobody(const app::Desk& desk, const std::string& run) {
  return desk.claims->is_free(run);
}

// Shows what others do with the run. None: nobody drives it any more, and it has not ended.
std::optional<int> follow(Session& session, app::Desk& desk, const std::string& run,
                          std::int64_t seen) {
  const Signals signals;  // before any thread, which would else take them
  Screen screen(session, desk.project.places,
                [](std::string_view text) { return std::string(text); });
  std::stop_source stop;
  const auto watching = signals.watch([&stop] { stop.request_stop(); });
  for (int idle = 0; !stop.stop_requested();) {
    auto head = desk.journal->head();
    auto loaded = engine::load_run(*desk.journal, run);
    if (!loaded) return tell(loaded.error());
    screen.quiet_until(seen);
    for (const auto& event : loaded->events) {
      if (event.seq > seen) screen.event(run, loaded->plan, event);
    }
    seen = loaded->history.last_seq;
    if (!loaded->history.ending.empty() || loaded->history.stopped) screen.rest();
    if (!loaded->history.ending.empty())
      return tell_end(session, desk, run, engine::RunState::finished);
    if (loaded->history.stopped)
      return tell_end(session, desk, run, engine::RunState::needs_person);
    idle = driven_by_nobody(desk, run) ? idle + 1 : 0;
    if (idle >= (agent_is_running(desk) ? idle_looks_with_agent : idle_looks)) {
      screen.rest();
      return std::nullopt;
    }
    auto grown = desk.journal->wait(head ? head->first : 0, follow_poll, stop.get_token());
    if (!grown && grown.error().fault != Fault::cancelled) return tell(grown.error());
  }
  screen.rest();
  put(fmt::format("\nNot following any more; the run goes on. To stop it: belay cancel {}\n", run));
  return exit_interrupted;
}

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
    const bool idle = !agent_is_running(desk) && desk.claims->is_free(lock.run);
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

// Drives until the run ends, waits, or is interrupted. The first signal lets the step in progress
// end, the second leaves at once.
Result<engine::RunState> drive_here(const Session& session, app::Desk& desk, const Signals& signals,
                                    engine::Runner& runner, Screen& screen, const std::string& run,
                                    std::int64_t seen, bool wait) {
  std::stop_source leave;
  for (;;) {
    std::stop_source stop;
    bool at_once = false;
    auto state = [&] {
      const auto by_signal = signals.watch([&] {
        at_once = leave.stop_requested();
        std::fputs(at_once ? "\nleaving at once; the run stays resumable\n"
                           : "\nstopping safely: the step in progress ends first, and no fence is "
                             "left standing; once more leaves at once\n",
                   stderr);
        if (at_once) stop.request_stop();
        leave.request_stop();
      });
      const auto by_cancel = watch_cancel(desk, run, seen, stop);
      const auto other = [&](const std::string& in_the_way) {
        take_back_other(session, desk, in_the_way, stop.get_token());
      };
      const auto say = [](const std::string& text) { std::fputs((text + "\n").c_str(), stderr); };
      return runner.drive(run, stop.get_token(), {wait, other, leave.get_token(), say});
    }();
    const bool by_cancel = stop.stop_requested() && !at_once;
    if (!state || *state != engine::RunState::interrupted || !by_cancel) return state;
    // Stopped by a cancel that is now in the journal: the run decides what that means.
    TRY_LET(auto again, engine::load_run(*desk.journal, run));
    seen = again.history.last_seq;
    screen.quiet_until(seen);
  }
}

// Whether the agent can be left to it; what it lacks is named.
bool agent_takes(app::Desk& desk, const pipeline::Plan& plan) {
  if (!agent_is_running(desk)) return false;
  auto could = agent_could_drive(desk, plan);
  if (could) return true;
  std::fputs((could.error().message() +
              "\nThe agent does not have it, so this command drives the run itself; `belay doctor` "
              "says how to give it to the agent.\n")
                 .c_str(),
             stderr);
  return false;
}

void say_taken_over(const std::string& run) {
  std::fputs(fmt::format("Nobody drives run {}; this command goes on with it.\n", run).c_str(),
             stderr);
}

// A cancel before anything was changed leaves nothing to do that would need more.
bool only_ends(const engine::Loaded& loaded) {
  return loaded.history.cancelled && !pipeline::changed(loaded.plan, loaded.history);
}

// To the end, or to where a person is needed. What happened before `quiet_until` was shown already.
int drive_or_follow_on(Session& session, app::Desk& desk, const std::string& run, bool wait,
                       std::int64_t quiet_until) {
  auto loaded = engine::load_run(*desk.journal, run);
  if (!loaded) return tell(loaded.error());
  tell_of_lock(desk, loaded->plan, run);
  if (agent_takes(desk, loaded->plan)) {
    if (const auto code = follow(session, desk, run, quiet_until)) return *code;
    say_taken_over(run);
  }
  const Signals signals;
  auto works =
      only_ends(*loaded) ? app::wire_bare(desk, loaded->plan) : wire_to_drive(desk, loaded->plan);
  if (!works) return tell(works.error());
  auto secrets = (*works)->secrets;
  desk.machine->hide(secrets);
  if (session.job != nullptr) {
    tell(*session.job, addresses((*works)->site));
    session.job->output("reports", desk.project.places.runs().string());
  }
  Screen screen(session, desk.project.places,
                [secrets](std::string_view text) { return secrets->mask(text); });
  screen.quiet_until(quiet_until);
  engine::Runner runner(*desk.journal, (*works)->steps, desk.world(), screen, *desk.claims);
  for (int tries = 1;; ++tries) {
    auto state =
        drive_here(session, desk, signals, runner, screen, run, loaded->history.last_seq, wait);
    screen.rest();
    if (state) return tell_end(session, desk, run, *state);
    if (state.error().fault != Fault::busy) return left_open(desk, run, state.error());
    // Somebody else, an agent most likely, was first; or only looked whether somebody drives.
    if (driven_by_nobody(desk, run)) {
      if (tries >= busy_tries) return left_open(desk, run, state.error());
      continue;
    }
    if (const auto code = follow(session, desk, run, quiet_until)) return *code;
    say_taken_over(run);
  }
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
