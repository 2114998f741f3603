// SPDX-License-Identifier: Apache-2.0
// Rewinds beside writers that no fence holds off: workers, cron jobs, documents that expire.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/vault/rewind_world.hpp"

namespace belay::vault::testing {
namespace {

database::Namespace shop(const std::string& name) {
  return {"shop", name};
}

using Saved = std::vector<std::pair<database::Namespace, database::Bson>>;

struct Beside : ::testing::Test {
  World world;
  Everything good, bad;
  Point point;

  void SetUp() override {
    good_shop(world.database, 20);
    good = everything(world.database);
    point = world.take();
    bad_migration(world.database, 20);
    bad = everything(world.database);
  }
  // Writes once, at the beginning of the nth call of that name.
  void write_at(const std::string& call, int nth, const std::function<void()>& write) {
    auto seen = std::make_shared<int>(0);
    world.database.on_call = [=](const std::string& name) {
      if (name == call && ++*seen == nth) write();
    };
  }
  void expect_rewound() {
    auto report = world.rewind(point);
    ASSERT_TRUE(report) << report.error().message();
    ASSERT_EQ(difference(good, everything(world.database)), "");
  }
  bool saved(const std::string& collection, const std::string& json) {
    bool found = false;
    EXPECT_TRUE(read_salvage(*world.vault, "salvage-1",
                             [&](const auto& ns, const auto&, const auto& live) -> Status {
                               found = found || (ns == shop(collection) && live == bson(json));
                               return {};
                             }));
    return found;
  }
};

TEST_F(Beside, AWriteToACollectionThatIsAboutToGoIsSavedUpToItsLastMoment) {
  // The migration's own collections, in the order in which they go.
  for (const std::string name : {"rename", "drop"}) {
    World fresh;
    good_shop(fresh.database, 20);
    const auto to = fresh.take();
    bad_migration(fresh.database, 20);
    int number = 0;
    fresh.database.on_call = [&](const std::string& call) {
      if (call != name || number == 3) return;
      ++number;
      fresh.database.put(shop("vouchers"), fmt::format(R"({{"_id": "late-{}"}})", number));
    };
    auto report = fresh.rewind(to);
    fresh.database.on_call = nullptr;
    ASSERT_TRUE(report) << report.error().message();
    std::set<database::Bson> kept;
    ASSERT_TRUE(read_salvage(*fresh.vault, "salvage-1",
                             [&](const auto& ns, const auto& id, const auto&) -> Status {
                               if (ns == shop("vouchers")) kept.insert(id);
                               return {};
                             }));
    const auto there = fresh.database.all(shop("vouchers"));
    for (int i = 1; i <= number; ++i) {
      const auto id = bson(fmt::format(R"({{"_id": "late-{}"}})", i));
      EXPECT_TRUE(kept.contains(id) || std::find(there.begin(), there.end(), id) != there.end())
          << "destroyed unsaved at " << name << " " << i << " of " << number;
    }
  }
}

TEST_F(Beside, AWriteJustBeforeTheDropOfACollectionIsSaved) {
  write_at("rename", 1, [&] { world.database.put(shop("log"), R"({"_id": "late"})"); });
  expect_rewound();
  EXPECT_TRUE(saved("log", R"({"_id": "late"})"));
}

TEST_F(Beside, ADocumentThatDidNotDifferIsRevertedToo) {
  write_at("apply", 1, [&] {
    world.database.put(shop("orders"), R"({"_id": 8, "state": "paid", "price": -1})");
    world.database.put(shop("orders"), R"({"_id": "fresh", "price": 5})");
  });
  expect_rewound();
  EXPECT_TRUE(saved("orders", R"({"_id": "fresh", "price": 5})"));
}

TEST_F(Beside, ACollectionThatDidNotDifferIsRevertedTooAndItsWritesAreSaved) {
  write_at("apply", 2, [&] {
    world.database.put(shop("untouched"), R"({"_id": 1, "by": "a worker"})");
    world.database.put(shop("untouched"), R"({"_id": 2, "by": "a worker"})");
  });
  expect_rewound();
  EXPECT_TRUE(saved("untouched", R"({"_id": 1, "by": "a worker"})"));
  EXPECT_TRUE(saved("untouched", R"({"_id": 2, "by": "a worker"})"));
}

TEST_F(Beside, ACollectionThatIsMadeMeanwhileIsRemovedAndSaved) {
  write_at("apply", 1, [&] { world.database.put(shop("jobs"), R"({"_id": "job"})"); });
  expect_rewound();
  EXPECT_TRUE(saved("jobs", R"({"_id": "job"})"));
}

TEST_F(Beside, ADocumentThatExpiresBetweenItsComparisonAndTheEndComesBack) {
  world.database.on_scanned = [&](const database::Namespace& ns, std::uint64_t given) {
    if (ns == shop("sessions") && given == 2)
      world.database.erase(shop("sessions"), R"({"_id": 2})");
  };
  expect_rewound();
}

TEST_F(Beside, NothingExpiresOnceWritingHasBegun) {
  bool first = true;
  world.database.on_call = [&](const std::string& name) {
    if (name == "scan" || name == "drop" || name == "rename" || name == "apply") {
      const auto facts = world.database.facts(shop("sessions"));
      const bool off = std::any_of(facts.indexes.begin(), facts.indexes.end(), [](const auto& one) {
        return database::to_json(one).find("2147483647") != std::string::npos;
      });
      if (name != "scan" && first) {
        EXPECT_TRUE(off) << "documents could expire at the first " << name;
        first = false;
      }
    }
  };
  auto report = world.rewind(point);
  world.database.on_call = nullptr;
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_FALSE(first);
}

TEST_F(Beside, AWriterThatNeverRestsIsNamedAndNothingItWroteIsLost) {
  int version = 0;
  world.database.on_call = [&](const std::string& name) {
    if (name == "catalogue")
      world.database.put(shop("untouched"), fmt::format(R"({{"_id": 1, "v": {}}})", ++version));
  };
  auto report = world.rewind(point);
  world.database.on_call = nullptr;
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().fault, Fault::conflict);
  EXPECT_NE(report.error().message().find("shop.untouched"), std::string::npos)
      << report.error().message();
  EXPECT_NE(report.error().message().find("old all writers off"), std::string::npos);
  // Held off at last, the same name comes to its end.
  expect_rewound();
  auto undone = world.undo();
  ASSERT_TRUE(undone) << undone.error().message();
}

TEST_F(Beside, NobodyTheDatabaseIsReadOnce) {
  World quiet;
  good_shop(quiet.database, 20);
  const auto to = quiet.take();
  quiet.database.put(shop("orders"), R"({"_id": 3, "price": 1})");
  const int before = quiet.database.plan.count("scan");
  ASSERT_TRUE(quiet.rewind(to));
  const int collections =
      static_cast<int>(quiet.database.namespaces().size()) - 1;  // one is a view
  EXPECT_EQ(quiet.database.plan.count("scan") - before, collections);
}

TEST(BesideOnAStandalone, AWholeComparisonFindsWhatAWorkerWrote) {
  World world;
  fake::FakeDatabase database({"shop"}, fake::FakeDatabase::Server::standalone);
  good_shop(database, 20);
  const auto good = everything(database);
  const auto to = point_of(database, *world.vault, "rp-1");
  bad_migration(database, 20);
  bool written = false;
  database.on_call = [&](const std::string& name) {
    if (name != "apply" || written) return;
    written = true;
    database.put(shop("untouched"), R"({"_id": 2, "by": "a worker"})");
  };
  auto report = rewind(database, *world.vault, to, request("salvage-1"), world.clock, {}, {});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(written);
  EXPECT_EQ(difference(good, everything(database)), "");
}

}  // namespace
}  // namespace belay::vault::testing
