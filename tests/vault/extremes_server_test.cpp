// SPDX-License-Identifier: Apache-2.0
// What is rare and must not be lost: through a restore point, back to it, and out of it into
// another database, on a real server.
#include <gtest/gtest.h>

#include "tests/support/mongo_server.hpp"
#include "tests/vault/rewind_world.hpp"
#include "vault/backup.hpp"
#include "vault/bson_facts.hpp"

namespace belay::vault::testing {
namespace {

using belay::testing::MongoServer;

MongoServer& server() {
  static std::unique_ptr<MongoServer> one;
  if (one) return *one;
  auto started = MongoServer::start(MongoServer::Mode::replica_set);
  if (!started) throw std::runtime_error(started.error().message());
  one = std::move(*started);
  return *one;
}

std::unique_ptr<database::Database> open(const std::string& name) {
  database::MongoConfig config;
  config.uri = Secret(server().uri(name));
  auto made = database::make_mongodb(std::move(config));
  if (!made) throw std::runtime_error(made.error().message());
  return std::move(*made);
}

// Under the names of another database.
Everything renamed(const Everything& all, const std::string& from, const std::string& to) {
  Everything out;
  for (const auto& [name, state] : all) out[to + name.substr(from.size())] = state;
  return out;
}

struct Extremes : ::testing::Test {
  std::string name;
  std::unique_ptr<database::Database> database;
  World world;
  Everything good;
  std::optional<Point> point;

  void SetUp() override {
    static int number = 0;
    name = fmt::format("rare{}", ++number);
    database = open(name);
  }
  void run(const std::vector<std::string>& json) {
    auto done = server().commands(name, json);
    ASSERT_TRUE(done) << done.error().message();
  }
  void insert(const std::string& collection, const std::vector<database::Bson>& documents) {
    auto done = server().insert_raw(name, collection, documents);
    ASSERT_TRUE(done) << done.error().message();
  }
  void take() {
    good = everything(*database);
    BackupRequest request;
    request.name = "rp-1";
    request.kind = "manual";
    request.project = "shop";
    request.environment = "production";
    request.databases = {name};
    auto taken = take_restore_point(*database, *world.vault, request, world.clock, {}, {});
    ASSERT_TRUE(taken) << taken.error().message();
    EXPECT_TRUE(taken->exact);
    point = std::move(*taken);
  }
  void expect_back() {
    auto report =
        rewind(*database, *world.vault, *point, request("s1", "1", {name}), world.clock, {}, {});
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(difference(good, everything(*database)), "");
  }
  void expect_restorable() {
    const auto other = name + "copy";
    auto into = open(other);
    auto report =
        restore(*world.vault, *point, *into, std::pair(name, other), world.clock, {}, {}, {});
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_TRUE(report->complete());
    EXPECT_EQ(difference(renamed(good, name, other), everything(*into)), "");
  }
};

database::Bson sixteen_mebibytes(std::int32_t id, char fill) {
  const auto frame = BsonBuilder().int32("_id", id).text("x", "").finish().size();
  return BsonBuilder().int32("_id", id).text("x", std::string((16U << 20U) - frame, fill)).finish();
}

TEST_F(Extremes, DocumentsOfExactlySixteenMebibytes) {
  insert("big", {sixteen_mebibytes(1, 'a'), sixteen_mebibytes(2, 'b')});
  take();
  run({R"({"update": "big", "updates": [{"q": {"_id": 1}, "u": {"_id": 1, "small": 1}}]})",
       R"({"delete": "big", "deletes": [{"q": {"_id": 2}, "limit": 1}]})"});
  expect_back();
  expect_restorable();
}

TEST_F(Extremes, TwoThousandCollections) {
  std::vector<std::string> orders;
  for (int i = 0; i < 2000; ++i)
    orders.push_back(
        fmt::format(R"({{"insert": "c{:04}", "documents": [{{"_id": {}, "v": 1}}]}})", i, i));
  run(orders);
  take();
  ASSERT_EQ(point->collections.size(), 2000U);
  run({R"({"drop": "c0007"})", R"({"delete": "c1999", "deletes": [{"q": {}, "limit": 0}]})",
       R"({"insert": "c2000", "documents": [{"_id": 1}]})"});
  expect_back();
  expect_restorable();
}

TEST_F(Extremes, AnEmptyDatabase) {
  take();
  EXPECT_TRUE(point->collections.empty());
  run({R"({"insert": "orders", "documents": [{"_id": 1}]})"});
  expect_back();
  EXPECT_TRUE(everything(*database).empty());
  expect_restorable();
}

TEST_F(Extremes, ACollectionDroppedAndMadeAnewUnderItsName) {
  run({R"({"insert": "orders", "documents": [{"_id": 1, "v": 1}, {"_id": 2, "v": 2}]})",
       R"({"createIndexes": "orders", "indexes": [{"key": {"v": 1}, "name": "v_1"}]})"});
  take();
  run({R"({"drop": "orders"})",
       R"({"insert": "orders", "documents": [{"_id": 2, "v": 2}, {"_id": 3, "v": 3}]})"});
  expect_back();
  expect_restorable();
}

TEST_F(Extremes, IdsOfEveryType) {
  std::vector<database::Bson> documents;
  for (const auto* id :
       {R"({"$minKey": 1})", "null", "-1", R"({"$numberLong": "9007199254740993"})", "2.5",
        R"({"$numberDecimal": "7.25"})", R"("a")", R"({"$symbol": "z"})",
        R"({"a": 1, "b": {"c": 2}})", R"({"$binary": {"base64": "AAEC", "subType": "00"}})",
        R"({"$binary": {"base64": "AAECAwQFBgcICQoLDA0ODw==", "subType": "04"}})",
        R"({"$oid": "0123456789abcdef01234567"})", "false", "true",
        R"({"$date": "2026-11-23T00:00:00Z"})", R"({"$timestamp": {"t": 5, "i": 6}})",
        R"({"$maxKey": 1})"})
    documents.push_back(bson(fmt::format(R"({{"_id": {}, "v": 1}})", id)));
  insert("kinds", documents);
  take();
  ASSERT_EQ(point->documents, documents.size());
  run({R"({"update": "kinds", "updates": [{"q": {}, "u": {"$set": {"v": 2}}, "multi": true}]})"});
  expect_back();
  run({R"({"delete": "kinds", "deletes": [{"q": {}, "limit": 0}]})"});
  auto again =
      rewind(*database, *world.vault, *point, request("s2", "2", {name}), world.clock, {}, {});
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(difference(good, everything(*database)), "");
  expect_restorable();
}

}  // namespace
}  // namespace belay::vault::testing
