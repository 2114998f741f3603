// SPDX-License-Identifier: Apache-2.0
#include "vault/lease.hpp"

#include <charconv>

#include "base/text.hpp"

namespace belay::vault {

namespace {

constexpr std::string_view prefix = "leases/";

LeaseName parse(const std::string& object) {
  const auto parts = split(std::string_view(object).substr(prefix.size()), '-');
  LeaseName lease{object, parts.front(), TimePoint::max()};
  if (parts.size() != 3) return lease;
  std::int64_t until = 0;
  const char* const end = parts[1].data() + parts[1].size();
  const auto read = std::from_chars(parts[1].data(), end, until);
  if (read.ec == std::errc() && read.ptr == end) lease.until = TimePoint(Millis(until));
  return lease;
}

}  // namespace

Result<std::vector<LeaseName>> list_leases(storage::Storage& store) {
  TRY_LET(const auto objects, store.list(std::string(prefix)));
  std::vector<LeaseName> leases;
  for (const auto& object : objects) leases.push_back(parse(object.name));
  return leases;
}

Result<LeaseName> put_lease(storage::Storage& store, const std::string& kind, Clock& clock,
                            Random& random) {
  const TimePoint until = clock.now() + lease_time;
  const std::string object =
      fmt::format("{}{}-{}-{}", prefix, kind, until.time_since_epoch().count(), random.hex(8));
  TRY(store.put(object, ""));
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
    TRY_LET(const auto leases, list_leases(store_));
    const TimePoint now = clock_.now();
    const bool pruning = std::any_of(leases.begin(), leases.end(), [&](const LeaseName& lease) {
      return lease.kind == "prune" && lease.holds(now);
    });
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
