// SPDX-License-Identifier: Apache-2.0
// Taking a restore point: on a replica set exact at one instant (markers, scan, rounds, a last
// round in a transaction), on a standalone by proof that nobody wrote, else fuzzy and said so.
#pragma once

#include "vault/vault.hpp"

namespace belay::vault {

struct BackupRequest {
  std::string name, kind, project, environment, run, journal_head;
  bool fenced = false;  // the caller holds all writers off
  int rounds_limit = 20;
  std::uint64_t small_round = 5000;  // touched ids that end the rounds
};

// The point is committed and read back (every block decrypted and counted) before it returns. On
// failure there is no point of that name. Taking the same name again: the point that is there.
Result<Point> take_restore_point(database::Database& database, Vault& vault,
                                 const BackupRequest& request, Clock& clock,
                                 const OnProgress& progress, std::stop_token stop);

struct RestoreReport {
  std::uint64_t documents = 0, collections = 0, indexes = 0;
  struct Lost {
    database::Namespace ns;
    database::Bson id;
    std::string reason;
  };
  std::vector<Lost> not_restored;  // at most 1,000 kept
  std::uint64_t not_restored_count = 0;
  bool complete() const { return not_restored_count == 0; }
};

// Into a database that has none of the point's collections (the caller has seen to that).
// `rename`: restores database `first` as `second`.
Result<RestoreReport> restore(Vault& vault, const Point& point, database::Database& into,
                              const std::optional<std::pair<std::string, std::string>>& rename,
                              const OnProgress& progress, std::stop_token stop);

}  // namespace belay::vault
