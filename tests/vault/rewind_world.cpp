// SPDX-License-Identifier: Apache-2.0
#include "tests/vault/rewind_world.hpp"

#include <algorithm>
#include <stdexcept>

namespace belay::vault::testing {

namespace {

using fake::FakeDatabase;

database::Namespace shop(const std::string& name) {
  return {"shop", name};
}

void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message());
}

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return std::move(result).value();
}

void index(FakeDatabase& database, const std::string& name, const std::string& json) {
  must(database.create_indexes(shop(name), {bson(json)}));
}

}  // namespace

database::Bson bson(const std::string& json) {
  return must(database::from_json(json));
}

Everything everything(database::Database& database) {
  Everything all;
  for (const auto& facts : must(database.catalogue())) {
    State state{facts.options, facts.indexes, {}};
    std::sort(state.indexes.begin(), state.indexes.end());
    must(database.scan(facts, {}, {},
                       [&](std::string_view document) -> Status {
                         state.documents.emplace_back(document);
                         return {};
                       },
                       {}));
    all[facts.ns.text()] = std::move(state);
  }
  return all;
}

std::string difference(const Everything& a, const Everything& b) {
  for (const auto& [name, state] : a) {
    auto other = b.find(name);
    if (other == b.end()) return name + " is missing";
    if (state.options != other->second.options)
      return fmt::format("{} options {} / {}", name, database::to_json(state.options),
                         database::to_json(other->second.options));
    if (state.indexes != other->second.indexes) {
      std::string text = name + " indexes:";
      for (const auto& one : state.indexes) text += " " + database::to_json(one);
      text += " /";
      for (const auto& one : other->second.indexes) text += " " + database::to_json(one);
      return text;
    }
    if (state.documents.size() != other->second.documents.size())
      return fmt::format("{} documents {} / {}", name, state.documents.size(),
                         other->second.documents.size());
    for (std::size_t i = 0; i < state.documents.size(); ++i)
      if (state.documents[i] != other->second.documents[i])
        return fmt::format("{} {} / {}", name, database::to_json(state.documents[i]),
                           database::to_json(other->second.documents[i]));
  }
  for (const auto& [name, state] : b)
    if (!a.contains(name)) return name + " is too much";
  return "";
}

void good_shop(FakeDatabase& database, int orders) {
  for (int i = 0; i < orders; ++i)
    database.put(shop("orders"),
                 fmt::format(R"({{"_id": {}, "price": {}, "state": "paid"}})", i, i * 3));
  index(database, "orders", R"({"v": 2, "key": {"price": 1}, "name": "price_1"})");
  database.put(shop("users"), R"({"_id": "a", "email": "a@x", "name": "Kim"})");
  database.put(shop("users"), R"({"_id": "b", "email": "b@x", "name": "Kim"})");
  index(database, "users", R"({"v": 2, "key": {"email": 1}, "name": "email_1", "unique": true})");
  must(database.create(shop("sessions"), bson(R"({"validator": {"user": {"$type": "string"}}})")));
  database.put(shop("sessions"),
               R"({"_id": 1, "user": "a", "at": {"$date": "2026-11-23T00:00:00Z"}})");
  database.put(shop("sessions"),
               R"({"_id": 2, "user": "b", "at": {"$date": "2026-11-23T00:00:00Z"}})");
  index(database, "sessions",
        R"({"v": 2, "key": {"at": 1}, "name": "at_1", "expireAfterSeconds": 86400})");
  for (int i = 0; i < 5; ++i)
    database.put(shop("coupons"), fmt::format(R"({{"_id": {}, "off": 10}})", i));
  index(database, "coupons", R"({"v": 2, "key": {"off": 1}, "name": "off_1"})");
  database.put(shop("people"), R"({"_id": 1, "who": "Ada"})");
  database.put(shop("people"), R"({"_id": 2, "who": "Bob"})");
  must(database.create(shop("log"), bson(R"({"capped": true, "size": 100000})")));
  for (int i : {3, 1, 2})
    database.put(shop("log"), fmt::format(R"({{"_id": {}, "line": "start"}})", i));
  must(database.create(shop("places"),
                       bson(R"({"clusteredIndex": {"key": {"_id": 1}, "unique": true}})")));
  for (int i = 0; i < 4; ++i)
    database.put(shop("places"), fmt::format(R"({{"_id": {}, "city": "Ulm"}})", i));
  must(database.create(shop("paid"), bson(R"({"viewOn": "orders", "pipeline": []})")));
  database.put(shop("untouched"), R"({"_id": 1})");
}

