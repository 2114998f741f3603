// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "vault/rewind.hpp"

namespace belay::vault {

namespace {

Millis days(int count) {
  return std::chrono::hours(24) * count;
}

constexpr std::string_view salvages_prefix = "salvage/", index_mark = "/index", end_mark = "/done";

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

std::vector<std::string> expired_salvages(const std::vector<SalvageSummary>& salvages, int age,
                                          TimePoint now) {
  std::vector<std::string> out;
  for (const auto& salvage : salvages) {
    // An unfinished one is what its rewind goes on with; a damaged one is evidence.
    const bool stays = !salvage.finished || !salvage.damaged.empty();
    if (!stays && now - salvage.at > days(age)) out.push_back(salvage.name);
  }
  return out;
}

namespace {

// What the store's lock keeps stays for now, and goes the next time.
Result<bool> removed(Vault& vault, const std::string& object) {
  auto gone = vault.remove_sealed(object);
  if (!gone && gone.error().fault == Fault::busy) return false;
  TRY(std::move(gone));
  return true;
}

}  // namespace

// The index goes first, so that there is no salvage any more; the mark of its end last, so that
// what a kill leaves is known for what it is, and not taken for a salvage that is being written.
Status forget_salvages(Vault& vault, const std::vector<std::string>& names) {
  TRY_LET(const auto objects, vault.list_sealed(std::string(salvages_prefix)));
  const std::set<std::string> there(objects.begin(), objects.end());
  std::set<std::string> gone(names.begin(), names.end());
  for (const auto& object : objects) {
    if (!object.ends_with(end_mark)) continue;
    const auto folder = object.substr(0, object.size() - end_mark.size());
    if (!there.contains(folder + std::string(index_mark)))
      gone.insert(folder.substr(salvages_prefix.size()));
  }
  for (const auto& name : gone) {
    const auto folder = std::string(salvages_prefix) + name;
    TRY_LET(bool all, removed(vault, folder + std::string(index_mark)));
    for (const auto& object : objects) {
      if (!all) break;
      if (object.starts_with(folder + "/") && !object.ends_with(end_mark)) {
        TRY_LET(all, removed(vault, object));
      }
    }
    if (all) TRY(removed(vault, folder + std::string(end_mark)));
  }
  return {};
}

}  // namespace belay::vault
