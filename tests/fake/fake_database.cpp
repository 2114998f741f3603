// SPDX-License-Identifier: Apache-2.0
#include "tests/fake/fake_database.hpp"

#include <bson/bson.h>

#include "tests/fake/bson_peek.hpp"

namespace belay::fake {

using database::Bson;
using database::Change;
using database::ChangeResult;
using database::Collection;
using database::Namespace;
using database::Position;
using database::Touched;

namespace {

Bson parse(const std::string& json) {
  auto document = database::from_json(json);
  if (!document) throw std::invalid_argument(json + ": " + document.error().message());
  return std::move(document).value();
}

Bson id_of(const Bson& document) {
  auto id = database::id_of(document);
  if (!id) throw std::invalid_argument("a document without _id: " + database::to_json(document));
  return std::move(id).value();
}

}  // namespace

class FakeSnapshot final : public database::Snapshot {
 public:
  FakeSnapshot(FakeDatabase& database, FakeDatabase::Stores stores)
      : database_(database), stores_(std::move(stores)) {}

  Status fetch(const Namespace& ns, const std::vector<Bson>& ids,
               const database::DocumentSink& sink) override {
    return database_.act<Status>("snapshot_fetch",
                                 [&]() -> Status {
                                   const auto found = stores_.find(ns);
                                   if (found == stores_.end()) return {};
                                   for (const auto& id : ids) {
                                     const auto document = found->second.documents.find(id);
                                     if (document != found->second.documents.end())
                                       TRY(sink(document->second));
                                   }
                                   return {};
                                 },
                                 {});
  }

  Status commit() override {
    return database_.act<Status>("commit", [] { return Status(); }, {});
  }

