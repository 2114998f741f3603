// SPDX-License-Identifier: Apache-2.0
// belay agent: drives unfinished runs and timers in the background, resumes after a crash or a
// reboot, and stops what was kept warm long enough.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>

#include <atomic>
#include <thread>

#include "app/upkeep.hpp"
#include "cli/session.hpp"

namespace belay::cli {

namespace {

constexpr Millis look_every = std::chrono::seconds(1);
constexpr Millis upkeep_every = std::chrono::seconds(10);

struct Driven {  // a run that this agent is at work on
  std::stop_source stop;
  std::jthread thread;
  std::string trouble;  // set before `ended`
  std::atomic<bool> ended{false};
};

void say(const std::string& text) {
  const auto now = std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now());
  put(to_text(now) + " " + text + "\n");
}

// Empty, or what stood in the way.
std::string drive(const Session& session, app::Desk& desk, const std::string& run,
                  std::stop_token stop) {
  auto loaded = engine::load_run(*desk.journal, run);
  if (!loaded) return "run " + run + ": " + loaded.error().message();
  auto works = wire_to_drive(desk, loaded->plan);
  if (!works)
    return "run " + run + " cannot start: " + works.error().message() +
           "; give it to the agent with `secrets:` in belay.yaml, or drive the run yourself: belay "
           "resume " +
           run;
  auto secrets = (*works)->secrets;
  desk.machine->hide(secrets);
  Screen screen(session, desk.project.places,
                [secrets](std::string_view text) { return secrets->mask(text); });
  engine::Runner runner(*desk.journal, (*works)->steps, desk.world(), screen, *desk.claims);
  auto state = runner.drive(run, stop, {true});
  // Busy: a command drives it itself.
  if (state || state.error().fault == Fault::busy) return {};
  return "run " + run + ": " + state.error().message();
}

// What one run meets is that run's trouble: the others go on.
std::string drive_guarded(const Session& session, app::Desk& desk, const std::string& run,
                          std::stop_token stop) {
  try {
    return drive(session, desk, run, std::move(stop));
  } catch (const std::exception& e) {
    return "run " + run + ": " + e.what() + "; it goes on when that is mended, with the agent or " +
           "with: belay resume " + run;
  }
}

// With the file as it is now: an agent lives longer than an edition of belay.yaml.
void upkeep(const app::Project& since_start, World& world, std::set<std::string>& told) {
  const auto trouble = [&](const std::string& text) {
    if (told.insert(text).second) say(text);
  };
  if (auto alive = app::revive(since_start.places, world); !alive) trouble(alive.error().message());
  auto project = app::load_project(since_start.file, since_start.folder, since_start.env);
  if (!project) return trouble(project.error().message());
  auto desk = app::open_desk(std::move(*project));
  if (!desk) return trouble(desk.error().message());
  for (const auto& env : (*desk)->project.spec.environments) {
    auto stopped = app::stop_the_cold(**desk, env.name);
    if (!stopped) trouble(env.name + ": " + stopped.error().message());
    for (const auto& one : stopped ? *stopped : std::vector<std::string>{})
      say(env.name + ": " + one + " was kept warm long enough and is stopped");
  }
}

// A person is needed, and people were told so.
bool rests(const pipeline::History& history) {
  return history.stopped && history.told_of.contains(history.stopped_seq);
}

class Agent {
 public:
  Agent(Session& session, app::Desk& desk) : session_(session), desk_(desk) {}

  void work(std::stop_token stop) {
    std::int64_t seen = 0;
    while (!stop.stop_requested()) {
      if (desk_.world().clock.steady() >= next_upkeep_) {
        upkeep(desk_.project, desk_.world(), told_);
        next_upkeep_ = desk_.world().clock.steady() + upkeep_every;
      }
      take_up();
      pass_on_cancels(seen);
      auto grown = desk_.journal->wait(seen, look_every, stop);
      if (!grown && grown.error().fault != Fault::cancelled) say(grown.error().message());
    }
    for (auto& [run, driven] : driven_) driven->stop.request_stop();
  }

 private:
  void take_up() {
    std::erase_if(driven_, [this](const auto& one) {
      if (!one.second->ended.load()) return false;
      const auto& text = one.second->trouble;
      if (!text.empty() && told_.insert(text).second) say(text);
      return true;
    });
    auto rows = desk_.journal->open_runs();
    for (const auto& row : rows ? *rows : std::vector<journal::RunRow>{}) {
      if (driven_.contains(row.run)) continue;
      auto loaded = engine::load_run(*desk_.journal, row.run);
      if (!loaded || rests(loaded->history)) continue;
      auto driven = std::make_unique<Driven>();
      auto* one = driven.get();
      one->thread = std::jthread([this, run = row.run, one] {
        one->trouble = drive_guarded(session_, desk_, run, one->stop.get_token());
        one->ended = true;
      });
      driven_.emplace(row.run, std::move(driven));
    }
  }

  void pass_on_cancels(std::int64_t& seen) {
    auto events = desk_.journal->tail(seen, 1000);
    for (const auto& event : events ? *events : std::vector<journal::Event>{}) {
      seen = event.id;
      const auto at = driven_.find(event.run);
      if (event.kind == "cancel.requested" && at != driven_.end()) at->second->stop.request_stop();
    }
  }

  Session& session_;
  app::Desk& desk_;
  std::map<std::string, std::unique_ptr<Driven>> driven_;
  std::set<std::string> told_;  // a trouble that lasts is told once
  Millis next_upkeep_{0};
};

// A file with faults keeps no application down.
void revive_all_the_same(const Session& session) {
  auto places = app::places_despite_faults(session.file, session.here, session.env);
  if (!places) return;
  app::Machine machine(places->children());
  if (auto alive = app::revive(*places, machine.world()); !alive) say(alive.error().message());
}

int agent(Session& session, const Args&) {
  auto project = app::load_project(session.file, session.here, session.env);
  if (!project) {
    revive_all_the_same(session);
    return tell(project.error());
  }
  auto desk = app::open_desk(std::move(project).value());
  if (!desk) return tell(desk.error());
  const Path path = (*desk)->project.places.agent_lock();
  Fd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return tell(errno_error(errno, "cannot open " + path.string()));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    return tell(fail(Fault::busy, "another agent is at work for " + (*desk)->project.spec.project),
                exit_busy);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  sigset_t ends{};
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  say("agent for " + (*desk)->project.spec.project + ", state in " +
      (*desk)->project.places.state.string());
  Agent worker(session, **desk);
  std::jthread thread([&](std::stop_token stop) { worker.work(stop); });
  int signal = 0;
  sigwait(&ends, &signal);
  say("ending; unfinished runs go on with the next agent");
  return exit_done;
}

}  // namespace

Command agent_command() {
  return {"agent",           "drive runs and timers in the background", "", 0, 0, {}, agent,
          manual_of("agent")};
}

}  // namespace belay::cli
