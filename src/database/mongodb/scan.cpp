// SPDX-License-Identifier: Apache-2.0
// Reading: majority, after a position, from the primary.
#include "database/mongodb/mongodb.hpp"

namespace belay::database {
namespace {

constexpr std::int32_t big_batch = 100'000;  // the server ends a batch at 16 MB anyway
// Enough that round trips do not matter; servers that compare each id with each are spared.
constexpr std::size_t ids_at_once = 128;
constexpr std::size_t id_bytes_at_once = std::size_t{4} << 20;

Document by_id() {
  return std::move(Document().i32("_id", 1));
}

// `_id` order by the `_id` index. A clustered collection has none: its own order is that of `_id`.
// A capped collection has an order of its own. Ranges are min/max: $gte stays within one type.
Document scan_options(const Collection& collection, const std::optional<Bson>& from) {
  Document out;
  out.i32("batchSize", big_batch);
  if (collection.capped) {
    out.doc("hint", Document().i32("$natural", 1));
    return out;
  }
  out.doc("sort", by_id());
  if (!collection.clustered || from) out.doc("hint", by_id());
  if (from) out.doc("min", *from);
  return out;
}

void add_read_concern(Document& options, bool log) {
  if (log) options.doc("readConcern", Document().text("level", "majority"));
}

Status find_by_ids(const Lease& lease, const Namespace& ns, const std::vector<Bson>& ids,
                   const Document& options, const DocumentSink& sink) {
  const auto collection = open_collection(lease, ns);
  Document filter;
  filter.doc("_id", Document().values("$in", ids));
  const Cursor cursor(
      mongoc_collection_find_with_opts(collection.get(), filter.get(), options.get(), nullptr));
  return drain(lease, cursor.get(), sink, {});
}

// Everything later relies on the order, and servers exist that keep it for most ids only: looked at
// while reading, so that a difference is an error here and not a wrong restore point.
class OrderGuard {
 public:
  OrderGuard(const Collection& collection, const DocumentSink& sink)
      : collection_(collection),
        sink_(sink),
        watching_(!collection.capped && !collection.collated) {}

  Status operator()(std::string_view document) {
    if (!watching_) return sink_(document);
    TRY_LET(Bson id, id_of(document));
    if (!last_.empty() && compare_ids(last_, id) >= 0)
      return fail(Fault::refused, "the server gives " + to_json(id, 120) + " after " +
                                      to_json(last_, 120) + " in " + collection_.ns.text() +
                                      ": it does not sort these ids as MongoDB does, and Belay "
                                      "cannot compare such a collection with a restore point");
    last_ = std::move(id);
    return sink_(document);
  }

 private:
  const Collection& collection_;
  const DocumentSink& sink_;
  bool watching_;
  Bson last_;
};

}  // namespace

Status fetch_ids(const Lease& lease, const Namespace& ns, const std::vector<Bson>& ids,
                 const Document& options, const DocumentSink& sink) {
  std::vector<Bson> some;
  std::size_t bytes = 0;
  for (const auto& id : ids) {
    some.push_back(id);
    bytes += id.size();
    if (some.size() < ids_at_once && bytes < id_bytes_at_once) continue;
    TRY(find_by_ids(lease, ns, some, options, sink));
    some.clear();
    bytes = 0;
  }
  if (some.empty()) return {};
  return find_by_ids(lease, ns, some, options, sink);
}

Status Mongodb::scan(const Collection& collection, const std::optional<Bson>& from,
                     const std::optional<Position>& position, const DocumentSink& sink,
                     std::stop_token stop) {
  TRY_LET(const Facts facts, this->facts());
  if (collection.kind != Collection::Kind::collection) return {};  // a view has no documents
  if (collection.capped && from)
    return fail(Fault::refused, collection.ns.text() +
                                    " is capped: it has no `_id` order to go on from; read it "
                                    "from its beginning");
  const bool log = !facts.replica_set.empty();
  const Lease lease(*pool_);
  TRY_LET(const Session session, Session::start(lease, log, position ? position->timestamp : 0));
  Document options = scan_options(collection, from);
  add_read_concern(options, log);
  TRY(session.add_to(options));
  const auto handle = open_collection(lease, collection.ns);
  const Cursor cursor(
      mongoc_collection_find_with_opts(handle.get(), Document().get(), options.get(), nullptr));
  OrderGuard guard(collection, sink);
  const auto guarded = [&](std::string_view document) { return guard(document); };
  return drain(lease, cursor.get(), guarded, stop).in("reading " + collection.ns.text());
}

Status Mongodb::fetch(const Namespace& ns, const std::vector<Bson>& ids, const DocumentSink& sink) {
  TRY_LET(const Facts facts, this->facts());
  const bool log = !facts.replica_set.empty();
  const Lease lease(*pool_);
  TRY_LET(const Session session, Session::start(lease, log));
  Document options;
  options.i32("batchSize", big_batch);
  add_read_concern(options, log);
  TRY(session.add_to(options));
  return fetch_ids(lease, ns, ids, options, sink).in("reading from " + ns.text());
}

Result<std::uint64_t> Mongodb::count(const Namespace& ns) {
  return count_by_reading(*patient_, ns, Document().bytes(), 0);
}

Result<std::uint64_t> Mongodb::estimate(const Namespace& ns) {
  TRY(facts());
  const Lease lease(*pool_);
  TRY_LET(const Document reply,
          lease.run(ns.database, Document().text("count", ns.collection), Nature::read)
              .in("counting " + ns.text()));
  return static_cast<std::uint64_t>(number_at(reply.view(), "n").value_or(0));
}

Result<std::uint64_t> Mongodb::matching(const Namespace& ns, const Bson& filter,
                                        std::uint64_t limit) {
  return count_by_reading(*pool_, ns, filter, limit);
}

// Not from the collection's own counter: that one may be wrong after a crash.
Result<std::uint64_t> Mongodb::count_by_reading(Pool& pool, const Namespace& ns, const Bson& filter,
                                                std::uint64_t limit) {
  TRY(facts());
  std::vector<Bson> stages = {Document().doc("$match", filter).bytes()};
  if (limit > 0)
    stages.push_back(Document().i64("$limit", static_cast<std::int64_t>(limit)).bytes());
  stages.push_back(Document().text("$count", "n").bytes());
  Document command;
  command.text("aggregate", ns.collection).array("pipeline", stages).doc("cursor", Document());
  const Lease lease(pool);
  TRY_LET(const Document reply,
          lease.run(ns.database, command, Nature::read).in("counting in " + ns.text()));
  return static_cast<std::uint64_t>(number_at(reply.view(), "cursor.firstBatch.0.n").value_or(0));
}

}  // namespace belay::database
