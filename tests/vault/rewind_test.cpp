// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/vault/rewind_world.hpp"

namespace belay::vault::testing {
namespace {

database::Namespace shop(const std::string& name) {
  return {"shop", name};
}

// A good shop, its point, and the migration done.
struct Rewind : ::testing::Test {
  World world;
  Everything good, bad;
  Point point;

  void SetUp() override {
    good_shop(world.database, 20);
    good = everything(world.database);
    point = world.take();
    bad_migration(world.database, 20);
    bad = everything(world.database);
    world.forget_calls();
  }
  RewindReport rewound(const std::string& name = "salvage-1") {
    auto report = world.rewind(point, name);
    if (!report) throw std::runtime_error(report.error().message());
    return *report;
  }
};

const Difference* of(const Preview& preview, const std::string& name) {
  for (const auto& one : preview.differences)
    if (one.ns == shop(name)) return &one;
  return nullptr;
}

bool says(const Difference& difference, const std::string& note) {
  const auto& notes = difference.catalogue;
  return std::find(notes.begin(), notes.end(), note) != notes.end();
}

TEST_F(Rewind, BringsDocumentsIndexesOptionsAndViewsBackByteForByte) {
  const auto report = rewound();
  EXPECT_EQ(difference(good, everything(world.database)), "");
  EXPECT_EQ(report.salvage, "salvage-1");
  EXPECT_GT(report.verified, 20U);
  EXPECT_GE(world.database.barriers(), 1U);
}

TEST_F(Rewind, APreviewTellsWhatWillHappenAndChangesNothing) {
  const auto objects = world.storage.objects();
  const auto preview = world.preview(point);
  EXPECT_FALSE(world.wrote_to_database());
  EXPECT_EQ(world.storage.objects(), objects);
  EXPECT_EQ(bad, everything(world.database));
  ASSERT_TRUE(of(preview, "orders"));
  EXPECT_EQ(of(preview, "orders")->reverted, 17U);
  EXPECT_EQ(of(preview, "orders")->brought_back, 3U);
  EXPECT_EQ(of(preview, "orders")->removed, 1U);
  EXPECT_EQ(of(preview, "orders")->samples.size(), 3U);
  EXPECT_TRUE(says(*of(preview, "orders"), "index price_-1 is dropped"));
  EXPECT_TRUE(says(*of(preview, "orders"), "index price_1 is put back"));
  EXPECT_TRUE(says(*of(preview, "sessions"), "validator is put back"));
  EXPECT_TRUE(says(*of(preview, "sessions"), "expiry of index at_1 is put back"));
  EXPECT_TRUE(of(preview, "coupons")->collection_created);
  EXPECT_TRUE(of(preview, "vouchers")->collection_removed);
  EXPECT_FALSE(of(preview, "untouched"));
}

TEST_F(Rewind, DoesWhatThePreviewTold) {
  const auto preview = world.preview(point);
  const auto report = rewound();
  EXPECT_EQ(report.done.total(), preview.total());
  EXPECT_EQ(report.done.differences.size(), preview.differences.size());
}

TEST_F(Rewind, OfACollectionThatWasRenamedRenamesItBack) {
  const auto uuid = world.database.facts(shop("persons")).uuid;
  rewound();
  EXPECT_EQ(world.database.facts(shop("people")).uuid, uuid);
}

TEST_F(Rewind, OfTwoCollectionsThatSwappedNamesSwapsThemBack) {
  rewound();
  world.database.put(shop("coupons"), R"({"_id": 77})");
  const auto before = everything(world.database);
  const auto point2 = world.take("rp-2");
  ASSERT_TRUE(world.database.rename(shop("coupons"), shop("aside")));
  ASSERT_TRUE(world.database.rename(shop("untouched"), shop("coupons")));
  ASSERT_TRUE(world.database.rename(shop("aside"), shop("untouched")));
  const auto uuid = world.database.facts(shop("untouched")).uuid;
  ASSERT_TRUE(world.rewind(point2, "salvage-2"));
  EXPECT_EQ(difference(before, everything(world.database)), "");
  EXPECT_EQ(world.database.facts(shop("coupons")).uuid, uuid);
}

TEST_F(Rewind, OfWhatDoesNotDifferWritesNothing) {
  rewound();
  const auto objects = world.storage.objects();
  world.forget_calls();
  const auto report = rewound("salvage-2");
  EXPECT_FALSE(world.wrote_to_database());
  EXPECT_EQ(world.storage.objects(), objects);
  EXPECT_EQ(report.salvage, "");
  EXPECT_EQ(report.done.total(), 0U);
}

TEST_F(Rewind, RepeatedAfterItsEndReportsTheSameAndLeavesLaterWritesAlone) {
  const auto first = rewound();
  world.database.put(shop("orders"), R"({"_id": 3, "price": 999})");
  world.forget_calls();
  const auto again = rewound();
  EXPECT_FALSE(world.wrote_to_database());
  EXPECT_EQ(again.done.total(), first.done.total());
  EXPECT_EQ(again.verified, first.verified);
  EXPECT_EQ(world.database.one(shop("orders"), R"({"_id": 3})"),
            bson(R"({"_id": 3, "price": 999})"));
}

TEST_F(Rewind, UnderANameThatBelongsToAnotherRewindIsAConflict) {
  rewound();
  const auto other = world.take("rp-2");
  auto report = world.rewind(other, "salvage-1");
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().fault, Fault::conflict);
}

TEST_F(Rewind, RefusesANameThatIsAPath) {
  auto report = world.rewind(point, "../points/x");
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().fault, Fault::refused);
}

