// SPDX-License-Identifier: Apache-2.0
// The trouble a fake makes: which call, which time, what kind. Counted per name of a call; safe
// from many threads.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace belay::fake {

enum class Trouble {
  none,
  fail,        // nothing is done: Effect::none, and it says so
  hang,        // nothing is done; waits for the stop token or let_go()
  lose_reply,  // it is done, and the answer is an error with Effect::unknown
  lie,         // nothing is done, and the answer is the usual success
};

class FaultPlan {
 public:
  // The nth call of `name` from now on (1 is the next one) has this trouble.
  void on(const std::string& name, Trouble trouble, int nth = 1) {
    std::lock_guard guard(lock_);
    planned_[name][counts_[name] + nth] = trouble;
  }
  // Every call from now on, until always(name, Trouble::none).
  void always(const std::string& name, Trouble trouble) {
    std::lock_guard guard(lock_);
    standing_[name] = trouble;
  }
  // Called right before and right after each effect; may throw to play the process's death.
  std::function<void(const std::string& name, bool done)> hook;
  // Every call so far, in order.
  std::vector<std::string> calls() const {
    std::lock_guard guard(lock_);
    return calls_;
  }
  int count(const std::string& name) const {
    std::lock_guard guard(lock_);
    const auto found = counts_.find(name);
    return found == counts_.end() ? 0 : found->second;
  }
  // Ends every hanging call: they fail.
  void let_go() {
    std::lock_guard guard(lock_);
    ++released_;
    changed_.notify_all();
  }

  // Runs `effect` under the plan; `lied` is the answer of a lie.
  template <class Answer>
  Answer act(const std::string& name, std::stop_token stop, const std::function<Answer()>& effect,
             Answer lied) {
    const Trouble trouble = next(name);
    if (trouble == Trouble::fail) return fail_(name);
    if (trouble == Trouble::lie) return lied;
    if (trouble == Trouble::hang) return hang(name, stop);
    if (hook) hook(name, false);
    Answer answer = effect();
    if (hook) hook(name, true);
    if (trouble == Trouble::lose_reply) {
      return unknown_effect(Fault::timeout, name + ": the reply was lost");
    }
    return answer;
  }

 private:
  Trouble next(const std::string& name) {
    std::lock_guard guard(lock_);
    calls_.push_back(name);
    const int nth = ++counts_[name];
    const auto& planned = planned_[name];
    if (const auto found = planned.find(nth); found != planned.end()) return found->second;
    const auto standing = standing_.find(name);
    return standing == standing_.end() ? Trouble::none : standing->second;
  }
  Error hang(const std::string& name, std::stop_token stop) {
    std::unique_lock guard(lock_);
    const int before = released_;
    changed_.wait(guard, stop, [&] { return released_ != before; });
    if (stop.stop_requested()) return fail(Fault::cancelled, name + ": stopped while it hung");
    return fail_(name);
  }
  static Error fail_(const std::string& name) {
    return fail(Fault::unreachable, name + ": failed as planned by the test");
  }

  mutable std::mutex lock_;
  std::condition_variable_any changed_;
  std::map<std::string, std::map<int, Trouble>> planned_;
  std::map<std::string, Trouble> standing_;
  std::map<std::string, int> counts_;
  std::vector<std::string> calls_;
  int released_ = 0;
};

}  // namespace belay::fake
