// SPDX-License-Identifier: Apache-2.0
// Conditional changes by id. On a replica set a batch is one transaction that reads, compares and
// writes. On a standalone there are none: it reads, compares, then writes each by its `_id`, which
// is right only while nobody else writes (under a fence).
#include <thread>

#include "database/mongodb/change_batch.hpp"
#include "database/mongodb/mongodb.hpp"
#include "database/mongodb/transaction.hpp"

namespace belay::database {
namespace {

constexpr int attempts = 5;
// A client that was killed leaves its transaction behind, perhaps an earlier one of our own; a
// server keeps it, and what it has written, for 60 s.
constexpr Millis patience = std::chrono::seconds(75);
constexpr Millis first_nap{10}, longest_nap{500};

// Between attempts that met somebody else's transaction. False when that has lasted too long.
class Naps {
 public:
  bool take() {
    if (std::chrono::steady_clock::now() >= end_) return false;
    std::this_thread::sleep_for(next_);
    next_ = std::min(next_ * 2, longest_nap);
    return true;
  }

 private:
  std::chrono::steady_clock::time_point end_ = std::chrono::steady_clock::now() + patience;
  Millis next_ = first_nap;
};

constexpr std::string_view held_back = "not tried: another document of its batch stood in the way";

bool has_unique_index(const std::vector<Bson>& indexes) {
  return std::any_of(indexes.begin(), indexes.end(), [](const Bson& index) {
    return text_at(index, "name") != "_id_" && (flag_at(index, "unique").value_or(false) ||
                                                flag_at(index, "prepareUnique").value_or(false));
  });
}

std::vector<ChangeResult> all_applied(std::size_t count) {
  return std::vector<ChangeResult>(count, ChangeResult{true, std::nullopt, ""});
}

}  // namespace

Result<std::vector<ChangeResult>> Mongodb::apply(const Namespace& ns,
                                                 const std::vector<Change>& changes) {
  if (changes.empty()) return std::vector<ChangeResult>{};
  TRY_LET(const Facts facts, this->facts());
  bool unique = false;
  {
    const Lease lease(*pool_);
    TRY_LET(const auto indexes, list_indexes(lease, ns));
    unique = has_unique_index(indexes);
  }
  auto results = facts.replica_set.empty() ? apply_plainly(ns, changes, unique)
                                           : apply_in_transaction(ns, changes, unique);
  return std::move(results).in("changing documents of " + ns.text());
}

Result<std::vector<ChangeResult>> Mongodb::apply_plainly(const Namespace& ns,
                                                         const std::vector<Change>& changes,
                                                         bool unique) {
  const Lease lease(*pool_);
  ChangeBatch batch(lease, ns, changes, unique, knows_empty_stamps_);
  Document options;
  TRY(fetch_ids(lease, ns, batch.ids(), options, batch.live_sink()));
  batch.compare();
  TRY(batch.write(nullptr));
  if (batch.option_refused()) knows_empty_stamps_ = false;
  return batch.take_results();
}

Result<std::vector<ChangeResult>> Mongodb::apply_in_transaction(const Namespace& ns,
                                                                const std::vector<Change>& changes,
                                                                bool unique) {
  Error last = fail(Fault::busy, "");
  Naps naps;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    TRY_LET(const auto transaction, Transaction::start(*pool_, config_.limit));
    ChangeBatch batch(transaction->lease(), ns, changes, unique, knows_empty_stamps_);
    const Status read = transaction->read(ns, batch.ids(), batch.live_sink());
    if (!read) {
      last = read.error();
      continue;  // nothing was written: reading again is always right
    }
    if (!batch.compare()) return batch.hold_back(held_back);
    const Status written = batch.write(transaction.get());
    if (batch.option_refused()) {
      knows_empty_stamps_ = false;
      continue;
    }
    if (!written) {
      transaction->abort();
      last = written.error();
      last.effect = Effect::none;
      if (!batch.transient()) return last;
      if (naps.take()) --attempt;
      continue;
    }
    if (batch.refused()) {
      transaction->abort();
      return batch.hold_back(held_back);
    }
    Error why;
    switch (transaction->commit(&why)) {
      case Transaction::Commit::done: return all_applied(changes.size());
      case Transaction::Commit::not_done: last = std::move(why); continue;
      case Transaction::Commit::unknown: break;
    }
    TRY_LET(const Settled settled, settle(ns, changes));
    if (settled == Settled::done) return all_applied(changes.size());
    if (settled == Settled::unclear) return why;
    last = std::move(why);
  }
  last.effect = Effect::none;
  return std::move(last).in("after " + std::to_string(attempts) + " attempts");
}

// The answer to a commit was lost: what is there tells. A batch is applied whole or not at all.
Result<Mongodb::Settled> Mongodb::settle(const Namespace& ns, const std::vector<Change>& changes) {
  const Lease lease(*pool_);
  ChangeBatch now(lease, ns, changes, false, false);
  TRY(fetch(ns, now.ids(), now.live_sink()));
  if (now.all_as_wanted()) return Settled::done;
  return now.compare() ? Settled::not_done : Settled::unclear;
}

}  // namespace belay::database
