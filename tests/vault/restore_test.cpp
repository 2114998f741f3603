// SPDX-License-Identifier: Apache-2.0
// A full restore: all of it is there, or what is missing is told.
#include <gtest/gtest.h>

#include "tests/vault/rewind_world.hpp"
#include "vault/backup.hpp"

namespace belay::vault::testing {
namespace {

struct Restore : ::testing::Test {
  World world;
  fake::FakeDatabase into{{"shop", "copy"}};
  std::vector<NotRestored> lost;

  void SetUp() override { good_shop(world.database, 20); }
  Result<RestoreReport> restored(
      const Point& point, const std::optional<std::pair<std::string, std::string>>& as = {}) {
    return vault::restore(*world.vault, point, into, as, world.clock,
                          [&](const NotRestored& one) { lost.push_back(one); }, {}, {});
  }
};

TEST_F(Restore, BringsDocumentsIndexesOptionsValidatorsAndViewsBackByteForByte) {
  const auto good = everything(world.database);
  const auto point = world.take();
  auto report = restored(point);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(report->complete());
  EXPECT_EQ(difference(good, everything(into)), "");
  EXPECT_EQ(report->documents, point.documents);
}

TEST_F(Restore, KeepsACollationAndReadsViewsAfterWhatTheyStandOn) {
  ASSERT_TRUE(world.database.create({"shop", "names"},
                                    bson(R"({"collation": {"locale": "de", "strength": 1}})")));
  world.database.put({"shop", "names"}, R"({"_id": "Ä"})");
  ASSERT_TRUE(
      world.database.create({"shop", "a_view"}, bson(R"({"viewOn": "names", "pipeline": []})")));
  const auto good = everything(world.database);
  auto report = restored(world.take());
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(difference(good, everything(into)), "");
  const auto calls = into.plan.calls();
  EXPECT_LT(std::find(calls.begin(), calls.end(), "insert") - calls.begin(),
            std::distance(calls.begin(), std::find(calls.rbegin(), calls.rend(), "create").base()));
}

TEST_F(Restore, IntoAnotherNameTouchesNothingOfTheOldName) {
  into.put({"shop", "orders"}, R"({"_id": "live"})");
  const auto live = into.all({"shop", "orders"});
  auto report = restored(world.take(), std::pair<std::string, std::string>("shop", "copy"));
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(into.all({"shop", "orders"}), live);
  EXPECT_EQ(into.all({"copy", "orders"}), world.database.all({"shop", "orders"}));
}

TEST_F(Restore, NamesEveryDocumentThatTheServerDoesNotTake) {
  for (int id = 0; id < 1500; ++id)
    world.database.put({"shop", "bulk"}, fmt::format(R"({{"_id": {}}})", id));
  const auto point = world.take();
  // Who fills the collection meanwhile has the ids.
  into.on_call = [&, done = false](const std::string& name) mutable {
    if (name != "insert" || done) return;
    done = true;
    for (int id = 0; id < 1200; ++id)
      into.put({"shop", "bulk"}, fmt::format(R"({{"_id": {}, "other": 1}})", id));
  };
  auto report = restored(point);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_FALSE(report->complete());
  EXPECT_EQ(report->not_restored, 1200U);
  ASSERT_EQ(lost.size(), 1200U);
  EXPECT_EQ(lost.front().ns.text(), "shop.bulk");
  EXPECT_EQ(database::to_json(lost.front().id), database::to_json(bson(R"({"_id": 0})")));
  EXPECT_NE(lost.front().reason, "");
  EXPECT_EQ(report->documents, point.documents - 1200);
}

TEST_F(Restore, ThatTheServerOnlyClaimsToHaveTakenIsAnError) {
  const auto point = world.take();
  into.plan.on("insert", fake::Trouble::lie);
  auto report = restored(point);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().fault, Fault::corrupt);
}

TEST_F(Restore, LetsDocumentsExpireOnlyWhenAllAreCountedAndLooksHowManyWill) {
  int counts = 0;
  bool ttl_before_the_counts = false;
  into.on_call = [&](const std::string& name) {
    if (name == "count") ++counts;
    if (name != "count" || into.namespaces().empty()) return;
    for (const auto& ns : into.namespaces()) {
      for (const auto& index : into.facts(ns).indexes)
        ttl_before_the_counts |= database::to_json(index).find("expireAfter") != std::string::npos;
    }
  };
  const auto good = everything(world.database);
  auto report = restored(world.take());
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_GT(counts, 3);
  EXPECT_FALSE(ttl_before_the_counts);
  EXPECT_EQ(difference(good, everything(into)), "") << "and the index is there in the end";
  EXPECT_GE(into.plan.count("matching"), 1) << "people are told how many are about to";
}

TEST_F(Restore, IntoADatabaseThatHasACollectionIsRefusedByTheServer) {
  into.put({"shop", "orders"}, R"({"_id": "live"})");
  auto report = restored(world.take());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().fault, Fault::conflict);
  EXPECT_EQ(into.all({"shop", "orders"}).size(), 1U);
}

}  // namespace
}  // namespace belay::vault::testing
