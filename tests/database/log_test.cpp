// SPDX-License-Identifier: Apache-2.0
// Markers, the change log and snapshots on a real replica set.
#include <set>

#include "tests/database/support.hpp"

namespace belay::database::testing {
namespace {

class ChangeLog : public ::testing::Test {
 protected:
  void SetUp() override {
    name_ = fresh_name();
    database_ = open(server(), name_);
    ASSERT_NE(database_, nullptr);
    insert(R"({"_id": 0})");
  }
  MongoServer& server() const { return shared_server(Mode::replica_set); }
  Namespace ns() const { return {name_, "items"}; }
  void insert(const char* json) { ASSERT_OK(server().insert(name_, "items", {json})); }
  void command(const std::string& json) { ASSERT_OK(server().command(name_, json)); }
  Position mark() {
    auto position = database_->mark();
    EXPECT_TRUE(position.ok()) << (position ? "" : position.error().message());
    return position ? *position : Position{};
  }
  Touched touched(const Position& from, const Position& to) {
    auto touched = database_->touched(from, to, {});
    EXPECT_TRUE(touched.ok()) << (touched ? "" : touched.error().message());
    return touched ? std::move(*touched) : Touched{};
  }

  std::string name_;
  std::unique_ptr<Database> database_;
};

TEST_F(ChangeLog, MarkersGoForwards) {
  const Position first = mark(), second = mark();
  EXPECT_LT(first, second);
  EXPECT_GT(first.timestamp, 0U);
}

TEST_F(ChangeLog, ShowsEveryKindOfWriteBetweenTwoMarkersAndNoOther) {
  (void)touched(mark(), mark());  // takes what the set-up wrote a moment ago
  const Position a = mark();
  (void)touched(a, mark());
  const Position from = mark();
  insert(R"({"_id": "i"})");
  command(R"({"update": "items", "updates": [{"q": {"_id": 0}, "u": {"$set": {"x": 1}}}]})");
  command(R"({"delete": "items", "deletes": [{"q": {"_id": "i"}, "limit": 1}]})");
  insert(R"({"_id": {"deep": 1}})");
  const Position to = mark();
  insert(R"({"_id": "after"})");
  const Touched seen = touched(from, to);
  EXPECT_EQ(seen.restart, "");
  ASSERT_EQ(seen.entries.size(), 1U);
  EXPECT_EQ(seen.entries[0].ns, ns());
  EXPECT_EQ(seen.entries[0].uuid, find_collection(*database_, ns()).uuid);
  const std::set<Bson> ids(seen.entries[0].ids.begin(), seen.entries[0].ids.end());
  EXPECT_TRUE(ids.contains(bson(R"({"_id": 0})")));
  EXPECT_TRUE(ids.contains(bson(R"({"_id": "i"})")));
  EXPECT_TRUE(ids.contains(bson(R"({"_id": {"deep": 1}})")));
  EXPECT_FALSE(ids.contains(bson(R"({"_id": "after"})")));
}

TEST_F(ChangeLog, ASecondReadingDoesNotRepeatTheFirst) {
  const Position a = mark();
  insert(R"({"_id": 1})");
  const Position b = mark();
  (void)touched(a, b);
  insert(R"({"_id": 2})");
  const Touched seen = touched(b, mark());
  ASSERT_EQ(seen.entries.size(), 1U);
  EXPECT_EQ(seen.entries[0].ids, std::vector<Bson>{bson(R"({"_id": 2})")});
}

TEST_F(ChangeLog, CatchingUpIsAMarkerAndAReadingInOne) {
  const Position a = mark();
  (void)touched(a, mark());
  const auto begin = database_->catch_up(mark(), {});
  ASSERT_OK(begin);
  insert(R"({"_id": 1})");
  const auto first = database_->catch_up(begin->to, {});
  ASSERT_OK(first);
  EXPECT_EQ(first->touched.restart, "");
  ASSERT_EQ(first->touched.entries.size(), 1U);
  EXPECT_EQ(first->touched.entries[0].ids, std::vector<Bson>{bson(R"({"_id": 1})")});
  EXPECT_LT(begin->to, first->to);
  insert(R"({"_id": 2})");
  const auto second = database_->catch_up(first->to, {});
  ASSERT_OK(second);
  ASSERT_EQ(second->touched.entries.size(), 1U);
  EXPECT_EQ(second->touched.entries[0].ids, std::vector<Bson>{bson(R"({"_id": 2})")});
  Position other = second->to;
  other.term += 7;
  const auto lost = database_->catch_up(other, {});
  ASSERT_OK(lost);
  EXPECT_NE(lost->touched.restart, "");
}

TEST_F(ChangeLog, AnotherDatabasesWritesAreNotOurs) {
  const Position a = mark();
  (void)touched(a, mark());
  const Position from = mark();
  (void)touched(a, from);
  ASSERT_OK(server().insert(name_ + "x", "items", {R"({"_id": 5})"}));
  const Touched seen = touched(from, mark());
  EXPECT_EQ(seen.restart, "");
  EXPECT_EQ(seen.count, 0U);
}

TEST_F(ChangeLog, ACommandOnOurDatabaseAsksForANewReadingAndNamesIt) {
  const Position from = mark();
  command(R"({"create": "later"})");
  const Touched seen = touched(from, mark());
  EXPECT_NE(seen.restart.find("create"), std::string::npos) << seen.restart;
  EXPECT_NE(seen.restart.find(name_), std::string::npos) << seen.restart;
}

TEST_F(ChangeLog, ACommandBeforeTheWindowDoesNot) {
  command(R"({"create": "earlier"})");
  const Position from = mark();
  EXPECT_EQ(touched(from, mark()).restart, "");
}

TEST_F(ChangeLog, WritesToACollectionThatIsGoneBeforeTheWindowAreNothing) {
  ASSERT_OK(server().insert(name_, "tmp", {R"({"_id": 1})", R"({"_id": 2})"}));
  command(R"({"drop": "tmp"})");
  const Position from = mark();
  const Touched seen = touched(from, mark());
  EXPECT_EQ(seen.restart, "");
  for (const auto& entry : seen.entries) EXPECT_NE(entry.ns.collection, "tmp");
}

TEST_F(ChangeLog, APositionOfAnotherHistoryAsksForANewReading) {
  Position other = mark();
  other.timestamp -= 1;
  EXPECT_NE(touched(other, mark()).restart, "");
  Position term = mark();
  term.term += 7;
  EXPECT_NE(touched(term, mark()).restart, "");
}

TEST_F(ChangeLog, AStandaloneHasNone) {
  const auto standalone = open(shared_server(Mode::standalone), fresh_name());
  auto position = standalone->mark();
  ASSERT_FALSE(position);
  EXPECT_EQ(position.error().fault, Fault::refused);
  EXPECT_FALSE(standalone->touched({1, 1}, {2, 1}, {}));
  EXPECT_FALSE(standalone->snapshot());
  EXPECT_OK(standalone->barrier());
}

TEST_F(ChangeLog, ASnapshotDoesNotSeeLaterWritesOfAnyCollection) {
  ASSERT_OK(server().insert(name_, "other", {R"({"_id": 1, "v": "old"})"}));
  (void)mark();
  auto snapshot = database_->snapshot();
  ASSERT_OK(snapshot);
  command(R"({"update": "other", "updates": [{"q": {"_id": 1}, "u": {"_id": 1, "v": "new"}}]})");
  insert(R"({"_id": "late"})");
  std::vector<Bson> seen;
  const auto take = [&](std::string_view document) -> Status {
    seen.emplace_back(document);
    return {};
  };
  ASSERT_OK((*snapshot)->fetch({name_, "other"}, {bson(R"({"_id": 1})")}, take));
  ASSERT_OK((*snapshot)->fetch(ns(), {bson(R"({"_id": "late"})"), bson(R"({"_id": 0})")}, take));
  const std::vector<Bson> expected = {bson(R"({"_id": 1, "v": "old"})"), bson(R"({"_id": 0})")};
  EXPECT_EQ(seen, expected);
  ASSERT_OK((*snapshot)->commit());
}

TEST_F(ChangeLog, ABarrierStandsAfterAllThatWasWritten) {
  EXPECT_OK(database_->barrier());
}

}  // namespace
}  // namespace belay::database::testing
