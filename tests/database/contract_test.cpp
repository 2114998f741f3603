// SPDX-License-Identifier: Apache-2.0
// The promises of database.hpp on a real server: a replica set, and a standalone.
#include <atomic>
#include <thread>

#include "database/mongodb/document.hpp"
#include "tests/database/support.hpp"

namespace belay::database::testing {
namespace {

class DatabaseContract : public ::testing::TestWithParam<Mode> {
 protected:
  void SetUp() override {
    name_ = fresh_name();
    database_ = open(server(), name_);
    ASSERT_NE(database_, nullptr);
  }
  MongoServer& server() const { return shared_server(GetParam()); }
  Namespace ns(std::string collection = "items") const { return {name_, std::move(collection)}; }

  std::string name_;
  std::unique_ptr<Database> database_;
};

std::vector<Bson> all_of(std::initializer_list<const char*> json) {
  std::vector<Bson> out;
  for (const char* text : json) out.push_back(bson(text));
  return out;
}

TEST_P(DatabaseContract, TellsWhatTheServerIs) {
  auto facts = database_->describe();
  ASSERT_OK(facts);
  EXPECT_FALSE(facts->version.empty());
  EXPECT_FALSE(facts->mongos);
  EXPECT_EQ(facts->replica_set.empty(), GetParam() == Mode::standalone);
  EXPECT_NE(facts->me.find(std::to_string(server().port())), std::string::npos) << facts->me;
}

TEST_P(DatabaseContract, TellsItsClockAndHowFarItsLogReaches) {
  if (GetParam() == Mode::replica_set) ASSERT_OK(database_->mark());
  auto reach = database_->reach();
  ASSERT_OK(reach);
  const auto here = std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now());
  EXPECT_LT(std::chrono::abs(reach->now - here), std::chrono::seconds(30));
  ASSERT_EQ(reach->oldest.has_value(), GetParam() == Mode::replica_set);
  if (!reach->oldest) return;
  EXPECT_LE(*reach->oldest, *reach->newest);
  EXPECT_LT(std::chrono::abs(*reach->newest - here), std::chrono::minutes(2));
}

TEST_P(DatabaseContract, InsertedDocumentsComeBackByteForByteInIdOrder) {
  const auto documents = all_of({R"({"_id": "b", "v": 1})", R"({"_id": 2, "v": {"x": []}})",
                                 R"({"_id": "a"})", R"({"_id": 1.5, "": "empty name"})"});
  auto refused = database_->insert(ns(), documents);
  ASSERT_OK(refused);
  EXPECT_TRUE(refused->empty());
  const std::vector<Bson> expected = {documents[3], documents[1], documents[2], documents[0]};
  EXPECT_EQ(read_all(*database_, ns()), expected);
  auto about = database_->estimate(ns());
  ASSERT_OK(about);
  EXPECT_EQ(*about, documents.size());
  auto count = database_->count(ns());
  ASSERT_OK(count);
  EXPECT_EQ(*count, 4U);
}

TEST_P(DatabaseContract, InsertingTwiceIsSafeAndADifferentDocumentIsNamed) {
  const auto documents = all_of({R"({"_id": 1, "v": 1})", R"({"_id": 2, "v": 2})"});
  ASSERT_OK(database_->insert(ns(), documents));
  auto again = database_->insert(ns(), documents);
  ASSERT_OK(again);
  EXPECT_TRUE(again->empty());
  auto other = database_->insert(
      ns(), all_of({R"({"_id": 1, "v": "other"})", R"({"_id": 3})", R"({"_id": 2, "v": 2})"}));
  ASSERT_OK(other);
  ASSERT_EQ(other->size(), 1U);
  EXPECT_EQ(other->front().id, bson(R"({"_id": 1})"));
  EXPECT_FALSE(other->front().reason.empty());
  EXPECT_EQ(read_all(*database_, ns()).size(), 3U);
}

TEST_P(DatabaseContract, DocumentsThatNoServerTakesAreNamedWithTheReason) {
  auto refused = database_->insert(ns(), {bson("{}"), "rubbish", bson(R"({"_id": 1})")});
  ASSERT_OK(refused);
  EXPECT_EQ(refused->size(), 2U);
  EXPECT_EQ(read_all(*database_, ns()).size(), 1U);
}

TEST_P(DatabaseContract, HostileNamesAndZeroTimestampsSurvive) {
  auto documents = all_of({
      R"({"_id": 1, "t": {"$timestamp": {"t": 0, "i": 0}}})",
      R"({"_id": 2, "": 1, "a.b": 2, "$set": 3, "n": {"$x": {"": []}}})",
      R"({"_id": 3, "d": {"$numberDecimal": "NaN"}, "n": -0.0})",
  });
  auto refused = database_->insert(ns(), documents);
  ASSERT_OK(refused);
  for (const auto& one : *refused) ADD_FAILURE() << to_json(one.id) << ": " << one.reason;
  EXPECT_EQ(read_all(*database_, ns()), documents);
}

TEST_P(DatabaseContract, DuplicateKeysAndForgottenTypesSurvive) {
  if (!server().is_mongod()) GTEST_SKIP() << "needs mongod: the stand-in re-encodes such documents";
  Bson twice = bson(R"({"_id": 4, "x": 1, "y": 2})");
  twice[twice.find('y')] = 'x';
  const std::vector<Bson> documents = {twice, bson(R"({"_id": 5, "u": {"$undefined": true}})")};
  auto refused = database_->insert(ns(), documents);
  ASSERT_OK(refused);
  EXPECT_TRUE(refused->empty());
  EXPECT_EQ(read_all(*database_, ns()), documents);
}

TEST_P(DatabaseContract, AScanGoesOnFromAnIdOverTypes) {
  const auto documents = all_of({R"({"_id": 1})", R"({"_id": 2})", R"({"_id": "a"})",
                                 R"({"_id": {"$oid": "0123456789abcdef01234567"}})"});
  ASSERT_OK(database_->insert(ns(), documents));
  std::vector<Bson> seen;
  ASSERT_OK(database_->scan(find_collection(*database_, ns()), bson(R"({"_id": 2})"), std::nullopt,
                            [&](std::string_view document) -> Status {
                              seen.emplace_back(document);
                              return {};
                            },
                            {}));
  EXPECT_EQ(seen, std::vector<Bson>(documents.begin() + 1, documents.end()));
}

TEST_P(DatabaseContract, AScanStopsWhenAskedAndWhenTheSinkFails) {
  ASSERT_OK(database_->insert(ns(), all_of({R"({"_id": 1})", R"({"_id": 2})"})));
  std::stop_source stop;
  stop.request_stop();
  const auto nothing = [](std::string_view) -> Status { return {}; };
  const auto collection = find_collection(*database_, ns());
  auto stopped = database_->scan(collection, std::nullopt, std::nullopt, nothing, stop.get_token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().fault, Fault::cancelled);
  auto failed =
      database_->scan(collection, std::nullopt, std::nullopt,
                      [](std::string_view) -> Status { return fail(Fault::corrupt, "full"); }, {});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().fault, Fault::corrupt);
}