TEST_F(Rewind, TouchesNothingBeforeTheSalvageIsComplete) {
  world.database.on_call = [&](const std::string& name) {
    if (name != "apply" && name != "drop" && name != "rename" && name != "create" &&
        name != "drop_index" && name != "modify" && name != "insert")
      return;
    EXPECT_TRUE(world.storage.objects().contains("sealed/salvage/salvage-1/index")) << name;
  };
  rewound();
  world.database.on_call = nullptr;
}

TEST_F(Rewind, WithAStoreThatRefusesTheSalvageChangesNothing) {
  world.storage.revive();
  world.storage.die_at(world.storage.calls() + 3);
  EXPECT_FALSE(world.rewind(point));
  EXPECT_FALSE(world.wrote_to_database());
}

TEST_F(Rewind, WithADamagedBlockOfThePointChangesNothing) {
  for (const auto& saved : point.collections) {
    if (saved.facts.ns != shop("orders")) continue;
    for (const auto& name : world.storage.names())
      if (name.find(saved.base.blocks[0].name) != name.npos) world.storage.flip(name, 100);
  }
  auto report = world.rewind(point);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().fault, Fault::corrupt) << report.error().message();
  EXPECT_FALSE(world.wrote_to_database());
}

TEST_F(Rewind, SavesAWriteThatCameBetweenBeforeRevertingIt) {
  int applies = 0;
  world.database.on_call = [&](const std::string& name) {
    if (name == "apply" && ++applies == 1)
      world.database.put(shop("orders"), R"({"_id": 5, "by": "a customer"})");
  };
  rewound();
  world.database.on_call = nullptr;
  EXPECT_EQ(difference(good, everything(world.database)), "");
  std::vector<database::Bson> versions;
  ASSERT_TRUE(read_salvage(*world.vault, "salvage-1",
                           [&](const auto& ns, const auto& id, const auto& live) -> Status {
                             if (ns == shop("orders") && id == bson(R"({"_id": 5})"))
                               versions.push_back(*live);
                             return {};
                           }));
  EXPECT_EQ(versions, (std::vector{bson(R"({"_id": 5, "price": "15", "state": "paid"})"),
                                   bson(R"({"_id": 5, "by": "a customer"})")}));
}

TEST_F(Rewind, BesideAWriterThatNeverStopsGivesUpAndSaysSo) {
  int version = 0;
  world.database.on_call = [&](const std::string& name) {
    if (name == "apply")
      world.database.put(shop("orders"), fmt::format(R"({{"_id": 5, "version": {}}})", ++version));
  };
  auto report = world.rewind(point);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().fault, Fault::conflict);
  EXPECT_NE(report.error().message().find("hold all writers off"), std::string::npos);
}

