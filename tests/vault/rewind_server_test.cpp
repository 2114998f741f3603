// SPDX-License-Identifier: Apache-2.0
// Rewinds on a real server: what a migration can do to a database, and back.
#include <gtest/gtest.h>

#include "tests/support/mongo_server.hpp"
#include "tests/vault/rewind_world.hpp"
#include "vault/bson_facts.hpp"

namespace belay::vault::testing {
namespace {

using belay::testing::MongoServer;

MongoServer& server(MongoServer::Mode mode) {
  static std::map<MongoServer::Mode, std::unique_ptr<MongoServer>> servers;
  auto& one = servers[mode];
  if (!one) {
    auto started = MongoServer::start(mode);
    if (!started) throw std::runtime_error(started.error().message());
    one = std::move(*started);
  }
  return *one;
}

// A database of its own on the real server, and a vault in memory.
struct Real : ::testing::TestWithParam<MongoServer::Mode> {
  MongoServer& mongo = server(GetParam());
  std::string name;
  std::unique_ptr<database::Database> database;
  World world;
  Everything good;
  std::optional<Point> point;

  void SetUp() override {
    static int number = 0;
    name = fmt::format("shop{}", ++number);
    open();
  }
  void open() {
    database::MongoConfig config;
    config.uri = Secret(mongo.uri(name));
    auto made = database::make_mongodb(std::move(config));
    ASSERT_TRUE(made) << made.error().message();
    database = std::move(*made);
  }
  void run(const std::string& json) {
    auto reply = mongo.command(name, json);
    ASSERT_TRUE(reply) << json << ": " << reply.error().message();
    ASSERT_EQ(reply->find("writeErrors"), reply->npos) << *reply;
  }
  void insert(const std::string& collection, const std::vector<std::string>& json) {
    auto done = mongo.insert(name, collection, json);
    ASSERT_TRUE(done) << done.error().message();
  }
  void insert_raw(const std::string& collection, const std::vector<database::Bson>& documents) {
    auto done = mongo.insert_raw(name, collection, documents);
    ASSERT_TRUE(done) << done.error().message();
  }
  void take() {
    good = everything(*database);
    point = point_of(*database, *world.vault, "rp-1");
  }
  RewindRequest as(const std::string& salvage) const { return request(salvage, "7", {name}); }
  // Back to the point, then back to the bad state, then to the good one again.
  RewindReport there_and_back() {
    const auto bad = everything(*database);
    RewindReport first;
    [&] {
      auto report = rewind(*database, *world.vault, *point, as("s1"), world.clock, {}, {});
      ASSERT_TRUE(report) << report.error().message();
      first = *report;
      ASSERT_EQ(difference(good, everything(*database)), "");
      auto again = rewind(*database, *world.vault, *point, as("s2"), world.clock, {}, {});
      ASSERT_TRUE(again) << again.error().message();
      EXPECT_EQ(again->salvage, "") << "a second rewind found a difference";
      auto undone = undo_rewind(*database, *world.vault, "s1", as("u1"), world.clock, {}, {});
      ASSERT_TRUE(undone) << undone.error().message();
      ASSERT_EQ(difference(bad, everything(*database)), "");
      auto redone = undo_rewind(*database, *world.vault, "u1", as("u2"), world.clock, {}, {});
      ASSERT_TRUE(redone) << redone.error().message();
      ASSERT_EQ(difference(good, everything(*database)), "");
    }();
    return first;
  }
};

TEST_P(Real, DocumentsOfEveryKindOfChange) {
  insert("orders",
         {R"({"_id": 1, "price": 1})", R"({"_id": 2, "price": 2})", R"({"_id": 3, "a": 1, "b": 2})",
          R"({"_id": "x", "price": 4})", R"({"_id": {"a": 1}, "price": 5})",
          R"({"_id": {"$oid": "0123456789abcdef01234567"}, "price": 6})"});
  take();
  run(R"({"update": "orders", "updates": [{"q": {"_id": 1}, "u": {"_id": 1, "price": "1"}}]})");
  run(R"({"delete": "orders", "deletes": [{"q": {"_id": 2}, "limit": 1}]})");
  run(R"({"update": "orders", "updates": [{"q": {"_id": 3}, "u": {"_id": 3, "b": 2, "a": 1}}]})");
  run(R"({"update": "orders", "updates": [{"q": {"_id": {"a": 1}}, "u": {"$set": {"price": 55}}}]})");
  insert("orders", {R"({"_id": 7, "price": 7})"});
  const auto report = there_and_back();
  ASSERT_EQ(report.done.differences.size(), 1U);
  EXPECT_EQ(report.done.differences[0].reverted, 3U);
  EXPECT_EQ(report.done.differences[0].removed, 1U);
  EXPECT_EQ(report.done.differences[0].brought_back, 1U);
  EXPECT_EQ(report.verified, 5U);
}

TEST_P(Real, IdsThatAreEqualButOfAnotherType) {
  insert("orders", {R"({"_id": 1, "v": 1})", R"({"_id": {"$numberLong": "2"}, "v": 1})",
                    R"({"_id": 3.0, "v": 1})", R"({"_id": {"k": 4}, "v": 1})"});
  take();
  run(R"({"delete": "orders", "deletes": [{"q": {}, "limit": 0}]})");
  insert("orders", {R"({"_id": 1.0, "v": 1})", R"({"_id": 2, "v": 1})",
                    R"({"_id": {"$numberLong": "3"}, "v": 1})", R"({"_id": {"k": 4.0}, "v": 1})"});
  there_and_back();
}

TEST_P(Real, SwappedValuesOfAUniqueIndexAcrossBatches) {
  std::vector<std::string> documents;
  for (int i = 0; i < 1200; ++i)
    documents.push_back(fmt::format(R"({{"_id": {}, "code": {}}})", i, i));
  insert("users", documents);
  run(R"({"createIndexes": "users", "indexes": [{"key": {"code": 1}, "name": "code_1", "unique": true}]})");
  take();
  run(R"({"dropIndexes": "users", "index": "code_1"})");
  run(R"({"delete": "users", "deletes": [{"q": {}, "limit": 0}]})");
  documents.clear();
  for (int i = 0; i < 1200; ++i)
    documents.push_back(fmt::format(R"({{"_id": {}, "code": {}}})", i, 1199 - i));
  insert("users", documents);
  run(R"({"createIndexes": "users", "indexes": [{"key": {"code": 1}, "name": "code_1", "unique": true}]})");
  there_and_back();
}

TEST_P(Real, AUniqueIndexThatTheMigrationAdded) {
  insert("users", {R"({"_id": 1, "name": "Kim"})", R"({"_id": 2, "name": "Kim"})"});
  take();
  run(R"({"update": "users", "updates": [{"q": {"_id": 2}, "u": {"_id": 2, "name": "Kim 2"}}]})");
  run(R"({"createIndexes": "users", "indexes": [{"key": {"name": 1}, "name": "name_1", "unique": true}]})");
  there_and_back();
}

TEST_P(Real, IndexesDroppedAddedAndChanged) {
  insert("orders", {R"({"_id": 1, "a": 1, "b": 1})"});
  run(R"({"createIndexes": "orders", "indexes": [{"key": {"a": 1}, "name": "a_1"},
      {"key": {"b": 1, "a": -1}, "name": "b", "sparse": true}]})");
  take();
  run(R"({"dropIndexes": "orders", "index": "a_1"})");
  run(R"({"dropIndexes": "orders", "index": "b"})");
  run(R"({"createIndexes": "orders", "indexes": [{"key": {"b": 1}, "name": "b"}]})");
  const auto report = there_and_back();
  EXPECT_EQ(report.done.total(), 0U);
  EXPECT_EQ(report.done.differences[0].catalogue.size(), 2U);
}

