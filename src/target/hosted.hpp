// SPDX-License-Identifier: Apache-2.0
// What the targets on hosted platforms have in common.
#pragma once

#include "base/json.hpp"
#include "base/time.hpp"
#include "net/patience.hpp"
#include "target/target.hpp"

namespace belay::target {

inline constexpr std::size_t largest_answer = std::size_t{64} << 20;
inline constexpr Millis request_timeout = std::chrono::seconds(60);

// What was made although nobody said so may be shown a little later: so many looks, so far apart.
inline constexpr int looks_for_lost = 5;
inline constexpr Millis between_looks = std::chrono::seconds(2);

// Looking again and again at something that takes long: quick at first, then patient.
class LongWait {
 public:
  LongWait(Clock& clock, Millis limit) : clock_(clock), limit_(limit), begun_(clock.steady()) {}

  bool over() const { return clock_.steady() - begun_ > limit_; }
  // Until the next look. False when it was stopped.
  bool pause(const std::stop_token& stop) const;

 private:
  Clock& clock_;
  Millis limit_, begun_;
};

// A platform's variables by name; without a value where it shows none.
using Shown = std::map<std::string, std::optional<Secret>>;
VariableNames beside(const Shown& shown, const Environment& wanted);
// After they were set: looks a few times. unreachable, its effect unknown, naming those that the
// platform goes on showing with another value.
Status until_shown(const std::function<Result<VariableNames>()>& look, Clock& clock,
                   const char* platform, const std::stop_token& stop);

}  // namespace belay::target
