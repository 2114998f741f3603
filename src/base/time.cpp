// SPDX-License-Identifier: Apache-2.0
#include "base/time.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

namespace belay {

namespace chr = std::chrono;

namespace {

// Reads exactly `width` digits at `at`; nothing when they are not all digits.
std::optional<int> digits(std::string_view text, std::size_t at, std::size_t width) {
  if (at + width > text.size()) return std::nullopt;
  int value = 0;
  for (char c : text.substr(at, width)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

std::optional<TimePoint> compose(std::optional<int> year, std::optional<int> month,
                                 std::optional<int> day, std::optional<int> hour,
                                 std::optional<int> minute, std::optional<int> second) {
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const chr::year_month_day date{chr::year(*year), chr::month(static_cast<unsigned>(*month)),
                                 chr::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  return TimePoint(chr::sys_days(date)) + chr::hours(*hour) + chr::minutes(*minute) +
         chr::seconds(*second);
}

struct Parts {
  int year;
  unsigned month, day;
  chr::hh_mm_ss<Millis> clock;
};

Parts parts_of(TimePoint at) {
  const auto midnight = chr::floor<chr::days>(at);
  const chr::year_month_day date(midnight);
  return {int(date.year()), unsigned(date.month()), unsigned(date.day()),
          chr::hh_mm_ss<Millis>(at - midnight)};
}

// The fraction after the seconds; moves `at` behind it.
Millis fraction(std::string_view text, std::size_t& at) {
  if (at >= text.size() || text[at] != '.') return Millis(0);
  ++at;
  int scale = 100, millis = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10) {
    millis += (text[at] - '0') * scale;
  }
  return Millis(millis);
}

// "Z" or "+hh:mm"; nothing when the text does not end there.
std::optional<chr::minutes> offset(std::string_view rest) {
  if (rest == "Z" || rest == "z") return chr::minutes(0);
  if (rest.size() != 6 || (rest[0] != '+' && rest[0] != '-') || rest[3] != ':') return std::nullopt;
  const auto hours = digits(rest, 1, 2), minutes = digits(rest, 4, 2);
  if (!hours || !minutes) return std::nullopt;
  const auto value = chr::minutes(*hours * 60 + *minutes);
  return rest[0] == '-' ? -value : value;
}

struct Unit {
  std::string_view name;
  Millis length;
};
constexpr std::array<Unit, 5> units{{{"ms", Millis(1)},
                                     {"s", chr::seconds(1)},
                                     {"m", chr::minutes(1)},
                                     {"h", chr::hours(1)},
                                     {"d", chr::hours(24)}}};
constexpr Millis longest_duration = chr::hours(24 * 3650);

}  // namespace

std::string to_text(TimePoint at) {
  const auto p = parts_of(at);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", p.year, p.month, p.day,
                     p.clock.hours().count(), p.clock.minutes().count(), p.clock.seconds().count(),
                     p.clock.subseconds().count());
}

std::string time_of_day(TimePoint at) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(at);
  return to_text(at).substr(11, at == whole ? 8 : 12);
}

Result<TimePoint> parse_time(std::string_view text) {
  const auto bad = [&] {
    return fail(Fault::invalid,
                fmt::format("\"{}\" is not a time like 2026-11-23T10:15:00Z", text));
  };
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' ||
      (text[10] != 'T' && text[10] != ' ') || text[13] != ':' || text[16] != ':') {
    return bad();
  }
  auto at = compose(digits(text, 0, 4), digits(text, 5, 2), digits(text, 8, 2), digits(text, 11, 2),
                    digits(text, 14, 2), digits(text, 17, 2));
  std::size_t rest = 19;
  const Millis millis = fraction(text, rest);
  const auto zone = offset(text.substr(rest));
  if (!at || !zone) return bad();
  return *at + millis - *zone;
}

std::string to_tag_stamp(TimePoint at) {
  const auto p = parts_of(at);
  return fmt::format("{:04}{:02}{:02}-{:02}{:02}{:02}", p.year, p.month, p.day,
                     p.clock.hours().count(), p.clock.minutes().count(), p.clock.seconds().count());
}

Result<TimePoint> parse_tag_stamp(std::string_view text) {
  if (text.size() == 15 && text[8] == '-') {
    if (auto at = compose(digits(text, 0, 4), digits(text, 4, 2), digits(text, 6, 2),
                          digits(text, 9, 2), digits(text, 11, 2), digits(text, 13, 2))) {
      return *at;
    }
  }
  return fail(Fault::invalid, fmt::format("\"{}\" is not a stamp YYYYMMDD-HHMMSS", text));
}

Result<Millis> parse_duration(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return fail(
        Fault::invalid,
        fmt::format("\"{}\" is not a duration ({}); write 500ms, 60s, 5m, 24h or 30d", text, why));
  };
  Millis total{0};
  std::string_view rest = text;
  if (rest.empty()) return bad("empty");
  while (!rest.empty()) {
    std::int64_t count = 0;
    const auto [end, code] = std::from_chars(rest.data(), rest.data() + rest.size(), count);
    if (code != std::errc() || count < 0) return bad("a number is missing or too large");
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const auto length = std::min(rest.find_first_of("0123456789"), rest.size());
    const auto name = rest.substr(0, length);
    const auto unit =
        std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == name; });
    if (unit == units.end()) return bad(name.empty() ? "its unit is missing" : "unknown unit");
    if (count > longest_duration / unit->length) return bad("longer than ten years");
    total += count * unit->length;
    rest.remove_prefix(length);
  }
  if (total > longest_duration) return bad("longer than ten years");
  return total;
}

std::string to_text(Millis duration) {
  if (duration.count() == 0) return "0s";
  for (auto unit = units.rbegin(); unit != units.rend(); ++unit) {
    if (duration % unit->length == Millis(0)) {
      return fmt::format("{}{}", duration / unit->length, unit->name);
    }
  }
  return fmt::format("{}ms", duration.count());
}

std::string for_people(Millis duration) {
  const auto ms = duration.count();
  if (ms < 60'000) return fmt::format("{:.1f} s", static_cast<double>(ms) / 1000.0);
  const auto seconds = (ms + 500) / 1000;
  if (seconds < 3600) {
    return seconds % 60 == 0 ? fmt::format("{} min", seconds / 60)
                             : fmt::format("{} min {} s", seconds / 60, seconds % 60);
  }
  const auto minutes = seconds / 60;
  if (minutes < 2880) {  // two days
    return minutes % 60 == 0 ? fmt::format("{} h", minutes / 60)
                             : fmt::format("{} h {} min", minutes / 60, minutes % 60);
  }
  return fmt::format("{} days", minutes / 1440);
}

}  // namespace belay
