// SPDX-License-Identifier: Apache-2.0
#include "vault/prune.hpp"

#include "vault/lease.hpp"

namespace belay::vault {

namespace {

Result<bool> alone(storage::Storage& store, const LeaseName& own, TimePoint now) {
  TRY_LET(const auto leases, holding_leases(store, now));
  return std::all_of(leases.begin(), leases.end(),
                     [&](const LeaseName& lease) { return lease.object == own.object; });
}

// Whether the store's lock keeps it.
Result<bool> is_locked(storage::Storage& store, const storage::Object& object, Freed& freed) {
  auto* const locking = store.locking();
  if (locking == nullptr) return false;
  auto until = locking->until(object.name);
  if (!until && until.error().fault == Fault::missing) return false;
  if (!until) return std::move(until).error();
  if (!until->has_value()) return false;
  freed.locked += object.bytes;
  freed.until = std::max(freed.until.value_or(**until), **until);
  return true;
}

Result<Freed> sweep(storage::Storage& store, Clock& clock, const LeaseName& own, const Mark& mark) {
  // Manifests first, then blocks: a block that is newer than the marks cannot be listed, because
  // its writer would have seen our lease.
  TRY_LET(const auto marked, mark());
  TRY_LET(const auto objects, store.list("blocks/"));
  Freed freed;
  for (const auto& object : objects) {
    if (marked.contains(object.name.substr(object.name.rfind('/') + 1))) continue;
    if (own.until - clock.now() < lease_time / 2) break;
    TRY_LET(const bool locked, is_locked(store, object, freed));
    if (locked) continue;
    TRY(store.remove(object.name));
    freed.bytes += object.bytes;
  }
  return freed;
}

}  // namespace

Result<Freed> prune_blocks(storage::Storage& store, Clock& clock, Random& random,
                           const Mark& mark) {
  TRY_LET(const LeaseName own, put_lease(store, "prune", clock, random));
  Result<Freed> freed = Freed{};
  auto nobody = alone(store, own, clock.now());
  if (!nobody) {
    freed = std::move(nobody).error();
  } else if (nobody.value()) {
    freed = sweep(store, clock, own, mark);
  }
  // A lease that cannot be removed runs out; writers wait for it until then.
  static_cast<void>(store.remove(own.object).ok());
  return std::move(freed).in("removing blocks that no restore point uses");
}

}  // namespace belay::vault
