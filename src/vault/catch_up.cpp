// SPDX-License-Identifier: Apache-2.0
// Exact at one instant without a long snapshot: read everything, catch up with what was touched
// meanwhile in rounds, and do the last, small round in a transaction.
#include "vault/reading.hpp"

namespace belay::vault {

namespace {

using database::Bson;
using database::Collection;
using database::Position;
using database::Touched;

constexpr std::uint64_t small_round_bytes = std::uint64_t{8} << 20;
constexpr int last_rounds_limit = 10;
// A shorter reading leaves little to catch up with: the last round does it at once, and a log that
// takes long to search is searched twice less.
constexpr Millis short_reading = std::chrono::seconds(10);

class ExactReading {
 public:
  explicit ExactReading(const BackupContext& context) : context_(context), budget_(random_) {}

  Result<Captured> run(const std::optional<Position>& begin) {
    if (begin) {
      position_ = *begin;
    } else {
      TRY_LET(position_, context_.database.mark());
    }
    TRY_LET(catalogue_, context_.database.catalogue());
    const auto begun = context_.clock.steady();
    TRY(scan());
    bool behind = context_.clock.steady() - begun > short_reading;
    for (int attempt = 0; again_.empty() && !captured_.exact; ++attempt) {
      if (attempt == last_rounds_limit) return unsettled();
      if (behind) TRY(rounds());
      behind = attempt == 0 && !behind;
      if (again_.empty()) TRY(last_round());
    }
    captured_.again = again_;
    if (again_.empty()) TRY(finish());
    return std::move(captured_);
  }

 private:
  Status scan() {
    auto parts = scan_all(context_, catalogue_, position_, budget_);
    if (parts) {
      parts_ = std::move(parts).value();
      return {};
    }
    // A collection that is dropped while it is read ends the cursor with an error.
    auto now = context_.database.catalogue();
    if (now && now.value() != catalogue_) {
      again_ = "the collections changed while they were read";
      return {};
    }
    return std::move(parts).error();
  }

  Status rounds() {
    for (int round = 0; round < context_.request.rounds_limit; ++round) {
      TRY_LET(const auto caught, context_.database.catch_up(position_, context_.stop));
      const Touched& touched = caught.touched;
      if (must_restart(touched)) return {};
      report(fmt::format("catching up, round {}", round + 1), touched.count);
      TRY_LET(const std::uint64_t bytes, take_live(touched, caught.to));
      position_ = caught.to;
      if (touched.count <= context_.request.small_round && bytes <= small_round_bytes) return {};
    }
    return fail(
        Fault::busy,
        fmt::format("the database is written to faster than it can be read: after {} rounds "
                    "more than {} documents were still touched in each. Take the restore "
                    "point at a quieter time, or with the writers held off (a fence)",
                    context_.request.rounds_limit, context_.request.small_round));
  }

  // The instant lies between the markers `position_` (`since`: where the next increment begins)
  // and `instant`.
  Status last_round() {
    auto snapshot = context_.database.snapshot();
    if (!snapshot) return repeat(std::move(snapshot).error());
    TRY_LET(const auto caught, context_.database.catch_up(position_, context_.stop));
    const Touched& touched = caught.touched;
    if (must_restart(touched)) return {};
    if (const auto* whole = touched_whole(touched)) {
      last_error_ = whole->text() +
                    " is written to all the time, and as a capped collection, or one with a "
                    "collation, it can only be read whole";
      snapshot.value().reset();
      return rounds();
    }
    if (touched.count > 4 * context_.request.small_round) {
      snapshot.value().reset();
      return rounds();
    }
    Status taken = take_snapshot(*snapshot.value(), touched);
    if (taken) taken = snapshot.value()->commit();
    // What was taken is no version to keep; the next round reads the same ids again, since
    // position_ stays where it is.
    if (!taken) return repeat(std::move(taken).error());
    TRY_LET(const auto after, context_.database.catalogue());
    if (after != catalogue_) {
      again_ = "the collections or their indexes changed meanwhile";
      return {};
    }
    captured_.exact = true;
    captured_.since = position_;
    captured_.instant = caught.to;
    return {};
  }

