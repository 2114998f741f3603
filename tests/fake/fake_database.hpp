// SPDX-License-Identifier: Apache-2.0
// A database in memory: catalogue, documents in `_id` order, change log, transactions, unique
// indexes of single fields; with a fault plan by method name ("scan", "insert", "commit", ...) and
// hooks that play concurrent writers at exact places. Safe from many threads; a hook may call any
// method.
#pragma once

#include <map>
#include <mutex>
#include <set>

#include "database/database.hpp"
#include "tests/fake/fault_plan.hpp"

namespace belay::fake {

class FakeDatabase final : public database::Database {
 public:
  using Bson = database::Bson;
  using Namespace = database::Namespace;

  enum class Server { replica_set, standalone, mongos };
  explicit FakeDatabase(std::vector<std::string> names = {"shop"},
                        Server server = Server::replica_set);

  // ---- what a test sets up ----
  FaultPlan plan;
  database::Proofs proofs{true, true, true, true, {}};
  // After each document that a scan gave: the number given so far.
  std::function<void(const Namespace&, std::uint64_t)> on_scanned;
  // At the beginning of every method: its name.
  std::function<void(const std::string&)> on_call;

  // ---- the customers: writes that the log shows ----
  void put(const Namespace& ns, const std::string& json);  // upsert; creates the collection
  void put_raw(const Namespace& ns, const Bson& document);
  void erase(const Namespace& ns, const std::string& id_json);  // {"_id": ...}
  // ---- looking without counting ----
  std::vector<Bson> all(const Namespace& ns) const;
  std::optional<Bson> one(const Namespace& ns, const std::string& id_json) const;
  std::vector<Namespace> namespaces() const;
  database::Collection facts(const Namespace& ns) const;
  std::uint64_t barriers() const { return barriers_; }

  // ---- Database ----
  Result<database::Facts> describe() override;
  Result<database::Proofs> prove() override;
  Result<database::Catalogue> catalogue() override;
  Result<database::WriteCounters> write_counters() override;
  Status scan(const database::Collection& collection, const std::optional<Bson>& from,
              const std::optional<database::Position>& position, const database::DocumentSink& sink,
              std::stop_token stop) override;
  Status fetch(const Namespace& ns, const std::vector<Bson>& ids,
               const database::DocumentSink& sink) override;
  Result<std::uint64_t> count(const Namespace& ns) override;
  Result<database::Position> mark() override;
  Result<database::Touched> touched(const database::Position& from, const database::Position& to,
                                    std::stop_token stop) override;
  Result<std::unique_ptr<database::Snapshot>> snapshot() override;
  Result<std::vector<NotInserted>> insert(const Namespace& ns,
                                          const std::vector<Bson>& documents) override;
  Result<std::vector<database::ChangeResult>> apply(
      const Namespace& ns, const std::vector<database::Change>& changes) override;
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
  friend class FakeSnapshot;
  struct ById {
    bool operator()(const Bson& a, const Bson& b) const { return database::compare_ids(a, b) < 0; }
  };
  struct Stored {
    database::Collection facts;
    std::map<Bson, Bson, ById> documents;
    std::vector<Bson> natural;  // ids in the order of insertion, for capped ones
  };
  struct Entry {
    enum class Kind { marker, write, command } kind;
    Namespace ns;
    std::string uuid, text;
    Bson id;
  };
  using Stores = std::map<Namespace, Stored>;

  template <class Answer>
  Answer act(const std::string& name, const std::function<Answer()>& effect, Answer lied,
             std::stop_token stop = {}) {
    if (on_call) on_call(name);
    return plan.act<Answer>(
        name, stop, [&] { return effect(); }, std::move(lied));
  }
  Stored& make(const Namespace& ns, const Bson& options);
  void write(const Namespace& ns, const Bson& document);
  bool erase_id(const Namespace& ns, const Bson& id);
  void command(const Namespace& ns, const std::string& text);
  std::string duplicate_of(const Stored& stored, const Bson& document) const;
  std::optional<Bson> next_document(const Namespace& ns, bool natural, std::size_t given,
                                    const std::optional<Bson>& after,
                                    const std::optional<Bson>& from) const;
  Result<std::vector<database::ChangeResult>> apply_locked(
      const Namespace& ns, const std::vector<database::Change>& changes);
  bool is_ours(const Namespace& ns) const;

  mutable std::recursive_mutex mutex_;
  std::vector<std::string> names_;
  Server server_;
  Stores stores_;
  std::vector<Entry> log_;
  std::uint64_t barriers_ = 0, next_uuid_ = 1;
  database::WriteCounters counters_{0, 0, 0, 0, 4711, 0};
};

}  // namespace belay::fake
