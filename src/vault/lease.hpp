// SPDX-License-Identifier: Apache-2.0
// Writers and prune keep clear of each other: docs/formats/vault.md, "Order of writing".
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "storage/storage.hpp"

namespace belay::vault {

inline constexpr Millis lease_time = std::chrono::minutes(15);

struct LeaseName {  // "leases/write-1763892900000-9f3c..."
  std::string object, kind;
  TimePoint until{};
  bool holds(TimePoint now) const { return now < until; }
};

// The leases that hold; an object that does not look like one holds for ever (a later format's).
// Those that ran out, and those of processes of this machine that are no more, are removed.
Result<std::vector<LeaseName>> holding_leases(storage::Storage& store, TimePoint now);
// It names this process: when that is killed, nobody here has to wait until the lease runs out.
Result<LeaseName> put_lease(storage::Storage& store, const std::string& kind, Clock& clock,
                            Random& random);

// A writer's lease: taken when first needed, renewed while it is needed. Safe from many threads.
class WriterLease {
 public:
  WriterLease(storage::Storage& store, Clock& clock, Random& random)
      : store_(store), clock_(clock), random_(random) {}
  ~WriterLease() { release(); }
  WriterLease(const WriterLease&) = delete;
  WriterLease& operator=(const WriterLease&) = delete;

  // Holds for at least half its time from now. True: it held without a gap since the last call;
  // false: what was known to exist may be gone. Waits while a prune runs; busy when that does not
  // end.
  Result<bool> ensure();
  // Fine when none is held. A removal that fails leaves a lease that runs out.
  void release();

 private:
  Status wait_for_prune();

  storage::Storage& store_;
  Clock& clock_;
  Random& random_;
  std::mutex mutex_;
  LeaseName held_;  // object empty: none
};

}  // namespace belay::vault