TEST_P(Real, CollectionsDroppedAddedEmptiedAndRenamed) {
  insert("coupons", {R"({"_id": 1, "off": 10})", R"({"_id": 2, "off": 20})"});
  run(R"({"createIndexes": "coupons", "indexes": [{"key": {"off": 1}, "name": "off_1"}]})");
  insert("people", {R"({"_id": 1, "who": "Ada"})"});
  insert("carts", {R"({"_id": 1})", R"({"_id": 2})"});
  run(R"({"create": "empty"})");
  take();
  run(R"({"drop": "coupons"})");
  run(R"({"drop": "empty"})");
  run(R"({"delete": "carts", "deletes": [{"q": {}, "limit": 0}]})");
  auto renamed = mongo.command(
      "admin", fmt::format(R"({{"renameCollection": "{0}.people", "to": "{0}.persons"}})", name));
  ASSERT_TRUE(renamed) << renamed.error().message();
  insert("people", {R"({"_id": 9, "who": "nobody"})"});
  insert("vouchers", {R"({"_id": 1})"});
  run(R"({"createIndexes": "vouchers", "indexes": [{"key": {"off": 1}, "name": "off_1"}]})");
  there_and_back();
}

TEST_P(Real, ACollectionDroppedAndMadeAnewUnderItsName) {
  insert("orders", {R"({"_id": 1, "v": 1})", R"({"_id": 2, "v": 2})"});
  take();
  run(R"({"drop": "orders"})");
  insert("orders", {R"({"_id": 2, "v": 2})", R"({"_id": 3, "v": 3})"});
  there_and_back();
}

