// SPDX-License-Identifier: Apache-2.0
// A MongoDB database as Belay needs it: raw documents, in the server's own order, and proofs of
// what the server can do. A document is its BSON bytes; an `_id` is kept as a BSON document with
// the single member "_id", so that it has its type and its exact bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"
#include "net/trust.hpp"

namespace belay::database {

using Bson = std::string;  // one raw BSON document

struct Namespace {
  std::string database, collection;
  auto operator<=>(const Namespace&) const = default;  // NOLINT(modernize-use-nullptr)
  std::string text() const { return database + "." + collection; }
};

struct Collection {
  Namespace ns;
  std::string uuid;  // 32 hex digits; empty for views and old servers
  enum class Kind { collection, view, time_series } kind = Kind::collection;
  Bson options;               // as listCollections gives them
  std::vector<Bson> indexes;  // as listIndexes gives them, `_id` included, in name order
  bool capped = false, clustered = false;
  bool collated = false;  // has a default collation: `_id` order is the collation's
  bool operator==(const Collection&) const = default;
};
using Catalogue = std::vector<Collection>;  // in order of namespace

// A point in the server's change log.
struct Position {
  std::uint64_t timestamp = 0;  // seconds << 32 | ordinal
  std::int64_t term = 0;
  auto operator<=>(const Position&) const = default;  // NOLINT(modernize-use-nullptr)
};

struct Facts {
  std::string version;      // "8.2.0"
  std::string replica_set;  // empty: standalone
  bool mongos = false;
  std::string me;  // host:port that answered
  bool operator==(const Facts&) const = default;
};

// The server's clock, and how far back its change log reaches.
struct Reach {
  TimePoint now{};
  std::optional<TimePoint> oldest, newest;  // of the log; none: it has no log
};

// What was proved on this server with marker documents in Belay's own database (docs in
// mongodb/proofs.cpp). `missing` says, for people, what failed and what follows.
struct Proofs {
  bool transaction_isolates = false;  // a transaction does not see a later write
  bool log_shows_writes = false;      // a majority write appears in the change log
  bool exact_bytes = false;           // a document comes back byte for byte
  bool order_agrees = false;          // the server sorts `_id` as compare_ids does
  std::vector<std::string> missing;
  std::optional<Position> mark = {};  // a marker of the proof, found just now; none: proved earlier
  bool exact_points() const {
    return transaction_isolates && log_shows_writes && exact_bytes && order_agrees;
  }
};

// Counters that move with every write: the proof that nobody wrote, on a standalone.
struct WriteCounters {
  std::int64_t inserted = 0, updated = 0, deleted = 0, ttl_deleted = 0, pid = 0, commands = 0;
  auto operator<=>(const WriteCounters&) const = default;  // NOLINT(modernize-use-nullptr)
};

// Ids touched between two markers, or the reason why the reading must start anew.
struct Touched {
  struct Entry {
    Namespace ns;
    std::string uuid;
    std::vector<Bson> ids;  // distinct by exact bytes, in no order
  };
  std::vector<Entry> entries;
  std::uint64_t count = 0;
  std::string restart;  // non-empty: DDL or an unknown entry was seen; its text
  // With `restart`: only collections and indexes changed by command; no write to a document is
  // missing here.
  bool ids_complete = true;
};

using DocumentSink = std::function<Status(std::string_view document)>;

// A transaction that sees one instant.
class Snapshot {
 public:
  virtual ~Snapshot() = default;
  // The documents with these ids as of the instant; an absent id is left out.
  virtual Status fetch(const Namespace& ns, const std::vector<Bson>& ids,
                       const DocumentSink& sink) = 0;
  // Only after a successful commit (w: majority) may what was read be trusted.
  virtual Status commit() = 0;
};

// One conditional change of one document by its id.
struct Change {
  Bson id;                       // {"_id": ...}
  std::optional<Bson> expected;  // the live bytes this change is based on; none: absent
  std::optional<Bson> wanted;    // what shall be there; none: nothing
};
struct ChangeResult {
  bool applied = false;
  // When not applied: what is there now (none: absent), so that it can be salvaged; or why not.
  std::optional<Bson> found;
  std::string reason;  // "changed meanwhile", "duplicate key ..."
};

class Database {
 public:
  virtual ~Database() = default;

  virtual Result<Facts> describe() = 0;  // also the ping
  // Asked again of the same server, proofs that all held are not repeated.
  virtual Result<Proofs> prove() = 0;
  // For doctor. refused: the server, or this provider, does not tell.
  virtual Result<Reach> reach() { return fail(Fault::refused, "the server's clock is not known"); }
  // Collections, views and time series of the application's databases (those this object was made
  // for), without the server's own collections. refused: something that cannot be handled, by name.
  virtual Result<Catalogue> catalogue() = 0;
  virtual Result<WriteCounters> write_counters() = 0;