TEST_P(DatabaseContract, FetchLeavesAbsentIdsOut) {
  ASSERT_OK(database_->insert(ns(), all_of({R"({"_id": 1})", R"({"_id": {"a": 1}})"})));
  std::vector<Bson> seen;
  ASSERT_OK(database_->fetch(ns(),
                             all_of({R"({"_id": 7})", R"({"_id": {"a": 1.0}})", R"({"_id": "x"})"}),
                             [&](std::string_view document) -> Status {
                               seen.emplace_back(document);
                               return {};
                             }));
  EXPECT_EQ(seen, all_of({R"({"_id": {"a": 1}})"}));
}

TEST_P(DatabaseContract, TheCatalogueShowsKindsOptionsAndIndexesInOrder) {
  ASSERT_OK(database_->create(ns("b"), bson(R"({"validator": {"x": {"$gt": 1}}})")));
  ASSERT_OK(database_->create(ns("a"), bson(R"({"capped": true, "size": 4096})")));
  ASSERT_OK(database_->create(ns("v"), bson(R"({"viewOn": "b", "pipeline": []})")));
  ASSERT_OK(database_->create(ns("f"), bson(R"({"collation": {"locale": "fr"}})")));
  ASSERT_OK(database_->create(ns("k"),
                              bson(R"({"clusteredIndex": {"key": {"_id": 1}, "unique": true}})")));
  ASSERT_OK(database_->create_indexes(
      ns("b"), all_of({R"({"v": 2, "key": {"x": 1}, "name": "x_1", "unique": true})",
                       R"({"v": 2, "key": {"a": -1, "c": 1}, "name": "a_c"})"})));
  auto catalogue = database_->catalogue();
  ASSERT_OK(catalogue);
  ASSERT_EQ(catalogue->size(), 5U);
  std::string names;
  for (const auto& one : *catalogue) names += one.ns.collection;
  EXPECT_EQ(names, "abfkv");
  EXPECT_TRUE((*catalogue)[0].capped);
  EXPECT_TRUE((*catalogue)[2].collated);
  EXPECT_TRUE((*catalogue)[3].clustered);
  EXPECT_EQ((*catalogue)[4].kind, Collection::Kind::view);
  EXPECT_EQ((*catalogue)[4].uuid, "");
  EXPECT_EQ((*catalogue)[1].uuid.size(), 32U);
  ASSERT_EQ((*catalogue)[1].indexes.size(), 3U);
  EXPECT_NE(to_json((*catalogue)[1].indexes[2]).find("unique"), std::string::npos);
  EXPECT_NE(to_json((*catalogue)[1].options).find("$gt"), std::string::npos);
}