void bad_migration(FakeDatabase& database, int orders) {
  for (int i = 0; i < orders; ++i)
    database.put(shop("orders"),
                 fmt::format(R"({{"_id": {}, "price": "{}", "state": "paid"}})", i, i * 3));
  database.put(shop("orders"),
               R"({"_id": 7.0, "price": 21, "state": "paid"})");  // another type of id
  database.put(shop("orders"), R"({"_id": 8, "state": "paid", "price": 24})");  // another order
  for (int i = 10; i < 13; ++i) database.erase(shop("orders"), fmt::format(R"({{"_id": {}}})", i));
  database.put(shop("orders"), R"({"_id": "new", "price": 1})");
  must(database.drop_index(shop("orders"), "price_1"));
  index(database, "orders", R"({"v": 2, "key": {"price": -1}, "name": "price_-1"})");
  database.put(shop("users"), R"({"_id": "a", "email": "b@x", "name": "Kim A"})");
  database.put(shop("users"), R"({"_id": "b", "email": "a@x", "name": "Kim B"})");
  index(database, "users", R"({"v": 2, "key": {"name": 1}, "name": "name_1", "unique": true})");
  must(database.modify(shop("sessions"), bson(R"({"validator": {"user": {"$type": "int"}}})")));
  must(database.modify(shop("sessions"),
                       bson(R"({"index": {"name": "at_1", "expireAfterSeconds": 60}})")));
  database.put(shop("sessions"),
               R"({"_id": 1, "user": 1, "at": {"$date": "2026-11-23T00:00:00Z"}})");
  must(database.drop(shop("coupons")));
  database.put(shop("vouchers"), R"({"_id": 1, "off": 10})");
  index(database, "vouchers", R"({"v": 2, "key": {"off": 1}, "name": "off_1"})");
  must(database.rename(shop("people"), shop("persons")));
  database.put(shop("people"), R"({"_id": 1, "who": "nobody"})");
  database.put(shop("persons"), R"({"_id": 2, "who": "Bobby"})");
  database.put(shop("log"), R"({"_id": 4, "line": "migrated"})");
  must(database.drop(shop("places")));
  for (int i = 0; i < 3; ++i)
    database.put(shop("places"), fmt::format(R"({{"_id": {}, "city": "Ulm"}})", i));
  database.put(shop("places"), R"({"_id": 9, "city": "Bonn"})");
  must(database.drop(shop("paid")));
  must(database.create(shop("paid"), bson(R"({"viewOn": "orders", "pipeline": [{"$limit": 1}]})")));
}

World::World(std::map<std::string, std::string> objects) {
  if (!objects.empty()) storage.set_objects(std::move(objects));
  reopen();
}

void World::reopen() {
  vault = must(open_vault(storage, Secret(std::string(64, 'a')), clock, random));
}

RewindRequest request(const std::string& name, const std::string& run,
                      const std::vector<std::string>& databases) {
  return {name, "shop", "production", run, std::string(64, run.front()), databases};
}

Point point_of(database::Database& database, Vault& vault, const std::string& name) {
  Point point;
  point.name = name;
  point.kind = "manual";
  point.project = "shop";
  point.environment = "production";
  point.started = point.finished = SystemClock().now();
  point.databases = {"shop"};
  point.exact = true;
  point.method = "fenced";
  for (const auto& facts : must(database.catalogue())) {
    SavedCollection saved;
    saved.facts = facts;
    point.databases = {facts.ns.database};
    auto layer = vault.write_layer();
    if (facts.kind != database::Collection::Kind::view)
      must(database.scan(facts, {}, {}, [&](std::string_view one) { return layer->add(one); }, {}));
    saved.base = must(layer->finish());
    saved.documents = saved.base.documents;
    saved.bytes = saved.base.bytes;
    point.documents += saved.documents;
    point.collections.push_back(std::move(saved));
  }
  must(vault.commit(point));
  return point;
}

Point World::take(const std::string& name) {
  return point_of(database, *vault, name);
}

Result<RewindReport> World::rewind(const Point& to, const std::string& name) {
  return vault::rewind(database, *vault, to, request(name), clock, {}, {});
}

Result<RewindReport> World::undo(const std::string& salvage, const std::string& name) {
  return undo_rewind(database, *vault, salvage, request(name, "8"), clock, {}, {});
}

Preview World::preview(const Point& to) {
  return must(preview_rewind(database, *vault, to, {}, {}));
}

bool World::wrote_to_database() const {
  static const std::vector<std::string> reads{"describe", "prove",    "catalogue", "write_counters",
                                              "scan",     "fetch",    "count",     "mark",
                                              "touched",  "matching", "barrier"};
  const auto calls = database.plan.calls();
  return std::any_of(calls.begin() + static_cast<std::ptrdiff_t>(calls_before), calls.end(),
                     [](const std::string& call) {
                       return std::find(reads.begin(), reads.end(), call) == reads.end();
                     });
}

}  // namespace belay::vault::testing
