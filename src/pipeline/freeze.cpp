// SPDX-License-Identifier: Apache-2.0
#include "pipeline/freeze.hpp"

#include <date/tz.h>
#include <fmt/format.h>

#include <array>
#include <cctype>

#include "base/text.hpp"

namespace belay::pipeline {

namespace {

using Minutes = std::chrono::minutes;
constexpr Minutes week = std::chrono::hours(7 * 24);

std::optional<int> weekday(std::string_view name) {
  constexpr std::array<std::string_view, 7> days{"monday", "tuesday",  "wednesday", "thursday",
                                                 "friday", "saturday", "sunday"};
  std::string small(name);
  for (auto& c : small) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (std::size_t i = 0; i < days.size(); ++i) {
    if (small == days[i] || small == days[i].substr(0, 3)) return static_cast<int>(i);
  }
  return std::nullopt;
}

std::optional<Minutes> time_of_day(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  for (const std::size_t i : {0U, 1U, 3U, 4U}) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
  }
  const int hours = (text[0] - '0') * 10 + (text[1] - '0');
  const int minutes = (text[3] - '0') * 10 + (text[4] - '0');
  // 24:00 is the end of the day, as people write it.
  if (minutes > 59 || hours > 24 || (hours == 24 && minutes != 0)) return std::nullopt;
  return Minutes(hours * 60 + minutes);
}

// Minutes since Monday 00:00, local.
std::optional<Minutes> in_week(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto day = weekday(text.substr(0, space));
  const auto time = time_of_day(text.substr(space + 1));
  if (!day || !time) return std::nullopt;
  return (std::chrono::hours(24 * *day) + *time) % week;
}

const date::time_zone* zone_named(const std::string& name) {
  try {
    return name.empty() ? nullptr : date::locate_zone(name);
  } catch (const std::exception&) {
    return nullptr;
  }
}

TimePoint moment(const date::time_zone& zone, date::local_time<Minutes> local, bool begins) {
  const date::local_info info = zone.get_info(local);
  if (info.result == date::local_info::nonexistent) {
    return std::chrono::time_point_cast<Millis>(info.first.end);
  }
  const bool second = info.result == date::local_info::ambiguous && !begins;
  const auto offset = second ? info.second.offset : info.first.offset;
  return TimePoint(std::chrono::duration_cast<Millis>(local.time_since_epoch()) -
                   std::chrono::duration_cast<Millis>(offset));
}

// When this window, covering `now`, ends.
std::optional<TimePoint> end_of(const Freeze& window, TimePoint now) {
  const auto* zone = zone_named(window.zone);
  const auto from = in_week(window.from), to = in_week(window.to);
  if (zone == nullptr || !from || !to) return std::nullopt;
  const Minutes span = (*to - *from + week) % week;
  const auto today = date::floor<date::days>(zone->to_local(now));
  const auto since_monday = date::weekday(today) - date::Monday;
  const date::local_time<Minutes> monday(today - since_monday);
  for (const int weeks : {-1, 0, 1}) {
    const auto begins = monday + weeks * week + *from;
    const auto end = moment(*zone, begins + span, false);
    if (moment(*zone, begins, true) <= now && now < end) return end;
  }
  return std::nullopt;
}

}  // namespace

std::optional<FreezeHit> in_freeze(const std::vector<Freeze>& windows, TimePoint now) {
  for (const auto& window : windows) {
    if (!defects(window).empty()) return FreezeHit{window, now + std::chrono::hours(1)};
  }
  std::optional<FreezeHit> hit;
  const TimePoint horizon = now + std::chrono::hours(24 * 366);
  // A window's end may lie in the next one.
  for (bool moved = true; moved && (!hit || hit->until < horizon);) {
    moved = false;
    for (const auto& window : windows) {
      const auto end = end_of(window, hit ? hit->until : now);
      if (!end || (hit && *end <= hit->until)) continue;
      hit = FreezeHit{window, *end};
      moved = true;
    }
  }
  return hit;
}

std::vector<FreezeDefect> defects(const Freeze& window) {
  std::vector<FreezeDefect> found;
  for (const auto& [member, text] : {std::pair("from", window.from), std::pair("to", window.to)}) {
    if (in_week(text)) continue;
    found.push_back(
        {member, fmt::format("\"{}\" is not a day and a time; write \"Fri 16:00\"", text)});
  }
  if (found.empty() && in_week(window.from) == in_week(window.to)) {
    found.push_back({"to", "the window ends at the moment it begins"});
  }
  if (zone_named(window.zone) == nullptr) {
    found.push_back({"zone", fmt::format("no time zone is called \"{}\"; write one like "
                                         "Europe/Paris, America/New_York or UTC",
                                         window.zone)});
  }
  return found;
}

Json to_json(const std::vector<Freeze>& windows) {
  Json list = Json::array();
  for (const auto& w : windows) list.push_back({{"from", w.from}, {"to", w.to}, {"zone", w.zone}});
  return list;
}

Result<std::vector<Freeze>> freeze_from_json(const Json& json) {
  std::vector<Freeze> windows;
  try {
    for (const auto& each : json) {
      windows.push_back({each.at("from").get<std::string>(), each.at("to").get<std::string>(),
                         each.at("zone").get<std::string>()});
      if (in_week(windows.back().from) && in_week(windows.back().to)) continue;
      return fail(Fault::invalid, fmt::format("the freeze window {} cannot be read", each.dump()));
    }
  } catch (const Json::exception& e) {
    return fail(Fault::invalid, fmt::format("the freeze windows cannot be read: {}", e.what()));
  }
  return windows;
}

}  // namespace belay::pipeline
