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

Result<std::uint64_t> sweep(storage::Storage& store, Clock& clock, const LeaseName& own,
                            const Mark& mark) {
  // Manifests first, then blocks: a block that is newer than the marks cannot be listed, because
  // its writer would have seen our lease.
  TRY_LET(const auto marked, mark());
  TRY_LET(const auto objects, store.list("blocks/"));
  std::uint64_t freed = 0;
  for (const auto& object : objects) {
    if (marked.contains(object.name.substr(object.name.rfind('/') + 1))) continue;
    if (own.until - clock.now() < lease_time / 2) break;
    TRY(store.remove(object.name));
    freed += object.bytes;
  }
  return freed;
}

}  // namespace

Result<std::uint64_t> prune_blocks(storage::Storage& store, Clock& clock, Random& random,
                                   const Mark& mark) {
  TRY_LET(const LeaseName own, put_lease(store, "prune", clock, random));
  Result<std::uint64_t> freed = std::uint64_t{0};
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