  // Every document of a collection in `_id` order (capped collections: natural order), read
  // `majority` and after `position` where there is a log. `from`: start at this id, inclusive.
  virtual Status scan(const Collection& collection, const std::optional<Bson>& from,
                      const std::optional<Position>& position, const DocumentSink& sink,
                      std::stop_token stop) = 0;
  // The documents with these ids, now; absent ones are left out.
  virtual Status fetch(const Namespace& ns, const std::vector<Bson>& ids,
                       const DocumentSink& sink) = 0;
  virtual Result<std::uint64_t> count(const Namespace& ns) = 0;  // by reading; may take long
  // About how many, without reading them: for a bar.
  virtual Result<std::uint64_t> estimate(const Namespace& ns) { return count(ns); }

  // Writes a marker with w: majority and finds it again in the log.
  virtual Result<Position> mark() = 0;
  // What was touched in the application's databases from `from` (inclusive) up to the marker `to`.
  // Any command entry on these databases, and any unknown one, sets `restart`.
  virtual Result<Touched> touched(const Position& from, const Position& to,
                                  std::stop_token stop) = 0;
  // mark(), then touched() up to that marker; in one reading of the log where that is possible.
  struct CaughtUp {
    Position to;
    Touched touched;
  };
  virtual Result<CaughtUp> catch_up(const Position& from, std::stop_token stop) {
    TRY_LET(const Position to, mark());
    TRY_LET(Touched touched, this->touched(from, to, stop));
    return CaughtUp{to, std::move(touched)};
  }
  virtual Result<std::unique_ptr<Snapshot>> snapshot() = 0;

  // Writes. insert: unordered, validation bypassed, zero timestamps kept; every document that was
  // not inserted is named with its `_id` and reason. An empty result: all are there.
  struct NotInserted {
    Bson id;
    std::string reason;
  };
  virtual Result<std::vector<NotInserted>> insert(const Namespace& ns,
                                                  const std::vector<Bson>& documents) = 0;
  // Each change acts only if the live document has the expected bytes. With transactions: compares
  // and writes in one transaction; all of the batch or none of it, the results tell which stood
  // in the way. One result a change. After an unknown effect: fetch and compare, then repeat.
  virtual Result<std::vector<ChangeResult>> apply(const Namespace& ns,
                                                  const std::vector<Change>& changes) = 0;

  virtual Status create(const Namespace& ns, const Bson& options) = 0;  // collection or view
  virtual Status drop(const Namespace& ns) = 0;                         // fine when absent
  virtual Status rename(const Namespace& from, const Namespace& to) = 0;
  virtual Status create_indexes(const Namespace& ns, const std::vector<Bson>& indexes) = 0;
  virtual Status drop_index(const Namespace& ns, const std::string& name) = 0;
  // collMod with these members ({"validator": ...}, {"index": {...}}).
  virtual Status modify(const Namespace& ns, const Bson& changes) = 0;
  virtual Status barrier() = 0;  // everything written so far is on a majority

  // For checks: at least `at_least` documents match; the number found.
  virtual Result<std::uint64_t> matching(const Namespace& ns, const Bson& filter,
                                         std::uint64_t limit) = 0;
};

struct MongoConfig {
  Secret uri;
  std::vector<std::string> names;  // the application's databases; empty: the one in the URI
  Millis limit = std::chrono::seconds(30);  // for one command
  // What is unchecked there, as "mongodb://host:port" or "mongodb+srv://host". Authorities are the
  // URI's own (tlsCAFile), else the machine's.
  net::Trust trust = {};
};
// Does not connect yet. invalid: the URI, without its text; it names no database. refused: it
// switches the check of certificates off for a host that is not named as unchecked.
Result<std::unique_ptr<Database>> make_mongodb(MongoConfig config);

// The order of ids on the server: over all BSON types, 1 = 1.0 = Long 1 = Decimal 1, -0.0 = 0.0,
// also inside subdocuments. std::weak_ordering in an int: <0, 0, >0.
int compare_ids(std::string_view a, std::string_view b);
// {"_id": x} of a document; invalid when it has none.
Result<Bson> id_of(std::string_view document);
// Well-formed framing of one document, within 16 MiB + 16 KiB.
bool is_framed(std::string_view document);
// Relaxed Extended JSON, for messages and samples; cut after `limit` characters.
std::string to_json(std::string_view document, std::size_t limit = 400);
Result<Bson> from_json(std::string_view text);

}  // namespace belay::database
