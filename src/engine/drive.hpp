// SPDX-License-Identifier: Apache-2.0
// One process driving one run: what runner.hpp promises, in two parts. drive.cpp decides and keeps
// the journal's view; attempt.cpp performs steps and finds out about those whose end is not known.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>

#include "engine/children_elsewhere.hpp"
#include "engine/runner.hpp"
#include "pipeline/decide.hpp"

namespace belay::engine {

std::string attempt_key(const std::string& run, const std::string& step, int attempt);
Json outcome_body(const std::string& step, int attempt, Millis took, const Result<Json>& result,
                  bool adopted);

// Its view of the run is reloaded after each append by others.
class Drive {
 public:
  Drive(journal::Journal& journal, const StepTable& steps, World& world, Reporter& reporter,
        Claims& claims, std::string run, std::stop_token stop, DriveOptions options)
      : journal_(journal),
        steps_(steps),
        children_(world.children),
        world_{world.clock, world.random, world.executor, children_},
        reporter_(reporter),
        claims_(claims),
        run_(std::move(run)),
        stop_(std::move(stop)),
        options_(std::move(options)) {}

  Result<RunState> go(const std::string& me);

 private:
  using Turn = Result<std::optional<RunState>>;  // none: decide again
  static Turn again() { return std::optional<RunState>{}; }

  Turn act(const pipeline::Perform& next);
  Turn act(const pipeline::Resolve& next);
  Turn act(const pipeline::OpenGate& next);
  Turn act(const pipeline::PassGate& next);
  Turn act(const pipeline::TakeLock& next);
  Turn act(const pipeline::Wait& next);
  Turn act(const pipeline::GoBack& next);
  Turn act(const pipeline::Stop& next);
  Turn act(const pipeline::Finish& next);
  Turn act(const pipeline::Ended& next);
  Turn finish(const std::string& ending, const std::string& text);
  // Tells people what the run's event `seq` calls for, once, whoever drives and whenever. False:
  // they were told before.
  Result<bool> announce(const std::string& about, std::int64_t seq, const std::string& text);
  // The same for those who follow runs; `ending` with about "ended".
  Status follow(const std::string& about, std::int64_t seq, const std::string& text,
                const std::string& ending = {});
  Result<bool> tell(const pipeline::Step& news, std::int64_t seq);
  // Asks for votes that are given elsewhere, and records those that count. None: nothing new.
  Result<std::optional<Turn>> gather();
  Result<bool> record(const Json& votes);
  Result<std::string> take_over();
  Turn wait_for_lock(const std::string& step, const std::string& what);
  bool leaving(const pipeline::Next& next) const;
  Turn pause(const pipeline::Wait& next, std::int64_t head, Millis at_most = std::chrono::hours(1));

  const pipeline::History& history() const { return loaded_.history; }
  Status refresh();
  Status refresh_locked();
  Status take_in_others();
  // An event that is true whatever others append meanwhile: an outcome, a claim. Steps that end
  // side by side share a commit.
  Status append(std::vector<journal::NewEvent> events);
  // An event that was decided on by what had been seen. When the run went on meanwhile it is not
  // appended, and the next decision is made on what is there now.
  Result<bool> decided(std::vector<journal::NewEvent> events);

  StepContext context(const pipeline::Step& step, int attempt, Json baseline,
                      const pipeline::History& seen);
  StepKind& kind(const pipeline::Step& step) { return *steps_.at(step.kind); }
  // We were stopped: the attempt stays open, a later drive resolves it.
  template <class T>
  bool interrupted(const Result<T>& result) const {
    return stop_.stop_requested() && result.error().fault == Fault::cancelled;
  }

  struct Attempt {
    StepContext context;
    bool anew = false;      // a second try within this act: there is no third
    std::string lost = {};  // the error whose effect was not known
  };
  Turn all(std::vector<Attempt>& attempts, const std::function<Status(Attempt&)>& each);
  Status guarded(Attempt& one, const std::function<Status(Attempt&)>& each);
  Status perform(Attempt& one);
  Status ask(Attempt& one, Millis since, const Error& lost);
  Status resolve(Attempt& one);
  Status cannot_end(const StepContext& one, const Error& error);
  TimePoint tried_at(const StepContext& one) const;
  Status settle(Attempt& one, Millis since, const Checked& checked);
  Status finish_adopted(const StepContext& one, Millis since);
  Status perform_anew(Attempt& one, Millis since);
  Status outcome(const StepContext& one, Millis since, const Result<Json>& result, bool adopted);

  struct Fact {
    std::vector<journal::NewEvent> events;
    Status status = {};
    bool done = false;
  };
  Status write(const std::vector<Fact*>& facts);

  journal::Journal& journal_;
  const StepTable& steps_;
  ChildrenElsewhere children_;
  World world_;
  Reporter& reporter_;
  Claims& claims_;
  std::string run_;
  std::stop_token stop_;
  DriveOptions options_;
  std::mutex mutex_;  // guards loaded_ and seen_ while steps run side by side
  Loaded loaded_;
  std::int64_t seen_ = 0;
  std::int64_t claimed_ = 0;  // what was seen when we took the run
  std::mutex facts_mutex_;
  std::condition_variable written_;
  std::vector<Fact*> facts_;  // that wait to be written
  bool writing_ = false;
  std::string told_;
  std::set<std::string> said_;  // about votes that do not count
};

}  // namespace belay::engine
