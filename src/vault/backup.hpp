// SPDX-License-Identifier: Apache-2.0
// Taking a restore point: on a replica set exact at one instant (markers, scan, rounds, a last
// round in a transaction), on a standalone by proof that nobody wrote, else fuzzy and said so.
#pragma once

#include "vault/vault.hpp"

namespace belay::vault {

struct BackupRequest {
  std::string name, kind, project, environment, run, journal_head;
  std::string by = {};                      // who asked for it
  std::string origin = {};                  // hash of the run's first event; empty: by hand
  std::vector<std::string> databases = {};  // the application's; empty: those with collections
  bool fenced = false;                      // the caller holds all writers off
  int rounds_limit = 20;
  std::uint64_t small_round = 5000;  // touched ids that end the rounds
};

// The point is committed and read back (every block decrypted and counted) before it returns. On
// failure there is no new point. The same run again: the point that it took. A run whose name is
// somebody else's gets another one; by hand (no origin) that is a conflict, before anything is
// read.
Result<Point> take_restore_point(database::Database& database, Vault& vault,
                                 const BackupRequest& request, Clock& clock,
                                 const OnProgress& progress, std::stop_token stop);

struct RestoreReport {
  std::uint64_t documents = 0, collections = 0, indexes = 0;
  std::uint64_t expiring = 0;  // documents that the server will remove soon: they are too old
  std::uint64_t not_restored = 0;
  bool complete() const { return not_restored == 0; }
};
struct NotRestored {
  database::Namespace ns;
  database::Bson id;
  std::string reason;
};
using OnNotRestored = std::function<void(const NotRestored&)>;

// Into a database that has none of the point's collections (the caller has seen to that). Indexes
// that let documents expire come last, when everything has been counted. Every document that the
// server did not take is told to `lost`.
// `rename`: restores database `first` as `second`.
Result<RestoreReport> restore(Vault& vault, const Point& point, database::Database& into,
                              const std::optional<std::pair<std::string, std::string>>& rename,
                              const Clock& clock, const OnNotRestored& lost,
                              const OnProgress& progress, std::stop_token stop);

}  // namespace belay::vault