TEST_F(Rewind, StopsWhenAskedAndGoesOnLater) {
  std::stop_source stop;
  world.database.on_call = [&](const std::string& name) {
    if (name == "apply") stop.request_stop();
  };
  auto report = rewind(world.database, *world.vault, point, request("salvage-1"), world.clock, {},
                       stop.get_token());
  world.database.on_call = nullptr;
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().fault, Fault::cancelled);
  rewound();
  EXPECT_EQ(difference(good, everything(world.database)), "");
}

TEST_F(Rewind, OfEmptiedAndOfEmptyCollectionsWorks) {
  rewound();
  ASSERT_TRUE(world.database.create(shop("empty"), bson("{}")));
  const auto before = everything(world.database);
  const auto point2 = world.take("rp-2");
  for (int i = 0; i < 20; ++i)
    world.database.erase(shop("orders"), fmt::format(R"({{"_id": {}}})", i));
  ASSERT_TRUE(world.database.drop(shop("empty")));
  ASSERT_TRUE(world.rewind(point2, "salvage-2"));
  EXPECT_EQ(difference(before, everything(world.database)), "");
}

TEST_F(Rewind, OfAnEmptyDatabaseToAnEmptyPointWritesNothing) {
  World empty;
  const auto nothing = empty.take();
  auto report = empty.rewind(nothing);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->salvage, "");
}

TEST_F(Rewind, TellsHowFarItIs) {
  std::vector<std::string> told;
  const OnProgress progress = [&](const Progress& p) {
    EXPECT_LE(p.done, p.total) << p.what;
    told.push_back(p.what);
  };
  ASSERT_TRUE(rewind(world.database, *world.vault, point, request("s"), world.clock, progress, {}));
  EXPECT_NE(std::find(told.begin(), told.end(), "rewinding shop.orders"), told.end());
}

TEST_F(Rewind, KeepsSecretsOfDocumentsOutOfTheStore) {
  world.database.put(shop("orders"), R"({"_id": 1, "card": "sentinel-4711"})");
  rewound();
  for (const auto& [name, content] : world.storage.objects())
    EXPECT_EQ(content.find("sentinel-4711"), content.npos) << name;
}

TEST_F(Rewind, CanBeUndoneAndTheUndoUndone) {
  rewound();
  ASSERT_TRUE(world.undo());
  EXPECT_EQ(difference(bad, everything(world.database)), "");
  ASSERT_TRUE(world.undo("undo-1", "undo-2"));
  EXPECT_EQ(difference(good, everything(world.database)), "");
}

TEST_F(Rewind, AnUndoNeedsNoRestorePoint) {
  rewound();
  ASSERT_TRUE(world.vault->forget("rp-1"));
  auto undone = world.undo();
  ASSERT_TRUE(undone) << undone.error().message();
  EXPECT_EQ(difference(bad, everything(world.database)), "");
}

TEST_F(Rewind, AnUndoLeavesOtherDocumentsAndCollectionsAloneAndSavesWhatItReplaces) {
  rewound();
  world.database.put(shop("orders"), R"({"_id": "later", "price": 5})");
  world.database.put(shop("orders"), R"({"_id": 4, "price": 4444})");
  world.database.put(shop("fresh"), R"({"_id": 1})");
  ASSERT_TRUE(world.undo());
  EXPECT_TRUE(world.database.one(shop("orders"), R"({"_id": "later"})"));
  EXPECT_TRUE(world.database.one(shop("fresh"), R"({"_id": 1})"));
  EXPECT_EQ(world.database.one(shop("orders"), R"({"_id": 4})"),
            bson(R"({"_id": 4, "price": "12", "state": "paid"})"));
  bool saved = false;
  ASSERT_TRUE(read_salvage(*world.vault, "undo-1",
                           [&](const auto&, const auto&, const auto& live) -> Status {
                             saved = saved || live == bson(R"({"_id": 4, "price": 4444})");
                             return {};
                           }));
  EXPECT_TRUE(saved);
}

