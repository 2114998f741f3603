// SPDX-License-Identifier: Apache-2.0
// A world for tests: time moved by hand, randomness from a seed, work one after the other, children
// that are functions. All of it may be used from several threads.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/world.hpp"

namespace belay {

// Stands still but for sleep() and the test. A sleep takes no time: it moves the clock.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(TimePoint now = TimePoint(std::chrono::sys_days(std::chrono::year(2026) / 11 /
                                                                     23)));

  TimePoint now() const override;
  Millis steady() const override;
  // False at once, and without moving the clock, when stopped before. Ends the program after a
  // million sleeps: a loop that waits for what never comes.
  bool sleep(Millis duration, std::stop_token stop) override;

  void advance(Millis by);  // both clocks
  void jump(Millis by);     // the wall clock only, also backwards
  // Called in each sleep, before the clock moves: where a test lets other things happen meanwhile.
  void on_sleep(std::function<void(Millis)> hook);
  Millis slept() const;

 private:
  mutable std::mutex mutex_;
  TimePoint now_;
  Millis steady_{0}, slept_{0};
  int sleeps_ = 0;
  std::function<void(Millis)> hook_;
};

// The same numbers for the same seed, on every machine.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed = 1) : state_(seed) {}
  std::uint64_t next() override;

 private:
  std::mutex mutex_;
  std::uint64_t state_;
};

// One after the other, in the caller's thread, in the order given or in a seeded one.
class SerialExecutor final : public Executor {
 public:
  SerialExecutor() = default;
  explicit SerialExecutor(Random& order) : order_(&order) {}
  void run_all(std::vector<std::function<void()>> work) override;

 private:
  Random* order_ = nullptr;
};

// A child is a function that is called when somebody waits for it (or by complete()). Until then it
// is running. It survives the engine that started it, as real ones do: keep the FakeChildren.
class FakeChildren final : public Children {
 public:
  using Say = std::function<void(std::string_view)>;
  using Script = std::function<ChildStatus(const ChildSpec&, const Say&)>;

  // For the key, or for all keys that contain the text when none has the whole key. Without a
  // script a child ends with status 0 and says nothing.
  void script(const std::string& key, Script script);
  // Ends with this status after saying `output`.
  void script(const std::string& key, int status, std::string output = {});
  void refuse_start(const std::string& key, Error error);  // once; nothing is started

  void complete(const std::string& key);  // runs its script now
  // The supervisor and its child are gone without a word.
  void lose(const std::string& key);
  void lose_all_running();  // the host went down

  int starts(const std::string& key) const;      // how often start() succeeded, also after forget()
  std::vector<ChildSpec> started() const;        // in order
  std::vector<std::string> ended_by_us() const;  // keys given to end() while running

  Status start(const ChildSpec& spec) override;
  Result<ChildStatus> look(const std::string& key) override;
  Result<ChildStatus> wait(const std::string& key,
                           const std::function<void(std::string_view)>& output,
                           std::stop_token stop) override;
  Status end(const std::string& key, Millis grace) override;
  Result<std::string> output(const std::string& key) override;
  Status keep(const std::string& key, std::string_view output) override;
  Status forget(const std::string& key) override;

 private:
  struct Child {
    ChildSpec spec;
    ChildStatus status{ChildState::running};
    std::string output;
  };
  Script script_for(const std::string& key) const;

  mutable std::mutex mutex_;
  std::map<std::string, Script> scripts_;
  std::map<std::string, Error> refused_;
  std::map<std::string, Child> children_;
  std::vector<ChildSpec> started_;
  std::vector<std::string> ended_;
};

struct FakeWorld {
  FakeClock clock;
  SeededRandom random;
  SerialExecutor executor;
  FakeChildren children;
  World world() { return {clock, random, executor, children}; }
};

}  // namespace belay
