// SPDX-License-Identifier: Apache-2.0
// Points in time as HTTP writes them (RFC 9110, section 5.6.7).
#pragma once

#include <optional>
#include <string>

#include "base/time.hpp"

namespace belay::net {

// "Mon, 05 Jan 2026 00:00:00 GMT"
std::string http_date(TimePoint at);
// Also the two older forms that a server may still send; nothing for other text.
std::optional<TimePoint> parse_http_date(const std::string& text);

}  // namespace belay::net
