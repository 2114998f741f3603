// SPDX-License-Identifier: Apache-2.0
// What the server is, and making the object.
#include "database/mongodb/mongodb.hpp"

namespace belay::database {
namespace {

constexpr Millis patience = std::chrono::hours(12);

Status is_application_database(const std::string& name) {
  if (name == "admin" || name == "config" || name == "local")
    return fail(Fault::invalid, "the database \"" + name +
                                    "\" is the server's own; name the application's database in "
                                    "the URI (…/NAME) or in belay.yaml");
  if (name == own_database)
    return fail(Fault::invalid, "the database \"" + name +
                                    "\" is where Belay keeps its markers; it cannot be the "
                                    "application's");
  return {};
}

std::optional<TimePoint> date_at(std::string_view document, const char* member) {
  const View view(document);
  bson_iter_t at;
  if (!bson_iter_init_find(&at, view.get(), member) || !BSON_ITER_HOLDS_DATE_TIME(&at))
    return std::nullopt;
  return TimePoint(Millis(bson_iter_date_time(&at)));
}

// The first entry of the log in the given direction of its natural order.
Result<TimePoint> end_of_log(const Lease& lease, std::int32_t direction) {
  Document options;
  options.doc("sort", Document().i32("$natural", direction)).i64("limit", 1);
  const auto log = open_collection(lease, {"local", "oplog.rs"});
  const Document all;
  const Cursor cursor(
      mongoc_collection_find_with_opts(log.get(), all.get(), options.get(), nullptr));
  std::optional<std::uint64_t> stamp;
  const auto take = [&](std::string_view entry) -> Status {
    stamp = stamp_at(entry, "ts");
    return {};
  };
  TRY(drain(lease, cursor.get(), take, {}).in("reading the change log"));
  if (!stamp) return fail(Fault::refused, "the change log shows no entry");
  return TimePoint(std::chrono::seconds(*stamp >> 32));
}

}  // namespace

Result<std::unique_ptr<Database>> make_mongodb(MongoConfig config) {
  TRY_LET(auto pool, Pool::open(config.uri, config.limit, config.trust));
  TRY_LET(auto patient, Pool::open(config.uri, std::max(config.limit, patience), config.trust));
  if (config.names.empty() && !pool->database().empty()) config.names = {pool->database()};
  if (config.names.empty())
    return fail(Fault::invalid,
                "the database's URI names no database; add it after the host "
                "(mongodb://host:27017/NAME), or name it in belay.yaml");
  for (const auto& name : config.names) TRY(is_application_database(name));
  std::sort(config.names.begin(), config.names.end());
  config.names.erase(std::unique(config.names.begin(), config.names.end()), config.names.end());
  return std::unique_ptr<Database>(
      new Mongodb(std::move(config), std::move(pool), std::move(patient)));
}

Mongodb::Mongodb(MongoConfig config, std::unique_ptr<Pool> pool, std::unique_ptr<Pool> patient)
    : config_(std::move(config)), pool_(std::move(pool)), patient_(std::move(patient)) {}

Result<Facts> Mongodb::describe() {
  const Lease lease(*pool_);
  TRY_LET(const Document hello, lease.run("admin", Document().i32("hello", 1), Nature::read));
  TRY_LET(const Document build, lease.run("admin", Document().i32("buildInfo", 1), Nature::read));
  Facts facts;
  facts.version = text_at(build.view(), "version").value_or("unknown");
  facts.replica_set = text_at(hello.view(), "setName").value_or("");
  facts.mongos = text_at(hello.view(), "msg") == "isdbgrid";
  facts.me = text_at(hello.view(), "me").value_or("");
  if (facts.me.empty()) {
    const mongoc_uri_t* uri = mongoc_client_get_uri(lease.get());
    if (const mongoc_host_list_t* first = mongoc_uri_get_hosts(uri))
      facts.me = first->host_and_port;
  }
  if (!facts.mongos && !flag_at(hello.view(), "isWritablePrimary").value_or(true))
    return fail(Fault::unreachable,
                facts.me + " is a secondary of \"" + facts.replica_set +
                    "\" and cannot be written to; add replicaSet=" + facts.replica_set +
                    " to the URI so that the primary is found");
  const std::lock_guard lock(facts_lock_);
  facts_ = facts;
  return facts;
}

Result<Reach> Mongodb::reach() {
  const Lease lease(*pool_);
  TRY_LET(const Document hello, lease.run("admin", Document().i32("hello", 1), Nature::read));
  const auto now = date_at(hello.view(), "localTime");
  if (!now) return fail(Fault::refused, "the server does not tell its clock");
  Reach out{*now, std::nullopt, std::nullopt};
  if (!text_at(hello.view(), "setName")) return out;
  TRY_LET(out.oldest, end_of_log(lease, 1));
  TRY_LET(out.newest, end_of_log(lease, -1));
  return out;
}

Result<Facts> Mongodb::facts() {
  std::optional<Facts> known;
  {
    const std::lock_guard lock(facts_lock_);
    known = facts_;
  }
  if (!known) {
    TRY_LET(known, describe());
  }
  if (known->mongos)
    return fail(Fault::refused,
                "this is a mongos (a sharded cluster): no point at one instant can be taken "
                "through it in this version; name a replica set or a standalone server");
  return std::move(*known);
}

void Mongodb::add_majority(Document& command) const {
  command.doc("writeConcern",
              Document().text("w", "majority").i64("wtimeout", config_.limit.count()));
}

Result<WriteCounters> Mongodb::write_counters() {
  TRY(facts());
  const Lease lease(*pool_);
  TRY_LET(const Document status,
          lease.run("admin", Document().i32("serverStatus", 1), Nature::read));
  const std::string_view all = status.view();
  const bool exact = has(all, "metrics.document.inserted");
  const auto counter = [&](const char* document, const char* operation) {
    return number_at(all, exact ? document : operation);
  };
  const auto inserted = counter("metrics.document.inserted", "opcounters.insert");
  const auto updated = counter("metrics.document.updated", "opcounters.update");
  const auto deleted = counter("metrics.document.deleted", "opcounters.delete");
  if (!inserted || !updated || !deleted)
    return fail(Fault::refused,
                "the server shows no counters of writes (serverStatus): that "
                "nobody wrote cannot be proved here");
  WriteCounters out{*inserted, *updated, *deleted};
  out.ttl_deleted = number_at(all, "metrics.ttl.deletedDocuments").value_or(0);
  out.pid = number_at(all, "pid").value_or(0);
  for (const char* name : {"create", "createIndexes", "drop", "dropDatabase", "dropIndexes",
                           "renameCollection", "collMod", "findAndModify", "bulkWrite"})
    out.commands +=
        number_at(all, ("metrics.commands." + std::string(name) + ".total").c_str()).value_or(0);
  return out;
}

}  // namespace belay::database
