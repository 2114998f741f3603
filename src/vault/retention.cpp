// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "vault/vault.hpp"

namespace belay::vault {

namespace {

Millis days(int count) {
  return std::chrono::hours(24) * count;
}

bool is_safety(const PointSummary& point) {
  return point.kind == "safety";
}

}  // namespace

std::vector<std::string> expired(const std::vector<PointSummary>& points, const Keep& keep,
                                 TimePoint now, const std::vector<std::string>& protected_names) {
  std::vector<PointSummary> newest_first = points;
  std::stable_sort(newest_first.begin(), newest_first.end(),
                   [](const auto& a, const auto& b) { return a.finished > b.finished; });
  const std::set<std::string> kept(protected_names.begin(), protected_names.end());
  std::vector<std::string> out;
  int seen = 0;
  for (const auto& point : newest_first) {
    // Damaged ones are evidence, and their times are unknown.
    if (point.kind == "damaged") continue;
    const Millis age = now - point.finished;
    const bool stays = is_safety(point) ? age <= days(keep.safety_days)
                                        : seen++ < keep.last || age <= days(keep.days);
    if (!stays && !kept.contains(point.name)) out.push_back(point.name);
  }
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace belay::vault