 private:
  FakeDatabase& database_;
  FakeDatabase::Stores stores_;
};

FakeDatabase::FakeDatabase(std::vector<std::string> names, Server server)
    : names_(std::move(names)), server_(server) {
  if (server_ == Server::standalone) {
    proofs = {false, false, true, true, {"transactions: the server is a standalone"}};
  }
}

// ---- the customers ----

bool FakeDatabase::is_ours(const Namespace& ns) const {
  return std::find(names_.begin(), names_.end(), ns.database) != names_.end();
}

void FakeDatabase::command(const Namespace& ns, const std::string& what) {
  log_.push_back({Entry::Kind::command, ns, "", what, {}});
  counters_.commands += 1;
}

FakeDatabase::Stored& FakeDatabase::make(const Namespace& ns, const Bson& options) {
  Stored& stored = stores_[ns];
  stored.facts.ns = ns;
  stored.facts.options = options;
  stored.facts.capped = truth(options, "capped");
  stored.facts.clustered = !member(options, "clusteredIndex").empty();
  stored.facts.collated = !member(options, "collation").empty();
  if (!text(options, "viewOn").empty()) stored.facts.kind = Collection::Kind::view;
  if (!member(options, "timeseries").empty()) stored.facts.kind = Collection::Kind::time_series;
  if (stored.facts.kind == Collection::Kind::collection) {
    stored.facts.uuid = fmt::format("{:032x}", next_uuid_++);
    stored.facts.indexes = {parse(R"({"v": 2, "key": {"_id": 1}, "name": "_id_"})")};
  }
  command(ns, "create " + ns.text());
  return stored;
}

void FakeDatabase::write(const Namespace& ns, const Bson& document) {
  if (!stores_.contains(ns)) make(ns, parse("{}"));
  Stored& stored = stores_.at(ns);
  const Bson id = id_of(document);
  const auto old = stored.documents.find(id);
  if (old == stored.documents.end()) {
    stored.natural.push_back(id);
    counters_.inserted += 1;
  } else {
    stored.documents.erase(old);  // so that the key has the new id's bytes
    counters_.updated += 1;
  }
  stored.documents.emplace(id, document);
  log_.push_back({Entry::Kind::write, ns, stored.facts.uuid, "", id});
}

bool FakeDatabase::erase_id(const Namespace& ns, const Bson& id) {
  const auto stored = stores_.find(ns);
  if (stored == stores_.end() || stored->second.documents.erase(id) == 0) return false;
  std::erase_if(stored->second.natural,
                [&](const Bson& each) { return database::compare_ids(each, id) == 0; });
  counters_.deleted += 1;
  log_.push_back({Entry::Kind::write, ns, stored->second.facts.uuid, "", id});
  return true;
}

void FakeDatabase::put(const Namespace& ns, const std::string& json) {
  put_raw(ns, parse(json));
}

void FakeDatabase::put_raw(const Namespace& ns, const Bson& document) {
  const std::lock_guard lock(mutex_);
  write(ns, document);
}

void FakeDatabase::erase(const Namespace& ns, const std::string& id_json) {
  const std::lock_guard lock(mutex_);
  erase_id(ns, parse(id_json));
}

std::vector<Bson> FakeDatabase::all(const Namespace& ns) const {
  const std::lock_guard lock(mutex_);
  std::vector<Bson> out;
  const auto stored = stores_.find(ns);
  if (stored == stores_.end()) return out;
  for (const auto& [id, document] : stored->second.documents) out.push_back(document);
  return out;
}

std::optional<Bson> FakeDatabase::one(const Namespace& ns, const std::string& id_json) const {
  const std::lock_guard lock(mutex_);
  const auto stored = stores_.find(ns);
  if (stored == stores_.end()) return std::nullopt;
  const auto document = stored->second.documents.find(parse(id_json));
  if (document == stored->second.documents.end()) return std::nullopt;
  return document->second;
}

std::vector<Namespace> FakeDatabase::namespaces() const {
  const std::lock_guard lock(mutex_);
  std::vector<Namespace> out;
  for (const auto& [ns, stored] : stores_) out.push_back(ns);
  return out;
}

Collection FakeDatabase::facts(const Namespace& ns) const {
  const std::lock_guard lock(mutex_);
  return stores_.at(ns).facts;
}

// ---- reading ----

Result<database::Facts> FakeDatabase::describe() {
  const database::Facts facts{"8.0.0-fake", server_ == Server::replica_set ? "fake" : "",
                              server_ == Server::mongos, "fake:27017"};
  return act<Result<database::Facts>>(
      "describe", [&] { return facts; }, facts);
}

Result<database::Proofs> FakeDatabase::prove() {
  return act<Result<database::Proofs>>(
      "prove", [&] { return proofs; }, proofs);
}

Result<database::Catalogue> FakeDatabase::catalogue() {
  return act<Result<database::Catalogue>>(
      "catalogue",
      [&] {
        const std::lock_guard lock(mutex_);
        database::Catalogue out;
        for (const auto& [ns, stored] : stores_) {
          if (is_ours(ns)) out.push_back(stored.facts);
        }
        return out;
      },
      database::Catalogue{});
}

Result<database::WriteCounters> FakeDatabase::write_counters() {
  return act<Result<database::WriteCounters>>(
      "write_counters",
      [&] {
        const std::lock_guard lock(mutex_);
        return counters_;
      },
      counters_);
}

std::optional<Bson> FakeDatabase::next_document(const Namespace& ns, bool natural,
                                                std::size_t given, const std::optional<Bson>& after,
                                                const std::optional<Bson>& from) const {
  const std::lock_guard lock(mutex_);
  const auto found = stores_.find(ns);
  if (found == stores_.end()) return std::nullopt;
  const Stored& stored = found->second;
  if (natural) {
    if (given >= stored.natural.size()) return std::nullopt;
    return stored.documents.at(stored.natural[given]);
  }
  auto at = stored.documents.begin();
  if (from) at = stored.documents.lower_bound(*from);
  if (after) at = stored.documents.upper_bound(*after);
  return at == stored.documents.end() ? std::nullopt : std::optional(at->second);
}

Status FakeDatabase::scan(const Collection& collection, const std::optional<Bson>& from,
                          const std::optional<Position>&, const database::DocumentSink& sink,
                          std::stop_token stop) {
  return act<Status>(
      "scan",
      [&]() -> Status {
        // As a cursor does: what is written behind it stays unseen, what is written before it is
        // seen.
        std::optional<Bson> last;
        for (std::size_t given = 0;;) {
          if (stop.stop_requested())
            return fail(Fault::cancelled, "stopped while reading " + collection.ns.text());
          const auto document = next_document(collection.ns, collection.capped, given, last, from);
          if (!document) return {};
          TRY(sink(*document));
          last = id_of(*document);
          ++given;
          if (on_scanned) on_scanned(collection.ns, given);
        }
      },
      {}, stop);
}

Status FakeDatabase::fetch(const Namespace& ns, const std::vector<Bson>& ids,
                           const database::DocumentSink& sink) {
  return act<Status>("fetch",
                     [&]() -> Status {
                       for (const auto& id : ids) {
                         std::optional<Bson> document;
                         {
                           const std::lock_guard lock(mutex_);
                           const auto stored = stores_.find(ns);
                           if (stored == stores_.end()) return {};
                           const auto found = stored->second.documents.find(id);
                           if (found != stored->second.documents.end()) document = found->second;
                         }
                         if (document) TRY(sink(*document));
                       }
                       return {};
                     },
                     {});
}

Result<std::uint64_t> FakeDatabase::count(const Namespace& ns) {
  return act<Result<std::uint64_t>>(
      "count",
      [&]() -> Result<std::uint64_t> {
        const std::lock_guard lock(mutex_);
        const auto stored = stores_.find(ns);
        return stored == stores_.end() ? 0 : stored->second.documents.size();
      },
      std::uint64_t{0});
}

// ---- the log ----

Result<Position> FakeDatabase::mark() {
  if (server_ != Server::replica_set) return fail(Fault::refused, "there is no log on this server");
  return act<Result<Position>>(
      "mark",
      [&] {
        const std::lock_guard lock(mutex_);
        log_.push_back({Entry::Kind::marker, {}, "", "", {}});
        return Position{log_.size(), 1};
      },
      Position{});
}

Result<Touched> FakeDatabase::touched(const Position& from, const Position& to,
                                      std::stop_token stop) {
  return act<Result<Touched>>(
      "touched",
      [&]() -> Result<Touched> {
        const std::lock_guard lock(mutex_);
        std::map<Namespace, std::pair<std::string, std::set<Bson>>> ids;
        Touched out;
        if (from.timestamp == 0 || from.term != 1) {
          out.restart = "the log does not reach back";
          out.ids_complete = false;
        }
        for (std::uint64_t i = from.timestamp; i < to.timestamp && i < log_.size(); ++i) {
          const Entry& entry = log_[i];
          if (!is_ours(entry.ns)) continue;
          if (entry.kind == Entry::Kind::command) out.restart = entry.text;
          if (entry.kind != Entry::Kind::write) continue;
          ids[entry.ns].first = entry.uuid;
          ids[entry.ns].second.insert(entry.id);
        }
        for (auto& [ns, entry] : ids) {
          out.count += entry.second.size();
          out.entries.push_back({ns, entry.first, {entry.second.begin(), entry.second.end()}});
        }
        return out;
      },
      Touched{}, stop);
}

Result<std::unique_ptr<database::Snapshot>> FakeDatabase::snapshot() {
  if (server_ != Server::replica_set) return fail(Fault::refused, "no transactions on this server");
  if (on_call) on_call("snapshot");
  Status planned = plan.act<Status>("snapshot", {}, [] { return Status(); }, {});
  if (!planned) return std::move(planned).error();
  const std::lock_guard lock(mutex_);
  return std::unique_ptr<database::Snapshot>(std::make_unique<FakeSnapshot>(*this, stores_));
}

// ---- writing ----

std::string FakeDatabase::duplicate_of(const Stored& stored, const Bson& document) const {
  const Bson id = id_of(document);
  for (const auto& index : stored.facts.indexes) {
    const std::string field = only_field(index);
    if (!truth(index, "unique") || field.empty() || field == "_id") continue;
    const Bson value = member(document, field.c_str());
    for (const auto& [other, existing] : stored.documents) {
      if (database::compare_ids(other, id) != 0 && member(existing, field.c_str()) == value) {
        return "duplicate key in index " + text(index, "name");
      }
    }
  }
  return {};
}

Result<std::vector<database::Database::NotInserted>> FakeDatabase::insert(
    const Namespace& ns, const std::vector<Bson>& documents) {
  using Answer = Result<std::vector<NotInserted>>;
  return act<Answer>(
      "insert",
      [&]() -> Answer {
        const std::lock_guard lock(mutex_);
        if (!stores_.contains(ns)) make(ns, parse("{}"));
        std::vector<NotInserted> out;
        for (const auto& document : documents) {
          Stored& stored = stores_.at(ns);
          const Bson id = id_of(document);
          std::string reason = duplicate_of(stored, document);
          if (stored.documents.contains(id)) reason = "duplicate key in index _id_";
          if (reason.empty()) write(ns, document);
          if (!reason.empty()) out.push_back({id, reason});
        }
        return out;
      },
      std::vector<NotInserted>{});
}

Result<std::vector<ChangeResult>> FakeDatabase::apply_locked(const Namespace& ns,
                                                             const std::vector<Change>& changes) {
  const std::lock_guard lock(mutex_);
  std::vector<ChangeResult> out(changes.size());
  bool all = true;
  const auto stored = stores_.find(ns);
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (stored != stores_.end()) {
      const auto found = stored->second.documents.find(changes[i].id);
      if (found != stored->second.documents.end()) out[i].found = found->second;
    }
    out[i].applied = out[i].found == changes[i].expected;
    if (!out[i].applied) out[i].reason = "changed meanwhile";
    all = all && out[i].applied;
  }
  const Stores before = stores_;
  const std::size_t log_before = log_.size();
  // Deletions first: two documents may have swapped a unique value.
  for (const auto& change : changes) {
    if (all && change.expected) erase_id(ns, change.id);
  }
  for (std::size_t i = 0; all && i < changes.size(); ++i) {
    if (!changes[i].wanted) continue;
    const auto present = stores_.find(ns);
    if (present != stores_.end()) out[i].reason = duplicate_of(present->second, *changes[i].wanted);
    if (out[i].reason.empty()) write(ns, *changes[i].wanted);
    if (!out[i].reason.empty()) all = false;
  }
  if (all) return out;
  stores_ = before;
  log_.resize(log_before);
  for (auto& result : out) result.applied = false;
  return out;
}

