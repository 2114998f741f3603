// SPDX-License-Identifier: Apache-2.0
// What the targets on hosted platforms have in common.
#pragma once

#include "base/json.hpp"
#include "base/time.hpp"
#include "net/patience.hpp"

namespace belay::target {

inline constexpr std::size_t largest_answer = std::size_t{64} << 20;
inline constexpr Millis request_timeout = std::chrono::seconds(60);

// What was made although nobody said so may be shown a little later: so many looks, so far apart.
inline constexpr int looks_for_lost = 5;
inline constexpr Millis between_looks = std::chrono::seconds(2);

// What a platform answers is looked at with these only: nothing that is missing, or of another
// kind, throws. Null when it is not there.
const Json& member_in(const Json& json, const char* member);
// "" when it is not there, or no text; false when it is not true.
std::string text_in(const Json& json, const char* member);
bool flag_in(const Json& json, const char* member);

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

// For orders that must not be given twice: sent again only where the platform says that it did
// nothing (429).
Result<net::Response> ask_once(net::Client& client, const net::Request& request,
                               const net::Patience& patience, Clock& clock, Random& random,
                               const std::stop_token& stop);

}  // namespace belay::target
