// SPDX-License-Identifier: Apache-2.0
#include "vault/lease.hpp"

#include <unistd.h>

#include <charconv>

#include "base/child_facts.hpp"
#include "base/text.hpp"

namespace belay::vault {

namespace {

constexpr std::string_view leases_prefix = "leases/";

LeaseName parse(const std::string& object) {
  const auto parts = split(std::string_view(object).substr(leases_prefix.size()), '-');
  LeaseName lease{object, parts.front(), TimePoint::max()};
  if (parts.size() != 3) return lease;
  std::int64_t until = 0;
  const char* const end = parts[1].data() + parts[1].size();
  const auto read = std::from_chars(parts[1].data(), end, until);
  if (read.ec == std::errc() && read.ptr == end) lease.until = TimePoint(Millis(until));
  return lease;
}

// Process numbers mean something within one boot and one name space only.
std::string surroundings() {
  std::error_code code;
  return boot_id() + " " + std::filesystem::read_symlink("/proc/self/ns/pid", code).string();
}

std::string holder() {
  return fmt::format("{} {} {}", surroundings(), ::getpid(), start_time_of(::getpid()));
}

// Only what is certain: of other machines, and of leases that do not say, nobody knows.
bool is_dead(const std::string& held_by) {
  const auto words = split(held_by, ' ');
  if (words.size() != 4 || words[0] == "-" || words[0] + " " + words[1] != surroundings())
    return false;
  pid_t pid = 0;
  const char* const end = words[2].data() + words[2].size();
  const auto read = std::from_chars(words[2].data(), end, pid);
  return read.ec == std::errc() && read.ptr == end && start_time_of(pid) != words[3];
}

Result<bool> still_holds(storage::Storage& store, const LeaseName& lease, TimePoint now) {
  if (!lease.holds(now)) return false;
  auto held_by = store.get(lease.object);
  if (!held_by && held_by.error().fault == Fault::missing) return false;
  if (!held_by) return std::move(held_by).error();
  return !is_dead(*held_by);
}

}  // namespace

Result<std::vector<LeaseName>> holding_leases(storage::Storage& store, TimePoint now) {
  TRY_LET(const auto objects, store.list(std::string(leases_prefix)));
  std::vector<LeaseName> leases;
  for (const auto& object : objects) {
    auto lease = parse(object.name);
    TRY_LET(const bool holds, still_holds(store, lease, now));
    if (holds)
      leases.push_back(std::move(lease));
    else
      TRY(store.remove(lease.object));
  }
  return leases;
}

Result<LeaseName> put_lease(storage::Storage& store, const std::string& kind, Clock& clock,
                            Random& random) {
  const TimePoint until = clock.now() + lease_time;
  const std::string object = fmt::format("{}{}-{}-{}", leases_prefix, kind,
                                         until.time_since_epoch().count(), random.hex(8));
  TRY(store.put(object, holder()));
  return LeaseName{object, kind, until};
}

Result<bool> WriterLease::ensure() {
  const std::lock_guard lock(mutex_);
  const TimePoint now = clock_.now();
  const bool unbroken = !held_.object.empty() && held_.holds(now);
  if (unbroken && held_.until - now > lease_time * 2 / 3) return true;
  TRY_LET(LeaseName next, put_lease(store_, "write", clock_, random_));
  const std::string old = std::exchange(held_, std::move(next)).object;
  // The new one counts before the old one goes; an old one that stays runs out.
  if (!old.empty()) static_cast<void>(store_.remove(old).ok());
  if (unbroken) return true;
  TRY(wait_for_prune());
  return false;
}

Status WriterLease::wait_for_prune() {
  const Millis give_up = clock_.steady() + 2 * lease_time;
  for (;;) {
    TRY_LET(const auto leases, holding_leases(store_, clock_.now()));
    const bool pruning = std::any_of(leases.begin(), leases.end(),
                                     [](const LeaseName& lease) { return lease.kind == "prune"; });
    if (!pruning) return {};
    if (clock_.steady() > give_up) {
      return fail(Fault::busy, "another process has been removing old blocks of the vault at " +
                                   store_.where() + " for too long: try again later");
    }
    clock_.sleep(Millis(250), {});
  }
}

void WriterLease::release() {
  const std::lock_guard lock(mutex_);
  if (held_.object.empty()) return;
  static_cast<void>(store_.remove(held_.object).ok());
  held_ = {};
}

}  // namespace belay::vault
