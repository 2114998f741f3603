// SPDX-License-Identifier: Apache-2.0
// Points in time and durations as text. All times are UTC, to the millisecond.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace belay {

using Millis = std::chrono::milliseconds;
using TimePoint = std::chrono::sys_time<Millis>;

// "2026-11-23T10:15:00.481Z" (RFC 3339). parse_time also takes second precision and offsets.
std::string to_text(TimePoint at);
Result<TimePoint> parse_time(std::string_view text);

// "10:15:00.481" (UTC); "10:15:00" where it is a whole second, as the clocks of databases tell it.
std::string time_of_day(TimePoint at);

// "20261123-101500": the form of release tags.
std::string to_tag_stamp(TimePoint at);
Result<TimePoint> parse_tag_stamp(std::string_view text);

// "250ms", "60s", "5m", "24h", "30d", "1h30m". A bare number is refused: it has no unit.
Result<Millis> parse_duration(std::string_view text);
// The shortest exact form parse_duration reads back: "5m", "90s", "250ms".
std::string to_text(Millis duration);
// For people: "0.2 s", "13.8 s", "5 min 12 s", "3 h 2 min".
std::string for_people(Millis duration);

}  // namespace belay