TEST_F(Rewind, AnUndoOfWhatIsNotThereSaysSo) {
  auto undone = world.undo();
  ASSERT_FALSE(undone);
  EXPECT_EQ(undone.error().fault, Fault::missing);
}

TEST_F(Rewind, ASalvageIsListedWithItsCounts) {
  const auto report = rewound();
  auto salvages = list_salvages(*world.vault);
  ASSERT_TRUE(salvages) << salvages.error().message();
  ASSERT_EQ(salvages->size(), 1U);
  EXPECT_EQ(salvages->front().name, "salvage-1");
  EXPECT_EQ(salvages->front().point, "rp-1");
  EXPECT_EQ(salvages->front().run, "7");
  EXPECT_EQ(salvages->front().differences.size(), report.done.differences.size());
}

TEST_F(Rewind, ADamagedSalvageIsRefusedNotApplied) {
  rewound();
  world.storage.flip("sealed/salvage/salvage-1/1-000001", 60);
  world.forget_calls();
  auto undone = world.undo();
  ASSERT_FALSE(undone);
  EXPECT_EQ(undone.error().fault, Fault::corrupt);
  EXPECT_FALSE(world.wrote_to_database());
}

struct Apply : Rewind {
  void SetUp() override {
    good_shop(world.database, 20);
    point = world.take();
    world.database.put(shop("orders"), R"({"_id": 3, "price": 33})");
    world.database.put(shop("orders"), R"({"_id": 4, "price": 44})");
    world.database.put(shop("orders"), R"({"_id": "new", "price": 1})");
    world.database.erase(shop("orders"), R"({"_id": 9})");
    world.database.put(shop("extra"), R"({"_id": 1, "note": "kept"})");
    bad = everything(world.database);
    rewound();
  }
  ApplyReport applied(const ApplyChoice& choice = {}) {
    auto report = apply_salvage(world.database, *world.vault, "salvage-1", choice, {});
    if (!report) throw std::runtime_error(report.error().message());
    return *report;
  }
};

TEST_F(Apply, PutsDiscardedWritesBackAndTwiceChangesNothing) {
  const auto report = applied();
  EXPECT_EQ(report.applied(), 5U);
  EXPECT_TRUE(report.conflicts.empty());
  EXPECT_EQ(difference(bad, everything(world.database)), "");
  EXPECT_EQ(report.there, 0U);
  const auto again = applied();
  EXPECT_EQ(again.applied(), 0U);
  EXPECT_EQ(again.there, 5U) << "put back before";
  EXPECT_TRUE(again.conflicts.empty());
  EXPECT_EQ(difference(bad, everything(world.database)), "");
}

TEST_F(Apply, OfAddedDocumentsLeavesTheDamageTakenBack) {
  const auto report = applied({true, "", {}});
  EXPECT_EQ(report.inserted, 2U);
  EXPECT_EQ(report.applied(), 2U);
  EXPECT_TRUE(world.database.one(shop("orders"), R"({"_id": "new"})"));
  EXPECT_TRUE(world.database.one(shop("extra"), R"({"_id": 1})"));
  EXPECT_EQ(world.database.one(shop("orders"), R"({"_id": 3})"),
            bson(R"({"_id": 3, "price": 9, "state": "paid"})"));
  EXPECT_TRUE(world.database.one(shop("orders"), R"({"_id": 9})"));
}

TEST_F(Apply, OfOneCollectionOrOneDocumentLeavesTheOthersAlone) {
  EXPECT_EQ(applied({false, "", bson(R"({"_id": 4.0})")}).replaced, 1U);
  EXPECT_EQ(world.database.one(shop("orders"), R"({"_id": 4})"),
            bson(R"({"_id": 4, "price": 44})"));
  EXPECT_EQ(applied({false, "shop.extra", {}}).inserted, 1U);
  EXPECT_FALSE(world.database.one(shop("orders"), R"({"_id": "new"})"));
}

