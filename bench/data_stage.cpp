// SPDX-License-Identifier: Apache-2.0
#include "bench/data_stage.hpp"

#include <mongoc/mongoc.h>

namespace belay::bench {

DataStage::DataStage(int log_entries)
    : folder(must(ScratchFolder::make("belay-bench"))),
      server(must(MongoServer::start(MongoServer::Mode::replica_set, log_entries))),
      store(storage::make_local(folder.path() / "vault")),
      vault(must(vault::open_vault(*store, Secret(std::string(64, 'a')), clock, random))),
      database(connect()) {}

std::unique_ptr<database::Database> DataStage::connect() const {
  database::MongoConfig config;
  config.uri = Secret(server->uri("shop"));
  config.limit =
      std::chrono::minutes(10);  // the stand-in reads a collection whole before it answers
  return must(database::make_mongodb(std::move(config)));
}

vault::Point DataStage::take(const std::string& name) {
  vault::BackupRequest request;
  request.name = name;
  request.kind = "manual";
  return must(vault::take_restore_point(*database, *vault, request, clock, {}, {}));
}

vault::RewindReport DataStage::rewind(const vault::Point& to, const std::string& name) {
  return must(
      vault::rewind(*database, *vault, to, {name, "", "", "", "", to.databases}, clock, {}, {}));
}

Bson order(std::int32_t number) {
  bson_t out = BSON_INITIALIZER;
  BSON_APPEND_INT32(&out, "_id", number);
  BSON_APPEND_UTF8(&out, "customer", fmt::format("customer-{:05}", number * 7919 % 20011).c_str());
  BSON_APPEND_INT32(&out, "total", number * 31 % 100'003);
  // Text that compresses about as well as prose does.
  std::string note;
  for (int i = 0; note.size() < 180; ++i)
    note += fmt::format("{} of item {:x}; ", 1 + (number + i) % 9, number * 40503U + i * 9973U);
  BSON_APPEND_UTF8(&out, "note", note.c_str());
  Bson bytes(reinterpret_cast<const char*>(bson_get_data(&out)), out.len);
  bson_destroy(&out);
  return bytes;
}

Bson text_document(std::int32_t number, std::string_view text) {
  bson_t out = BSON_INITIALIZER;
  BSON_APPEND_INT32(&out, "_id", number);
  bson_append_utf8(&out, "text", -1, text.data(), static_cast<int>(text.size()));
  Bson bytes(reinterpret_cast<const char*>(bson_get_data(&out)), out.len);
  bson_destroy(&out);
  return bytes;
}

void load_orders(DataStage& stage, std::int32_t count) {
  const database::Namespace ns{"shop", "orders"};
  constexpr std::int32_t at_once = 5000;
  for (std::int32_t from = 0; from < count; from += at_once) {
    std::vector<Bson> documents;
    for (auto n = from; n < std::min(count, from + at_once); ++n) documents.push_back(order(n));
    must(stage.database->insert(ns, documents));
  }
  must(stage.server->command("shop", R"({"createIndexes": "orders", "indexes": [
      {"key": {"customer": 1}, "name": "customer_1"}, {"key": {"total": 1}, "name": "total_1"}]})"));
}

std::vector<Bson> read_all(database::Database& database, const database::Namespace& ns) {
  std::vector<Bson> out;
  database::Collection collection;
  collection.ns = ns;
  const auto take = [&](std::string_view document) -> Status {
    out.emplace_back(document);
    return {};
  };
  must(database.scan(collection, std::nullopt, std::nullopt, take, {}));
  return out;
}

namespace {

struct View {
  explicit View(std::string_view bytes) {
    if (!bson_init_static(&bson, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()))
      must(fail(Fault::invalid, "not BSON"));
  }
  bson_t bson;
};

void replace_some(mongoc_collection_t* collection, const std::vector<Bson>& documents,
                  std::size_t from, std::size_t to) {
  mongoc_bulk_operation_t* bulk =
      mongoc_collection_create_bulk_operation_with_opts(collection, nullptr);
  bson_error_t error;
  for (auto i = from; i < to; ++i) {
    const Bson id = must(database::id_of(documents[i]));
    const View selector(id), document(documents[i]);
    if (!mongoc_bulk_operation_replace_one_with_opts(bulk, &selector.bson, &document.bson, nullptr,
                                                     &error))
      must(fail(Fault::invalid, error.message));
  }
  const bool ok = mongoc_bulk_operation_execute(bulk, nullptr, &error) != 0;
  mongoc_bulk_operation_destroy(bulk);
  if (!ok) must(fail(Fault::refused, error.message));
}

}  // namespace

void plainly_replace(const MongoServer& server, const database::Namespace& ns,
                     const std::vector<Bson>& documents) {
  mongoc_client_t* client = mongoc_client_new(server.uri("shop").c_str());
  auto* collection =
      mongoc_client_get_collection(client, ns.database.c_str(), ns.collection.c_str());
  constexpr std::size_t at_once = 500;
  for (std::size_t from = 0; from < documents.size(); from += at_once)
    replace_some(collection, documents, from, std::min(documents.size(), from + at_once));
  mongoc_collection_destroy(collection);
  mongoc_client_destroy(client);
}

}  // namespace belay::bench
