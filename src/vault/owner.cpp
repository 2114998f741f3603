// SPDX-License-Identifier: Apache-2.0
#include "vault/owner.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"

namespace belay::vault {

namespace {

constexpr std::size_t origin_shown = 8;

bool is_unreadable(const Error& error) {
  return error.fault == Fault::corrupt || error.fault == Fault::refused;
}

// `skip_damaged`: what cannot be read is not the owner's, and its name is taken.
template <class Kept, class Load>
Result<Slot<Kept>> slot_of(const std::string& name, const Owner& owner, bool skip_damaged,
                           const Load& load) {
  std::string free, whose;
  for (const auto& candidate : names_for(name, owner)) {
    Result<Kept> there = load(candidate);
    if (!there && there.error().fault == Fault::missing) {
      if (free.empty()) free = candidate;
      continue;
    }
    if (!there && !(skip_damaged && is_unreadable(there.error()))) return std::move(there).error();
    if (there && !owner.origin.empty() && owner_of(*there) == owner)
      return Slot<Kept>{candidate, std::move(there).value(), whose};
    whose = there ? text_of(owner_of(*there)) : there.error().message();
  }
  if (!free.empty()) return Slot<Kept>{free, std::nullopt, whose};
  return fail(Fault::conflict,
              fmt::format("the name '{}' is taken ({}): use another name", name, whose));
}

template <class Kept>
Result<Kept> own(Result<Slot<Kept>> slot, const std::string& name, const std::string& where) {
  if (!slot) return std::move(slot).error();
  if (slot->mine) return std::move(*slot->mine);
  return fail(Fault::missing,
              slot->whose.empty()
                  ? fmt::format("there is no '{}' in {}: `belay backup list` and `belay salvage "
                                "list` show what is there",
                                name, where)
                  : fmt::format("'{}' in {} is not this run's but that of {}. Look at it with "
                                "`belay backup show {}`; to go back to it all the same: belay "
                                "rewind {}",
                                name, where, slot->whose, name, name));
}

std::string named(const std::string& text) {
  return text.empty() ? "no name" : "'" + text + "'";
}

Status same(const char* what, const std::string& theirs, const std::string& ours,
            const std::string& name) {
  if (theirs == ours) return {};
  return fail(Fault::refused,
              fmt::format("{} is of the {} {}, not of {}: a rewind would put one's data into the "
                          "other. Into a database of its own it goes with `belay restore`",
                          name, what, named(theirs), named(ours)));
}

std::string list_of(const std::set<std::string>& names) {
  return join({names.begin(), names.end()}, ", ");
}

}  // namespace

Owner owner_of(const Point& point) {
  return {point.project, point.environment, point.run, point.origin};
}

Owner owner_of(const SalvageIndex& salvage) {
  return {salvage.project, salvage.environment, salvage.run, salvage.origin};
}

std::vector<std::string> names_for(const std::string& name, const Owner& owner) {
  if (owner.origin.empty()) return {name};
  return {name, name + "-" + owner.origin.substr(0, origin_shown)};
}

std::string text_of(const Owner& owner) {
  const auto place =
      fmt::format("{} of {}", owner.environment.empty() ? "no environment" : owner.environment,
                  owner.project.empty() ? "no project" : owner.project);
  if (owner.run.empty()) return "made by hand for " + place;
  return fmt::format("run {} in {}, journal {}", owner.run, place,
                     owner.origin.empty() ? "unknown" : owner.origin.substr(0, origin_shown));
}

Status check_point_name(const std::string& name) {
  auto fine = check_salvage_name(name);
  if (fine) return {};
  return fail(Fault::invalid, fmt::format("'{}' cannot name a restore point: use up to 100 "
                                          "letters, digits, '-', '_' and '.'",
                                          name));
}

Result<Slot<Point>> point_slot(Vault& vault, const std::string& name, const Owner& owner) {
  TRY(check_point_name(name));
  return slot_of<Point>(name, owner, true, [&](const std::string& one) { return vault.load(one); });
}

Result<Slot<SalvageIndex>> salvage_slot(Vault& vault, const std::string& name, const Owner& owner) {
  // A damaged one may be ours, and then it holds the versions from before the first write: to begin
  // anew beside it would lose them.
  return slot_of<SalvageIndex>(name, owner, false,
                               [&](const std::string& one) { return load_salvage(vault, one); });
}

Result<Point> load_own_point(Vault& vault, const std::string& name, const Owner& owner) {
  return own(point_slot(vault, name, owner), name, vault.where());
}

Result<SalvageIndex> load_own_salvage(Vault& vault, const std::string& name, const Owner& owner) {
  return own(salvage_slot(vault, name, owner), name, vault.where());
}

Status fits(const Point& point, const Place& place) {
  TRY(same("project", point.project, place.project, point.name));
  TRY(same("environment", point.environment, place.environment, point.name));
  const std::set<std::string> theirs(point.databases.begin(), point.databases.end());
  const std::set<std::string> ours(place.databases.begin(), place.databases.end());
  return same("databases", list_of(theirs), list_of(ours), point.name);
}

Status fits(const SalvageIndex& salvage, const Place& place) {
  TRY(same("project", salvage.project, place.project, salvage.name));
  TRY(same("environment", salvage.environment, place.environment, salvage.name));
  for (const auto& task : salvage.tasks) {
    const auto& database = task.ns().database;
    if (std::find(place.databases.begin(), place.databases.end(), database) !=
        place.databases.end())
      continue;
    const std::set<std::string> ours(place.databases.begin(), place.databases.end());
    TRY(same("databases", database, list_of(ours), salvage.name));
  }
  return {};
}

}  // namespace belay::vault