TEST_P(DatabaseContract, WhatTheCatalogueTellsCanBeCreatedAgain) {
  ASSERT_OK(database_->create(ns("k"),
                              bson(R"({"clusteredIndex": {"key": {"_id": 1}, "unique": true}})")));
  ASSERT_OK(database_->create(ns("c"), bson(R"({"capped": true, "size": 4096, "max": 3})")));
  ASSERT_OK(database_->create(ns("x"), bson(R"({"validator": {"a": 1}})")));
  ASSERT_OK(database_->create_indexes(
      ns("x"), all_of({R"({"v": 2, "key": {"t": 1}, "name": "t", "expireAfterSeconds": 60})",
                       R"({"v": 2, "key": {"s": 1}, "name": "s", "sparse": true})"})));
  ASSERT_OK(database_->create(ns("w"), bson(R"({"viewOn": "x", "pipeline": [{"$limit": 1}]})")));
  auto before = database_->catalogue();
  ASSERT_OK(before);
  for (const auto& one : *before) ASSERT_OK(database_->drop(one.ns));
  for (const auto& one : *before) {
    ASSERT_OK(database_->create(one.ns, one.options));
    if (one.kind == Collection::Kind::collection)
      ASSERT_OK(database_->create_indexes(one.ns, one.indexes));
  }
  auto after = database_->catalogue();
  ASSERT_OK(after);
  ASSERT_EQ(after->size(), before->size());
  for (std::size_t i = 0; i < after->size(); ++i) {
    (*after)[i].uuid = (*before)[i].uuid;
    EXPECT_EQ((*after)[i], (*before)[i]) << (*after)[i].ns.text();
  }
}

TEST_P(DatabaseContract, TimeSeriesAreRefusedByName) {
  ASSERT_OK(server().command(name_, R"({"create": "ts", "timeseries": {"timeField": "t"}})"));
  auto catalogue = database_->catalogue();
  ASSERT_FALSE(catalogue);
  EXPECT_EQ(catalogue.error().fault, Fault::refused);
  EXPECT_NE(catalogue.error().message().find(name_ + ".ts"), std::string::npos);
}

