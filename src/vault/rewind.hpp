// SPDX-License-Identifier: Apache-2.0
// Bringing a live database to a restore point by changing only what differs. Every write is
// conditional and by id; the live version is in the salvage before it is changed. Killed anywhere
// and started again with the same `name`, it converges. Runs under a fence.
#pragma once

#include "vault/vault.hpp"

namespace belay::vault {

struct Difference {  // of one collection
  database::Namespace ns;
  std::uint64_t reverted = 0;      // differ: go back to the point's version
  std::uint64_t removed = 0;       // only live: customers' or the release's additions
  std::uint64_t brought_back = 0;  // only in the point
  bool collection_removed = false, collection_created = false;
  std::vector<std::string> catalogue;  // "index price_1 is dropped", "validator is put back"
  std::vector<std::string> samples;    // up to 3, for people
};

struct Preview {
  std::vector<Difference> differences;  // only collections that differ
  std::uint64_t compared = 0;
  std::uint64_t total() const;
};

// Changes nothing.
Result<Preview> preview_rewind(database::Database& database, Vault& vault, const Point& to,
                               const OnProgress& progress, std::stop_token stop);

struct RewindReport {
  Preview done;                // what was changed, by all attempts together
  std::string salvage;         // its name; empty when nothing differed
  std::uint64_t verified = 0;  // documents read back and equal
  Millis took{0};
};

struct RewindRequest {
  std::string name;  // "salvage-7": the salvage is kept under it, or under that and the origin
  std::string project, environment, run;
  std::string origin = {};                  // hash of the run's first event
  std::vector<std::string> databases = {};  // the application's: what may be changed
};

// Salvage first, then catalogue, documents, indexes, then every document read back. refused: the
// point is of another project, environment or other databases. Only the same run goes on with a
// salvage that is there.
Result<RewindReport> rewind(database::Database& database, Vault& vault, const Point& to,
                            const RewindRequest& request, Clock& clock, const OnProgress& progress,
                            std::stop_token stop);

// Puts back what the rewind of that name changed: the first salvaged versions. Documents changed
// since the rewind are salvaged again under `request.name`.
Result<RewindReport> undo_rewind(database::Database& database, Vault& vault,
                                 const std::string& salvage, const RewindRequest& request,
                                 Clock& clock, const OnProgress& progress, std::stop_token stop);

struct SalvageSummary {
  std::string name, point, project, environment, run;
  TimePoint at{};
  bool finished = false;  // the rewind came to its end
  std::string damaged;    // why it cannot be read; then only its name is known
  std::uint64_t documents = 0;
  std::vector<Difference> differences;
};
// Oldest first. One that cannot be read does not hide the others.
Result<std::vector<SalvageSummary>> list_salvages(Vault& vault);
// Those of finished rewinds that are older than `days` (pure).
std::vector<std::string> expired_salvages(const std::vector<SalvageSummary>& salvages, int days,
                                          TimePoint now);
// And what an earlier call that was killed left of others. Blocks go with prune.
Status forget_salvages(Vault& vault, const std::vector<std::string>& names);
// Each salvaged live version: namespace and document, or a tombstone ("was absent").
Status read_salvage(Vault& vault, const std::string& name,
                    const std::function<Status(const database::Namespace&, const database::Bson& id,
                                               const std::optional<database::Bson>& live)>& sink);

// Which of the discarded versions; everything that is set must hold.
struct ApplyChoice {
  bool added = false;                // only documents that the rewind removed: the point had none
  std::string collection;            // "shop.orders"
  std::optional<database::Bson> id;  // {"_id": ...}
};
struct ApplyReport {
  // Documents that were absent and come back; that stand there in the point's version and are
  // replaced; that the point had and that are removed again.
  std::uint64_t inserted = 0, replaced = 0, removed = 0;
  std::uint64_t there = 0;             // as the rewind found them: put back before, or by others
  std::vector<std::string> conflicts;  // left alone: changed since the rewind
  std::uint64_t applied() const { return inserted + replaced + removed; }
};
// What the rewind found, the damage that it mended included, where nobody has changed it since.
// Atomic for each document; killed half-way and repeated it goes on.
Result<ApplyReport> apply_salvage(database::Database& database, Vault& vault,
                                  const std::string& name, const ApplyChoice& choice,
                                  std::stop_token stop);
// What that would do. Changes nothing.
Result<ApplyReport> preview_apply(database::Database& database, Vault& vault,
                                  const std::string& name, const ApplyChoice& choice,
                                  std::stop_token stop);

}  // namespace belay::vault
