// SPDX-License-Identifier: Apache-2.0
// Freeze windows: every week from one local time to another, in a time zone. A clock change never
// makes a window shorter: a time that a change skips is the moment of the change, and of a time
// that happens twice the window takes the first to begin and the second to end.
#pragma once

#include <optional>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "pipeline/spec.hpp"

namespace belay::pipeline {

struct FreezeHit {
  Freeze window;      // the one that lasts longest
  TimePoint until{};  // the first moment outside of all windows
};

// Nothing when no window covers `now`. Windows that touch or overlap are followed to the end of the
// last; a year of them is reported as a year. A window that cannot be read here (a zone that this
// machine does not know) holds for an hour and is asked again: unknown is never "go".
std::optional<FreezeHit> in_freeze(const std::vector<Freeze>& windows, TimePoint now);

// What is wrong with a window, each with its member: "from", "to", "zone", or "" for the whole.
struct FreezeDefect {
  std::string member, text;
};
std::vector<FreezeDefect> defects(const Freeze& window);

// {"from", "to", "zone"} each. invalid when a member is missing or no window can be made of it.
Json to_json(const std::vector<Freeze>& windows);
Result<std::vector<Freeze>> freeze_from_json(const Json& json);

}  // namespace belay::pipeline