TEST_P(DatabaseContract, SystemCollectionsThatHoldUsersDataAreRefusedByName) {
  ASSERT_OK(server().insert(name_, "system.js", {R"({"_id": "tax", "value": 1})"}));
  const auto refused = database_->catalogue();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().fault, Fault::refused);
  EXPECT_NE(refused.error().message().find("system.js"), std::string::npos);
  ASSERT_OK(
      server().command(name_, R"({"delete": "system.js", "deletes": [{"q": {}, "limit": 0}]})"));
  ASSERT_OK(database_->catalogue());
}

TEST(Indexes, OfACollatedCollectionThatNameNoCollationAreMadeWithTheSimpleOne) {
  const auto listed = bson(R"({"v": 2, "key": {"code": 1}, "name": "code_1", "unique": true})");
  EXPECT_EQ(index_to_create(listed, false), listed);
  EXPECT_EQ(text_at(index_to_create(listed, true), "collation.locale"), "simple");
  const auto german =
      bson(R"({"v": 2, "key": {"code": 1}, "name": "c", "collation": {"locale": "de"}})");
  EXPECT_EQ(index_to_create(german, true), german);
}

TEST_P(DatabaseContract, DropAndDropIndexAreFineWhenNothingIsThere) {
  EXPECT_TRUE(database_->drop(ns("never")).ok());
  ASSERT_OK(database_->create(ns(), bson("{}")));
  EXPECT_TRUE(database_->drop_index(ns(), "never").ok());
  ASSERT_OK(database_->create_indexes(ns(), all_of({R"({"key": {"x": 1}, "name": "x"})"})));
  ASSERT_OK(database_->drop_index(ns(), "x"));
  EXPECT_EQ(find_collection(*database_, ns()).indexes.size(), 1U);
}

TEST_P(DatabaseContract, ARenamedCollectionKeepsItsDocuments) {
  ASSERT_OK(database_->insert(ns("a"), all_of({R"({"_id": 1})"})));
  const auto before = find_collection(*database_, ns("a"));
  ASSERT_OK(database_->rename(ns("a"), ns("b")));
  if (server().is_mongod()) {
    EXPECT_EQ(find_collection(*database_, ns("b")).uuid, before.uuid);
  }
  EXPECT_EQ(read_all(*database_, ns("b")).size(), 1U);
  auto absent = database_->rename(ns("a"), ns("c"));
  EXPECT_FALSE(absent);
}

TEST_P(DatabaseContract, ModifyChangesTheValidator) {
  ASSERT_OK(database_->create(ns(), bson(R"({"validator": {"x": 1}})")));
  ASSERT_OK(database_->modify(ns(), bson(R"({"validator": {"y": 2}})")));
  EXPECT_NE(to_json(find_collection(*database_, ns()).options).find("\"y\""), std::string::npos);
}

TEST_P(DatabaseContract, InsertBypassesValidators) {
  ASSERT_OK(database_->create(ns(), bson(R"({"validator": {"x": 1}})")));
  auto refused = database_->insert(ns(), all_of({R"({"_id": 1})"}));
  ASSERT_OK(refused);
  EXPECT_TRUE(refused->empty());
}

TEST_P(DatabaseContract, MatchingCountsUpToItsLimit) {
  ASSERT_OK(database_->insert(
      ns(), all_of({R"({"_id": 1, "a": 1})", R"({"_id": 2, "a": 1})", R"({"_id": 3})"})));
  auto two = database_->matching(ns(), bson(R"({"a": 1})"), 10);
  ASSERT_OK(two);
  EXPECT_EQ(*two, 2U);
  auto one = database_->matching(ns(), bson(R"({"a": 1})"), 1);
  ASSERT_OK(one);
  EXPECT_EQ(*one, 1U);
  auto none = database_->matching(ns("absent"), bson("{}"), 1);
  ASSERT_OK(none);
  EXPECT_EQ(*none, 0U);
}