  Status finish() {
    captured_.method = "transaction";
    for (auto& part : parts_) {
      if (!part.touched.empty()) TRY(part.touched.write(context_.vault, part.saved));
      part.touched.clear();
      captured_.collections.push_back(std::move(part.saved));
    }
    return {};
  }

  // Nothing but a lost connection, a failover or a write conflict is worth another round.
  Status repeat(Error error) {
    switch (error.fault) {
      case Fault::conflict:
      case Fault::busy:
      case Fault::timeout:
      case Fault::unreachable:
        last_error_ = error.message();
        if (!context_.clock.sleep(Millis(200), context_.stop)) {
          return fail(Fault::cancelled, "stopped while taking the restore point");
        }
        return {};
      case Fault::invalid:
      case Fault::missing:
      case Fault::denied:
      case Fault::refused:
      case Fault::corrupt:
      case Fault::cancelled:
      case Fault::internal: break;
    }
    return error;
  }

  Error unsettled() const {
    return fail(
        Fault::busy,
        fmt::format("{} transactions in a row did not give one instant of the database{}. Take "
                    "the restore point at a quieter time, or with the writers held off (a "
                    "fence)",
                    last_rounds_limit,
                    last_error_.empty() ? std::string() : " (" + last_error_ + ")"));
  }

  bool must_restart(const Touched& touched) {
    if (!touched.restart.empty()) again_ = touched.restart;
    for (const auto& entry : touched.entries) {
      if (again_.empty() && part_of(entry) == nullptr) {
        again_ = "there were writes to " + entry.ns.text() + ", which is not in the catalogue";
      }
    }
    return !again_.empty();
  }

  Part* part_of(const Touched::Entry& entry) {
    constexpr std::string_view buckets = "system.buckets.";
    database::Namespace ns = entry.ns;
    const bool bucket = ns.collection.starts_with(buckets);
    if (bucket) ns.collection.erase(0, buckets.size());
    for (auto& part : parts_) {
      const Collection& facts = part.saved.facts;
      if (!bucket && !entry.uuid.empty() && !facts.uuid.empty() ? entry.uuid == facts.uuid
                                                                : ns == facts.ns) {
        return &part;
      }
    }
    return nullptr;
  }

  const database::Namespace* touched_whole(const Touched& touched) {
    for (const auto& entry : touched.entries)
      if (is_read_whole(part_of(entry)->saved.facts)) return &entry.ns;
    return nullptr;
  }

  Result<std::uint64_t> take_live(const Touched& touched, const Position& mark) {
    std::uint64_t bytes = 0;
    for (const auto& entry : touched.entries) {
      Part& part = *part_of(entry);
      if (is_read_whole(part.saved.facts)) {
        TRY(scan_collection(context_, mark, part.saved));
        bytes += part.saved.bytes;
        continue;
      }
      part.touched.absent(entry.ids);
      TRY(context_.database.fetch(part.saved.facts.ns, entry.ids, [&](std::string_view document) {
        bytes += document.size();
        return part.touched.set(document);
      }));
    }
    return bytes;
  }

  Status take_snapshot(database::Snapshot& snapshot, const Touched& touched) {
    for (const auto& entry : touched.entries) {
      Part& part = *part_of(entry);
      part.touched.absent(entry.ids);
      TRY(snapshot.fetch(part.saved.facts.ns, entry.ids,
                         [&](std::string_view document) { return part.touched.set(document); }));
    }
    return {};
  }

  void report(const std::string& what, std::uint64_t count) const {
    if (context_.progress) context_.progress({what, count, count});
  }

  const BackupContext& context_;
  SystemRandom random_;  // for the spool's key, which nothing outlives
  TouchedBudget budget_;
  database::Catalogue catalogue_;
  std::vector<Part> parts_;
  Position position_;  // everything before it has been caught up with
  Captured captured_;
  std::string again_, last_error_;
};

}  // namespace

Result<Captured> capture_exact(const BackupContext& context,
                               const std::optional<database::Position>& begin) {
  return ExactReading(context).run(begin);
}

}  // namespace belay::vault
