// SPDX-License-Identifier: Apache-2.0
#include "net/date.hpp"

#include <curl/curl.h>

#include <array>

namespace belay::net {

namespace chr = std::chrono;

std::string http_date(TimePoint at) {
  constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto midnight = chr::floor<chr::days>(at);
  const chr::year_month_day date(midnight);
  const chr::hh_mm_ss clock(chr::floor<chr::seconds>(at - midnight));
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                     days[chr::weekday(midnight).c_encoding()], unsigned(date.day()),
                     months[unsigned(date.month()) - 1], int(date.year()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

std::optional<TimePoint> parse_http_date(const std::string& text) {
  const auto seconds = curl_getdate(text.c_str(), nullptr);
  if (seconds < 0) return std::nullopt;
  return TimePoint(chr::seconds(seconds));
}

}  // namespace belay::net