TEST_P(Real, AValidatorThatRefusesTheOldDocuments) {
  run(R"({"create": "orders", "validator": {"price": {"$type": "int"}}})");
  insert("orders", {R"({"_id": 1, "price": 5})"});
  take();
  run(R"({"collMod": "orders", "validator": {"price": {"$type": "string"}}, "validationLevel": "strict"})");
  run(R"({"update": "orders", "updates": [{"q": {"_id": 1}, "u": {"_id": 1, "price": "5"}}]})");
  const auto bad = everything(*database);
  auto report = rewind(*database, *world.vault, *point, as("s1"), world.clock, {}, {});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(everything(*database)[name + ".orders"].documents, good[name + ".orders"].documents);
  auto again = preview_rewind(*database, *world.vault, *point, {}, {});
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_TRUE(again->differences.empty());
  auto refused =
      mongo.command(name, R"({"insert": "orders", "documents": [{"_id": 2, "price": "x"}]})");
  EXPECT_TRUE(!refused || refused->find("rror") != refused->npos)
      << "the old validator is not in force";
}

TEST_P(Real, ExpiryThatTheMigrationShortenedRemovesNothing) {
  insert("sessions", {R"({"_id": 1, "at": {"$date": "2026-11-01T00:00:00Z"}})", R"({"_id": 2})"});
  run(R"({"createIndexes": "sessions", "indexes": [{"key": {"at": 1}, "name": "at_1", "expireAfterSeconds": 999999999}]})");
  take();
  run(R"({"collMod": "sessions", "index": {"name": "at_1", "expireAfterSeconds": 888888888}})");
  run(R"({"update": "sessions", "updates": [{"q": {"_id": 1}, "u": {"_id": 1, "at": 5}}]})");
  const auto report = there_and_back();
  EXPECT_EQ(report.done.differences.size(), 1U);
}

TEST_P(Real, OptionsThatOnlyANewCollectionCanHave) {
  run(R"({"create": "log", "capped": true, "size": 100000})");
  insert("log", {R"({"_id": 3})", R"({"_id": 1})", R"({"_id": 2})"});
  run(R"({"create": "names", "collation": {"locale": "de", "strength": 2}})");
  insert("names", {R"({"_id": "b"})", R"({"_id": "A"})"});
  take();
  insert("log", {R"({"_id": 0})"});
  run(R"({"drop": "names"})");
  insert("names", {R"({"_id": "a"})", R"({"_id": "A"})"});
  there_and_back();
}

TEST_P(Real, AViewThatChanged) {
  insert("orders", {R"({"_id": 1})"});
  run(R"({"create": "paid", "viewOn": "orders", "pipeline": []})");
  take();
  run(R"({"drop": "paid"})");
  run(R"({"create": "paid", "viewOn": "orders", "pipeline": [{"$match": {"paid": true}}]})");
  run(R"({"create": "more", "viewOn": "orders", "pipeline": []})");
  there_and_back();
}

TEST_P(Real, ZeroTimestampsAndNamesWithDollarsAndDots) {
  const auto stamp = std::string(8, '\0');
  auto one = [&](std::int32_t number) {
    return BsonBuilder()
        .int32("_id", number)
        .add("at", 0x11, stamp)
        .int32("$a", 1)
        .int32("b.c", 2)
        .finish();
  };
  insert_raw("odd", {one(1), one(2)});
  take();
  run(R"({"delete": "odd", "deletes": [{"q": {"_id": 2}, "limit": 1}]})");
  run(R"({"update": "odd", "updates": [{"q": {"_id": 1}, "u": {"_id": 1, "plain": 1}}]})");
  there_and_back();
}

TEST_P(Real, DocumentsOfSixteenMebibytes) {
  auto big = [](std::int32_t number, char fill) {
    const std::size_t frame = BsonBuilder().int32("_id", number).text("x", "").finish().size();
    return BsonBuilder()
        .int32("_id", number)
        .text("x", std::string((16U << 20U) - frame, fill))
        .finish();
  };
  insert_raw("big", {big(1, 'a'), big(2, 'b')});
  take();
  run(R"({"update": "big", "updates": [{"q": {"_id": 1}, "u": {"_id": 1, "small": 1}}]})");
  run(R"({"delete": "big", "deletes": [{"q": {"_id": 2}, "limit": 1}]})");
  insert_raw("big", {big(3, 'c')});
  there_and_back();
}

TEST_P(Real, TwentyThousandChangedDocuments) {
  std::vector<database::Bson> documents;
  for (std::int32_t i = 0; i < 20000; ++i)
    documents.push_back(
        BsonBuilder().int32("_id", i).int32("price", i).text("s", std::string(200, 'x')).finish());
  insert_raw("orders", documents);
  take();
  run(R"({"update": "orders", "updates": [{"q": {}, "u": {"$set": {"price": -1}}, "multi": true}]})");
  auto report = rewind(*database, *world.vault, *point, as("s1"), world.clock, {}, {});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->done.differences[0].reverted, 20000U);
  EXPECT_EQ(difference(good, everything(*database)), "");
}

INSTANTIATE_TEST_SUITE_P(Servers, Real,
                         ::testing::Values(MongoServer::Mode::replica_set,
                                           MongoServer::Mode::standalone),
                         [](const auto& one) {
                           return one.param == MongoServer::Mode::replica_set ? "ReplicaSet"
                                                                              : "Standalone";
                         });

}  // namespace
}  // namespace belay::vault::testing
