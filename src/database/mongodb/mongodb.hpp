// SPDX-License-Identifier: Apache-2.0
// The provider for MongoDB, on libmongoc. One object serves many threads: each call borrows a
// client from the pool and gives it back. Nothing here keeps state between calls except what the
// server told about itself, and the newest marker.
#pragma once

#include <mutex>

#include "database/database.hpp"
#include "database/mongodb/driver.hpp"

namespace belay::database {

class Mongodb final : public Database {
 public:
  Mongodb(MongoConfig config, std::unique_ptr<Pool> pool);

  Result<Facts> describe() override;
  Result<Proofs> prove() override;
  Result<Catalogue> catalogue() override;
  Result<WriteCounters> write_counters() override;
  Status scan(const Collection& collection, const std::optional<Bson>& from,
              const std::optional<Position>& position, const DocumentSink& sink,
              std::stop_token stop) override;
  Status fetch(const Namespace& ns, const std::vector<Bson>& ids,
               const DocumentSink& sink) override;
  Result<std::uint64_t> count(const Namespace& ns) override;
  Result<Position> mark() override;
  Result<Touched> touched(const Position& from, const Position& to, std::stop_token stop) override;
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
  MongoConfig config_;
  std::unique_ptr<Pool> pool_;
};

}  // namespace belay::database
