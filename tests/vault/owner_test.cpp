// SPDX-License-Identifier: Apache-2.0
// Names hold a run's number only: nothing of somebody else's is ever taken for one's own.
#include "vault/owner.hpp"

#include <gtest/gtest.h>

#include "tests/vault/rewind_world.hpp"
#include "vault/backup.hpp"

namespace belay::vault::testing {
namespace {

struct Owners : ::testing::Test {
  World world;

  void SetUp() override { good_shop(world.database, 20); }

  static BackupRequest asked(const std::string& origin, const std::string& run = "7") {
    BackupRequest out;
    out.name = "rp-" + run;
    out.kind = "deploy";
    out.project = "shop";
    out.environment = "production";
    out.run = run;
    out.origin = origin;
    out.databases = {"shop"};
    return out;
  }
  Result<Point> take(const BackupRequest& wanted) {
    return take_restore_point(world.database, *world.vault, wanted, world.clock, {}, {});
  }
  Point taken(const BackupRequest& wanted) {
    auto point = take(wanted);
    if (!point) throw std::runtime_error(point.error().message());
    return std::move(point).value();
  }
  static RewindRequest rewinding(const std::string& origin) {
    auto out = request("salvage-7");
    out.origin = origin;
    return out;
  }
  Result<RewindReport> back(const Point& to, const RewindRequest& wanted) {
    return vault::rewind(world.database, *world.vault, to, wanted, world.clock, {}, {});
  }
};

const std::string ours(64, 'a'), theirs(64, 'b');

TEST_F(Owners, TheSameRunGetsTheSamePointWithoutReadingTheDatabaseAgain) {
  const auto first = taken(asked(ours));
  const int scans = world.database.plan.count("scan");
  world.database.put({"shop", "orders"}, R"({"_id": 99})");
  const auto again = taken(asked(ours));
  EXPECT_EQ(canonical(to_json(again)), canonical(to_json(first)));
  EXPECT_EQ(world.database.plan.count("scan"), scans);
}

TEST_F(Owners, ARunOfTheSameNumberInAnotherJournalTakesAPointOfItsOwn) {
  const auto old = taken(asked(theirs));
  world.database.put({"shop", "orders"}, R"({"_id": 99})");
  const auto fresh = taken(asked(ours));
  EXPECT_EQ(fresh.name, "rp-7-aaaaaaaa");
  EXPECT_EQ(fresh.documents, old.documents + 1);
  EXPECT_EQ(world.vault->load("rp-7")->origin, theirs);
  EXPECT_EQ(taken(asked(ours)).name, "rp-7-aaaaaaaa") << "and finds it again";
  EXPECT_EQ(taken(asked(theirs)).name, "rp-7");
}

TEST_F(Owners, AnotherProjectsOrEnvironmentsPointIsNotOnesOwn) {
  for (auto change : {+[](BackupRequest& one) { one.project = "blog"; },
                      +[](BackupRequest& one) { one.environment = "staging"; }}) {
    World fresh;
    good_shop(fresh.database, 3);
    auto other = asked(ours);
    change(other);
    ASSERT_TRUE(take_restore_point(fresh.database, *fresh.vault, other, fresh.clock, {}, {}));
    auto point = take_restore_point(fresh.database, *fresh.vault, asked(ours), fresh.clock, {}, {});
    ASSERT_TRUE(point) << point.error().message();
    EXPECT_EQ(point->name, "rp-7-aaaaaaaa");
  }
}

TEST_F(Owners, APointFromBeforeOwnersWereWrittenDownIsNobodys) {
  taken(asked(""));
  EXPECT_EQ(taken(asked(ours)).name, "rp-7-aaaaaaaa");
}

TEST_F(Owners, ByHandATakenNameIsAConflictThatSaysWhose) {
  taken(asked(theirs));
  const auto by_hand = take(asked(""));
  ASSERT_FALSE(by_hand);
  EXPECT_EQ(by_hand.error().fault, Fault::conflict);
  EXPECT_NE(by_hand.error().message().find("run 7 in production of shop"), std::string::npos)
      << by_hand.error().message();
}

TEST_F(Owners, ANameThatTheStoreWouldNotTakeIsRefusedBeforeAnythingIsRead) {
  for (const char* name : {"a/b", "", ".hidden", "two words"}) {
    auto wanted = asked("");
    wanted.name = name;
    auto point = take(wanted);
    ASSERT_FALSE(point) << name;
    EXPECT_EQ(point.error().fault, Fault::invalid) << name;
  }
  EXPECT_EQ(world.database.plan.count("scan"), 0);
}

TEST_F(Owners, ADamagedPointOfThatNameStopsNoDeploy) {
  taken(asked(theirs));
  world.storage.flip("points/rp-7", 60);
  EXPECT_EQ(taken(asked(ours)).name, "rp-7-aaaaaaaa");
}

TEST_F(Owners, AFinishedSalvageOfAnotherJournalNeverStandsForOnesOwnRewind) {
  const auto good = everything(world.database);
  const auto point = taken(asked(theirs, "2"));
  bad_migration(world.database, 20);
  ASSERT_TRUE(back(point, rewinding(theirs)));
  bad_migration(world.database, 20);
  auto report = back(point, rewinding(ours));
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->salvage, "salvage-7-aaaaaaaa");
  EXPECT_EQ(difference(good, everything(world.database)), "");
  EXPECT_EQ(load_own_salvage(*world.vault, "salvage-7", {"shop", "production", "7", ours})->name,
            "salvage-7-aaaaaaaa");
}

TEST_F(Owners, WhatIsSomebodyElsesIsNotFoundAsOnesOwn) {
  taken(asked(theirs));
  const auto found = load_own_point(*world.vault, "rp-7", {"shop", "production", "7", ours});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().fault, Fault::missing);
  EXPECT_NE(found.error().message().find("belay rewind rp-7"), std::string::npos);
}