TEST_F(Apply, APreviewCountsAndChangesNothing) {
  const auto before = everything(world.database);
  world.forget_calls();
  auto preview = preview_apply(world.database, *world.vault, "salvage-1", {}, {});
  ASSERT_TRUE(preview) << preview.error().message();
  EXPECT_EQ(preview->inserted, 2U);
  EXPECT_EQ(preview->replaced, 2U);
  EXPECT_EQ(preview->removed, 1U);
  EXPECT_FALSE(world.wrote_to_database());
  EXPECT_EQ(before, everything(world.database));
}

TEST_F(Apply, KilledAtAnyWriteNoDocumentIsGone) {
  // Ids of other bytes are removed and inserted: together, or not at all.
  ASSERT_TRUE(world.undo("salvage-1", "aside"));
  world.database.erase(shop("orders"), R"({"_id": 5})");
  world.database.put(shop("orders"), R"({"_id": 5.0, "price": 1})");
  ASSERT_TRUE(world.rewind(point, "salvage-2"));
  struct Killed {};
  for (int event = 1;; ++event) {
    int seen = 0;
    world.database.plan.hook = [&](const std::string& name, bool) {
      if (name == "apply" && ++seen == event) throw Killed{};
    };
    bool killed = false;
    try {
      ASSERT_TRUE(apply_salvage(world.database, *world.vault, "salvage-2", {}, {}));
    } catch (const Killed&) {
      killed = true;
    }
    world.database.plan.hook = nullptr;
    ASSERT_TRUE(world.database.one(shop("orders"), R"({"_id": 5})")) << "gone at " << event;
    if (!killed) break;
  }
  EXPECT_EQ(world.database.one(shop("orders"), R"({"_id": 5})"),
            bson(R"({"_id": 5.0, "price": 1})"));
}

TEST_F(Apply, KilledAnywhereACollectionComesBackWithItsIndexes) {
  ASSERT_TRUE(world.undo("salvage-1", "aside"));
  ASSERT_TRUE(world.database.create_indexes(
      shop("extra"), {bson(R"({"v": 2, "key": {"note": 1}, "name": "note_1"})")}));
  bad = everything(world.database);
  ASSERT_TRUE(world.rewind(point, "salvage-2"));
  struct Killed {};
  for (int event = 1, killed = 1; killed != 0; ++event) {
    ASSERT_TRUE(world.rewind(point, "again-" + std::to_string(event)));
    int seen = killed = 0;
    world.database.plan.hook = [&](const std::string& name, bool) {
      const bool write = name == "create" || name == "create_indexes" || name == "apply";
      if (write && ++seen == event) throw Killed{};
    };
    try {
      ASSERT_TRUE(apply_salvage(world.database, *world.vault, "salvage-2", {}, {}));
    } catch (const Killed&) {
      killed = 1;
    }
    world.database.plan.hook = nullptr;
    ASSERT_TRUE(apply_salvage(world.database, *world.vault, "salvage-2", {}, {}));
    ASSERT_EQ(difference(bad, everything(world.database)), "") << "killed at " << event;
  }
}

TEST_F(Apply, LeavesDocumentsChangedSinceAloneAndNamesThem) {
  world.database.put(shop("orders"), R"({"_id": 4, "price": 45})");
  const auto report = applied();
  EXPECT_EQ(report.applied(), 4U);
  ASSERT_EQ(report.conflicts.size(), 1U);
  EXPECT_NE(report.conflicts[0].find("shop.orders"), std::string::npos);
  EXPECT_EQ(world.database.one(shop("orders"), R"({"_id": 4})"),
            bson(R"({"_id": 4, "price": 45})"));
}

TEST_F(Apply, OfWhatAUniqueIndexRefusesIsAConflictAndTheOthersAreApplied) {
  ASSERT_TRUE(world.database.create_indexes(
      shop("orders"), {bson(R"({"v": 2, "key": {"price": 1}, "name": "u", "unique": true})")}));
  world.database.put(shop("orders"), R"({"_id": 100, "price": 33})");
  const auto report = applied();
  EXPECT_EQ(report.applied(), 4U);
  EXPECT_EQ(report.conflicts.size(), 1U);
}

}  // namespace
}  // namespace belay::vault::testing
