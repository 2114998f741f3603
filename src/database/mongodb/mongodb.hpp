// SPDX-License-Identifier: Apache-2.0
// The provider for MongoDB, on libmongoc. One object serves many threads: each call borrows a
// client from the pool and gives it back. Nothing here keeps state between calls except what the
// server told about itself, and the newest marker.
#pragma once

#include <deque>
#include <mutex>
#include <unordered_set>

#include "database/database.hpp"
#include "database/mongodb/client.hpp"

namespace belay::database {

class Mongodb final : public Database {
 public:
  Mongodb(MongoConfig config, std::unique_ptr<Pool> pool, std::unique_ptr<Pool> patient);

  Result<Facts> describe() override;
  Result<Proofs> prove() override;
  Result<Reach> reach() override;
  Result<Catalogue> catalogue() override;
  Result<WriteCounters> write_counters() override;
  Status scan(const Collection& collection, const std::optional<Bson>& from,
              const std::optional<Position>& position, const DocumentSink& sink,
              std::stop_token stop) override;
  Status fetch(const Namespace& ns, const std::vector<Bson>& ids,
               const DocumentSink& sink) override;
  Result<std::uint64_t> count(const Namespace& ns) override;
  Result<std::uint64_t> estimate(const Namespace& ns) override;
  Result<Position> mark() override;
  Result<Touched> touched(const Position& from, const Position& to, std::stop_token stop) override;
  Result<CaughtUp> catch_up(const Position& from, std::stop_token stop) override;
  Result<std::unique_ptr<Snapshot>> snapshot() override;
  Result<std::vector<NotInserted>> insert(const Namespace& ns,
                                          const std::vector<Bson>& documents) override;
  Result<std::vector<ChangeResult>> apply(const Namespace& ns,
                                          const std::vector<Change>& changes) override;
  Status create(const Namespace& ns, const Bson& options) override;
  Status drop(const Namespace& ns) override;
  Status rename(const Namespace& from, const Namespace& to) override;
  Status create_indexes(const Namespace& ns, const std::vector<Bson>& indexes) override;
  Status drop_index(const Namespace& ns, const std::string& name) override;
  Status modify(const Namespace& ns, const Bson& changes) override;
  Status barrier() override;
  Result<std::uint64_t> matching(const Namespace& ns, const Bson& filter,
                                 std::uint64_t limit) override;

 private:
  friend class Prover;
  // What the server said of itself, asked once. refused: a mongos. unreachable: not a primary.
  Result<Facts> facts();
  // {writeConcern: {w: majority, wtimeout: ...}} for a command.
  void add_majority(Document& command) const;
  Result<std::vector<Collection>> collections_of(const Lease& lease, const std::string& database);
  struct Sent;  // the driver's answer to an insert
  Sent send(const Lease& lease, const Namespace& ns, const void* list, std::size_t count, bool log);
  Result<Proofs> prove_all(const Facts& facts);
  Result<std::uint64_t> count_by_reading(Pool& pool, const Namespace& ns, const Bson& filter,
                                         std::uint64_t limit);
  Status drop_equal(const Namespace& ns, const std::vector<Bson>& documents,
                    std::vector<NotInserted>& refused);

  Result<std::vector<ChangeResult>> apply_plainly(const Namespace& ns,
                                                  const std::vector<Change>& changes, bool unique);
  Result<std::vector<ChangeResult>> apply_in_transaction(const Namespace& ns,
                                                         const std::vector<Change>& changes,
                                                         bool unique);
  enum class Settled { done, not_done, unclear };
  Result<Settled> settle(const Namespace& ns, const std::vector<Change>& changes);
  Result<Bson> write_marker(const Lease& lease, bool log);
  void remove_marker(const Lease& lease, const Bson& id);
  // Where these markers stand in the log, in its order; `before`: seen() before they were written.
  Result<std::vector<Position>> find_markers(const Lease& lease, const std::vector<Bson>& markers,
                                             std::uint64_t before);
  Result<std::vector<Position>> mark_twice();
  Result<std::optional<Position>> find_with_tail(const Lease& lease, const Bson& marker,
                                                 std::uint64_t before);
  // The entries of the last moment before `end`, as digests: they are shown again to the next
  // reading.
  struct Tail {
    Position end;
    std::unordered_set<std::size_t> seen;
  };
  void keep(Tail tail);
  Tail tail_at(const Position& end);
  struct Window {
    bool begins_at_from = false;
    std::optional<Position> end;
    Touched touched;
    Tail tail;
  };
  using IsEnd = std::function<bool(const Position& at, std::string_view entry)>;
  // Reads from `from` until the end shows; `newest`: of what is read.
  Result<Window> read_window(const Lease& lease, const Position& from, std::uint64_t newest,
                             const IsEnd& is_end, std::stop_token stop);
  Result<CaughtUp> read_until(const Lease& lease, const Position& from, std::uint64_t newest,
                              const IsEnd& is_end, std::stop_token stop);

  MongoConfig config_;
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<Pool> patient_;  // for what takes as long as it takes: index builds, counting
  std::mutex facts_lock_;
  std::optional<Facts> facts_;
  std::optional<std::pair<Facts, Proofs>> proved_;  // all of them held on this server
  std::mutex tail_lock_;
  std::deque<Tail> tails_;                       // of the newest readings
  std::atomic<bool> knows_empty_stamps_ = true;  // the server knows bypassEmptyTsReplacement
};

// Where Belay keeps its markers and proofs.
inline constexpr const char* own_database = "belay";

}  // namespace belay::database