TEST_F(Owners, ARewindIsRefusedWhenThePointIsOfAnotherProjectEnvironmentOrDatabase) {
  const auto point = taken(asked(theirs));
  bad_migration(world.database, 20);
  const auto before = everything(world.database);
  const auto objects = world.storage.objects();
  for (auto change : {+[](RewindRequest& one) { one.project = "blog"; },
                      +[](RewindRequest& one) { one.environment = "staging"; },
                      +[](RewindRequest& one) {
                        one.databases = {"shop", "stock"};
                      },
                      +[](RewindRequest& one) { one.databases = {"stock"}; }}) {
    auto wanted = rewinding(ours);
    change(wanted);
    auto report = back(point, wanted);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().fault, Fault::refused) << report.error().message();
  }
  EXPECT_EQ(difference(before, everything(world.database)), "");
  EXPECT_EQ(world.storage.objects(), objects);
}

TEST_F(Owners, AnUndoIsRefusedWhereTheSalvageIsNotFrom) {
  const auto point = taken(asked(theirs));
  bad_migration(world.database, 20);
  ASSERT_TRUE(back(point, rewinding(ours)));
  const auto before = everything(world.database);
  for (auto change : {+[](RewindRequest& one) { one.environment = "staging"; },
                      +[](RewindRequest& one) { one.databases = {"stock"}; }}) {
    auto wanted = request("undo-8", "8");
    change(wanted);
    auto report =
        undo_rewind(world.database, *world.vault, "salvage-7", wanted, world.clock, {}, {});
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().fault, Fault::refused) << report.error().message();
  }
  EXPECT_EQ(difference(before, everything(world.database)), "");
}

TEST_F(Owners, ADamagedSalvageIsListedAndHidesNoOther) {
  const auto point = taken(asked(theirs));
  bad_migration(world.database, 20);
  ASSERT_TRUE(back(point, rewinding(theirs)));
  bad_migration(world.database, 20);
  ASSERT_TRUE(back(point, request("salvage-8", "8")));
  world.storage.flip("sealed/salvage/salvage-7/index", 60);
  auto all = list_salvages(*world.vault);
  ASSERT_TRUE(all) << all.error().message();
  ASSERT_EQ(all->size(), 2U);
  EXPECT_NE(all->front().damaged, "");
  EXPECT_EQ(all->back().damaged, "");
  EXPECT_TRUE(load_own_salvage(*world.vault, "salvage-8",
                               {"shop", "production", "8", std::string(64, '8')}));
}

TEST_F(Owners, AnEmptyDatabaseIsOfItsDatabasesAllTheSame) {
  World empty;
  auto point = take_restore_point(empty.database, *empty.vault, asked(ours), empty.clock, {}, {});
  ASSERT_TRUE(point) << point.error().message();
  EXPECT_TRUE(point->exact);
  EXPECT_EQ(point->databases, std::vector<std::string>{"shop"});
  EXPECT_TRUE(point->collections.empty());
}

}  // namespace
}  // namespace belay::vault::testing