Result<std::vector<ChangeResult>> FakeDatabase::apply(const Namespace& ns,
                                                      const std::vector<Change>& changes) {
  using Answer = Result<std::vector<ChangeResult>>;
  return act<Answer>(
      "apply", [&] { return apply_locked(ns, changes); },
      std::vector<ChangeResult>(changes.size(), ChangeResult{true, {}, {}}));
}

Status FakeDatabase::barrier() {
  return act<Status>("barrier",
                     [&]() -> Status {
                       ++barriers_;
                       return {};
                     },
                     {});
}

Result<std::uint64_t> FakeDatabase::matching(const Namespace& ns, const Bson& filter,
                                             std::uint64_t limit) {
  return act<Result<std::uint64_t>>(
      "matching",
      [&]() -> Result<std::uint64_t> {
        std::uint64_t found = 0;
        for (const auto& document : all(ns)) {
          bson_t view;
          bson_iter_t at;
          bson_init_static(&view, reinterpret_cast<const uint8_t*>(filter.data()), filter.size());
          bson_iter_init(&at, &view);
          bool equal = true;
          while (bson_iter_next(&at)) {
            const char* const key = bson_iter_key(&at);
            equal = equal && member(document, key) == member(filter, key);
          }
          if (equal && ++found == limit) break;
        }
        return found;
      },
      std::uint64_t{0});
}

}  // namespace belay::fake