TEST_P(DatabaseContract, CountersMoveWithAWriteAndNotWithReading) {
  ASSERT_OK(database_->insert(ns(), all_of({R"({"_id": 1})"})));
  auto before = database_->write_counters();
  ASSERT_OK(before);
  (void)read_all(*database_, ns());
  auto read = database_->write_counters();
  ASSERT_OK(read);
  EXPECT_EQ(*read, *before);
  ASSERT_OK(database_->insert(ns(), all_of({R"({"_id": 2})"})));
  auto written = database_->write_counters();
  ASSERT_OK(written);
  EXPECT_NE(*written, *before);
}

TEST_P(DatabaseContract, ACappedCollectionIsReadInItsOwnOrder) {
  ASSERT_OK(database_->create(ns(), bson(R"({"capped": true, "size": 100000})")));
  const auto documents = all_of({R"({"_id": 3})", R"({"_id": 1})", R"({"_id": 2})"});
  for (const auto& document : documents) ASSERT_OK(database_->insert(ns(), {document}));
  EXPECT_EQ(read_all(*database_, ns()), documents);
}

TEST_P(DatabaseContract, AClusteredCollectionIsReadInIdOrder) {
  ASSERT_OK(
      database_->create(ns(), bson(R"({"clusteredIndex": {"key": {"_id": 1}, "unique": true}})")));
  ASSERT_OK(database_->insert(
      ns(), all_of({R"({"_id": 3})", R"({"_id": 1})", R"({"_id": "a"})", R"({"_id": 2})"})));
  EXPECT_EQ(read_all(*database_, ns()),
            all_of({R"({"_id": 1})", R"({"_id": 2})", R"({"_id": 3})", R"({"_id": "a"})"}));
}

TEST_P(DatabaseContract, DocumentsOfExactlySixteenMebibytesGoThere) {
  const std::size_t limit = std::size_t{16} << 20;
  std::vector<Bson> documents;  // together more than one message of 48 MB
  for (int i = 0; i < 4; ++i) documents.push_back(sized_document(i, limit));
  auto refused = database_->insert(ns(), documents);
  ASSERT_OK(refused);
  for (const auto& one : *refused) ADD_FAILURE() << one.reason;
  EXPECT_TRUE(read_all(*database_, ns()) == documents);
  auto too_large = database_->insert(ns(), {sized_document(9, limit + 1)});
  ASSERT_OK(too_large);
  ASSERT_EQ(too_large->size(), 1U);
  EXPECT_NE(too_large->front().reason.find("16 MiB"), std::string::npos);
}

TEST_P(DatabaseContract, TwoThousandCollectionsAreAllListed) {
  std::vector<std::string> creations;
  for (int i = 0; i < 2000; ++i)
    creations.push_back(R"({"create": "c)" + std::to_string(i) + R"("})");
  ASSERT_OK(server().commands(name_, creations));
  auto catalogue = database_->catalogue();
  ASSERT_OK(catalogue);
  EXPECT_EQ(catalogue->size(), 2000U);
  for (const auto& one : *catalogue) EXPECT_EQ(one.indexes.size(), 1U) << one.ns.text();
  EXPECT_TRUE(std::is_sorted(catalogue->begin(), catalogue->end(),
                             [](const auto& a, const auto& b) { return a.ns < b.ns; }));
  ASSERT_OK(server().command(name_, R"({"dropDatabase": 1})"));
}

TEST_P(DatabaseContract, SeveralThreadsUseOneObjectAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (int worker = 0; worker < 4; ++worker)
    threads.emplace_back([&, worker] {
      const Namespace mine = ns("w" + std::to_string(worker));
      for (int i = 0; i < 20; ++i) {
        auto refused = database_->insert(mine, {bson(R"({"_id": )" + std::to_string(i) + "}")});
        if (!refused || !refused->empty()) ++failures;
        auto count = database_->count(mine);
        if (!count || *count != static_cast<std::uint64_t>(i) + 1) ++failures;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
}

INSTANTIATE_TEST_SUITE_P(Servers, DatabaseContract,
                         ::testing::Values(Mode::replica_set, Mode::standalone),
                         [](const auto& one) {
                           return one.param == Mode::replica_set ? "ReplicaSet" : "Standalone";
                         });

}  // namespace
}  // namespace belay::database::testing
