// SPDX-License-Identifier: Apache-2.0
// The parts of a restore point while it is being read: base layers from one scan of everything.
#pragma once

#include "vault/backup.hpp"
#include "vault/touched_documents.hpp"

namespace belay::vault {

// What every way of reading works with.
struct BackupContext {
  database::Database& database;
  Vault& vault;
  const BackupRequest& request;
  Clock& clock;
  const OnProgress& progress;
  std::stop_token stop;
};

// One collection of the reading.
struct Part {
  SavedCollection saved;
  TouchedDocuments touched;
};

// What came of it. `again` says why it must start anew (for people), and then nothing else counts.
struct Captured {
  std::vector<SavedCollection> collections;
  bool exact = false;
  std::string method;
  std::optional<database::Position> since, instant;
  std::vector<std::string> notes;
  std::string again;
};

// Not in the order of compare_ids, or not readable in a transaction: read whole, never merged.
bool is_read_whole(const database::Collection& facts);
// Reads one collection into its base layer: counts and hash are those of the base.
Status scan_collection(const BackupContext& context,
                       const std::optional<database::Position>& position, SavedCollection& saved);
Result<std::vector<Part>> scan_all(const BackupContext& context,
                                   const database::Catalogue& catalogue,
                                   const std::optional<database::Position>& position,
                                   TouchedBudget& budget);

// Replica set with all proofs: scan, rounds, a last round in a transaction.
// `begin`: a marker that is in the log; none: one is written.
Result<Captured> capture_exact(const BackupContext& context,
                               const std::optional<database::Position>& begin);
// Without a log: exact when fenced or when provably nobody wrote, else fuzzy.
Result<Captured> capture_single_scan(const BackupContext& context);

}  // namespace belay::vault
