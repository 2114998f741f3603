// SPDX-License-Identifier: Apache-2.0
// Taking a restore point beside writers: what each phase may meet, and what the point then is.
#include "tests/vault/support.hpp"

namespace belay::vault {
namespace {

using fake::FakeDatabase;
using fake::Trouble;

const database::Namespace orders{"shop", "orders"}, users{"shop", "users"};

using Contents = std::map<std::string, std::vector<database::Bson>>;

struct BackupTest : VaultTest {
  FakeDatabase database{{"shop"}};
  std::unique_ptr<Vault> vault = open();

  void SetUp() override { fill(database); }

  static void fill(FakeDatabase& into) {
    for (int id = 1; id <= 6; ++id)
      into.put(orders, fmt::format(R"({{"_id": {}, "state": "old"}})", id * 10));
    into.put(users, R"({"_id": "ada"})");
  }
  static BackupRequest asked(const std::string& name = "rp-1") {
    BackupRequest out;
    out.name = name;
    out.kind = "manual";
    out.databases = {"shop"};
    return out;
  }
  Result<Point> take(FakeDatabase& from, const BackupRequest& request = asked()) {
    return take_restore_point(from, *vault, request, clock, {}, {});
  }
  Point taken(FakeDatabase& from) {
    auto point = take(from);
    if (!point) throw std::runtime_error(point.error().message());
    return std::move(point).value();
  }
  Contents of(const Point& point) {
    Contents out;
    for (const auto& one : point.collections) {
      auto documents = read(*vault, one);
      if (!documents) throw std::runtime_error(documents.error().message());
      out[one.facts.ns.collection] = *documents;
    }
    return out;
  }
  static Contents of(const FakeDatabase& live) {
    Contents out;
    for (const auto& ns : live.namespaces()) out[ns.collection] = live.all(ns);
    return out;
  }
  int scans() const { return database.plan.count("scan"); }
  // Once, at the `nth` call of that name from now on.
  void at(const std::string& name, int nth, std::function<void()> act) {
    database.on_call = [=, seen = 0](const std::string& called) mutable {
      if (called == name && ++seen == nth) act();
    };
  }
  void expect_no_point() {
    EXPECT_TRUE(store.names("points/").empty());
    EXPECT_EQ(vault->load("rp-1").error().fault, Fault::missing);
  }
};

TEST_F(BackupTest, WritesDuringTheScanAreInThePointOnBothSidesOfTheCursor) {
  bool done = false;
  database.on_scanned = [&](const database::Namespace& ns, std::uint64_t given) {
    if (done || ns != orders || given != 3) return;
    done = true;
    database.put(orders, R"({"_id": 5, "state": "behind the cursor"})");
    database.put(orders, R"({"_id": 20, "state": "changed behind the cursor"})");
    database.erase(orders, R"({"_id": 10})");
    database.put(orders, R"({"_id": 55, "state": "before the cursor"})");
    database.erase(orders, R"({"_id": 60})");
    database.put(users, R"({"_id": "bob"})");
  };
  const auto point = taken(database);
  EXPECT_TRUE(point.exact);
  EXPECT_EQ(point.method, "transaction");
  EXPECT_EQ(of(point), of(database));
  EXPECT_EQ(point.documents, 8U);
}

TEST_F(BackupTest, WritesAfterTheInstantAreNotInThePoint) {
  const auto before = of(database);
  // The transaction is open by then: its snapshot is the instant.
  bool open = false;
  database.on_call = [&](const std::string& name) {
    if (name == "mark" && open) {
      open = false;
      database.put(orders, R"({"_id": 10, "state": "after the instant"})");
      database.erase(orders, R"({"_id": 20})");
      database.put(orders, R"({"_id": 70, "state": "after the instant"})");
    }
  };
  database.plan.hook = [&](const std::string& name, bool done) {
    if (name == "snapshot" && done) open = true;
  };
  const auto point = taken(database);
  EXPECT_TRUE(point.exact);
  EXPECT_EQ(of(point), before);
}

TEST_F(BackupTest, ACommitThatIsRefusedOrLostIsTriedAgainWithWhatWasWrittenMeanwhile) {
  for (const auto trouble : {Trouble::fail, Trouble::lose_reply}) {
    FakeDatabase live{{"shop"}};
    fill(live);
    live.plan.on("commit", trouble);
    live.on_call = [&, seen = 0](const std::string& name) mutable {
      if (name == "commit" && ++seen == 1)
        live.put(orders, R"({"_id": 10, "state": "between two transactions"})");
    };
    const auto point = take(live, asked(fmt::format("rp-{}", static_cast<int>(trouble))));
    ASSERT_TRUE(point) << point.error().message();
    EXPECT_EQ(live.plan.count("commit"), 2);
    EXPECT_EQ(of(*point), of(live));
  }
}

TEST_F(BackupTest, WithoutACommitThereIsNoPoint) {
  database.plan.always("commit", Trouble::fail);
  const auto point = take(database);
  ASSERT_FALSE(point);
  EXPECT_EQ(point.error().fault, Fault::busy) << point.error().message();
  expect_no_point();
}

TEST_F(BackupTest, ACatalogueThatChangedWhenTheTransactionEndsStartsTheReadingAnew) {
  at("commit", 1, [&] {
    ASSERT_TRUE(database.create_indexes(
        orders, {bson(R"({"v": 2, "key": {"state": 1}, "name": "state_1"})")}));
  });
  const auto point = taken(database);
  EXPECT_EQ(scans(), 4) << "two collections, twice";
  ASSERT_EQ(point.collections.size(), 2U);
  EXPECT_EQ(point.collections[0].facts, database.facts(orders));
}

TEST_F(BackupTest, ACollectionDroppedAndMadeAnewInAnyPhaseIsTheNewOne) {
  for (const char* phase : {"scan", "snapshot", "mark", "touched", "commit"}) {
    FakeDatabase live{{"shop"}};
    fill(live);
    bool done = false;
    live.on_call = [&](const std::string& name) {
      if (done || name != phase || live.plan.count("catalogue") == 0) return;
      done = true;
      ASSERT_TRUE(live.drop(orders));
      live.put(orders, R"({"_id": 10, "state": "new"})");
    };
    const auto point = take(live, asked(std::string("rp-") + phase));
    ASSERT_TRUE(point) << phase << ": " << point.error().message();
    EXPECT_TRUE(done) << phase;
    EXPECT_EQ(of(*point), of(live)) << phase;
    EXPECT_EQ(point->collections[0].facts.uuid, live.facts(orders).uuid) << phase;
  }
}

TEST_F(BackupTest, WhatCameAndWentDuringTheReadingStartsItAnew) {
  const database::Namespace passing{"shop", "passing"};
  const std::vector<std::function<void(FakeDatabase&)>> changes{
      [&](FakeDatabase& live) {
        ASSERT_TRUE(live.create(passing, bson("{}")));
        ASSERT_TRUE(live.drop(passing));
      },
      [&](FakeDatabase& live) {
        live.put(passing, R"({"_id": 1})");
        ASSERT_TRUE(live.drop(passing));
      },
      [&](FakeDatabase& live) {
        ASSERT_TRUE(live.create_indexes(
            orders, {bson(R"({"v": 2, "key": {"state": 1}, "name": "state_1"})")}));
        ASSERT_TRUE(live.drop_index(orders, "state_1"));
      }};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    FakeDatabase live{{"shop"}};
    fill(live);
    bool done = false;
    live.on_scanned = [&](const database::Namespace&, std::uint64_t) {
      if (!done) changes[i](live);
      done = true;
    };
    const auto point = take(live, asked(fmt::format("rp-{}", i)));
    ASSERT_TRUE(point) << point.error().message();
    EXPECT_EQ(live.plan.count("scan"), 4) << i << ": the catalogue is as it was; the log tells";
    EXPECT_EQ(of(*point), of(live)) << i;
  }
}

TEST_F(BackupTest, ACatalogueThatNeverRestsGivesNoPointAndSaysWhy) {
  int made = 0;
  database.on_scanned = [&](const database::Namespace& ns, std::uint64_t given) {
    if (ns == orders && given == 1)
      database.put({"shop", fmt::format("c{}", ++made)}, R"({"_id": 1})");
  };
  const auto point = take(database);
  ASSERT_FALSE(point);
  EXPECT_EQ(point.error().fault, Fault::busy);
  expect_no_point();
}

struct Standalone : BackupTest {
  FakeDatabase live{{"shop"}, FakeDatabase::Server::standalone};
  void SetUp() override { fill(live); }
};

TEST_F(Standalone, IsExactWhenTheCountersProveThatNobodyWrote) {
  const auto point = taken(live);
  EXPECT_TRUE(point.exact);
  EXPECT_EQ(point.method, "quiet standalone");
  EXPECT_EQ(of(point), of(live));
}

TEST_F(Standalone, IsReadOnceMoreWhenSomebodyWroteAndExactWhenNobodyDoesAgain) {
  bool done = false;
  live.on_scanned = [&](const database::Namespace&, std::uint64_t) {
    if (!done) live.put(orders, R"({"_id": 5})");
    done = true;
  };
  const auto point = taken(live);
  EXPECT_TRUE(point.exact);
  EXPECT_EQ(live.plan.count("scan"), 4);
  EXPECT_EQ(of(point), of(live));
}

TEST_F(Standalone, IsFuzzyAndSaysSoWhileTheCountersMove) {
  int id = 100;
  live.on_scanned = [&](const database::Namespace& ns, std::uint64_t given) {
    if (ns == users && given == 1) live.put(orders, fmt::format(R"({{"_id": {}}})", ++id));
  };
  const auto point = taken(live);
  EXPECT_FALSE(point.exact);
  EXPECT_EQ(point.method, "fuzzy");
  EXPECT_FALSE(vault->load("rp-1")->exact);
}

TEST_F(BackupTest, AViewIsKeptWithoutDocumentsAndVerifies) {
  ASSERT_TRUE(database.create({"shop", "paid"}, bson(R"({"viewOn": "orders", "pipeline": []})")));
  const auto point = taken(database);
  ASSERT_EQ(point.collections.size(), 3U);
  EXPECT_EQ(point.collections[1].facts, database.facts({"shop", "paid"}));
  EXPECT_EQ(vault->verify("rp-1", {}, {})->problems, std::vector<std::string>{});
}

TEST_F(BackupTest, AFailureInAnyPhaseLeavesNoPoint) {
  for (const char* phase : {"describe", "prove", "mark", "catalogue", "scan", "touched"}) {
    FakeDatabase live{{"shop"}};
    fill(live);
    live.plan.always(phase, Trouble::fail);
    EXPECT_FALSE(take(live)) << phase;
    expect_no_point();
  }
}

TEST_F(BackupTest, ADamagedBlockIsStoredAnewSoThatNoLaterBackupFailsForIt) {
  const auto first = taken(database);
  const std::string block = first.collections[0].base.blocks.at(0).name;
  for (const auto damage :
       {+[](fake::FakeStorage&in, const std::string&name) { in.flip(name, 60); },
        +[](fake::FakeStorage&in, const std::string&name) { in.cut(name, 40); }}) {
    damage(store, "blocks/" + block.substr(0, 2) + "/" + block);
    ASSERT_FALSE(vault->verify("rp-1", {}, {})->problems.empty());
    vault = open();  // the next run's process
    const auto name = fmt::format("rp-{}", store.names("points/").size() + 1);
    const auto next = take(database, asked(name));
    ASSERT_TRUE(next) << next.error().message();
    EXPECT_EQ(open()->verify(name, {}, {})->problems, std::vector<std::string>{});
    EXPECT_EQ(open()->verify("rp-1", {}, {})->problems, std::vector<std::string>{})
        << "and the older point is whole again";
  }
}

TEST_F(BackupTest, AStoreThatKeepsDamagingIsAnErrorAndNoPoint) {
  database.on_call = [&](const std::string& name) {
    // After the last block and before it is read back.
    if (name != "commit") return;
    for (const auto& block : store.names("blocks/")) store.flip(block, 60);
  };
  const auto point = take(database);
  ASSERT_FALSE(point);
  EXPECT_EQ(point.error().fault, Fault::corrupt) << point.error().message();
  expect_no_point();
}

TEST_F(BackupTest, ThePointsTimeIsThatOfItsInstant) {
  Point point;
  point.finished = parse_time("2026-11-23T12:00:07Z").value();
  EXPECT_EQ(instant_of(point), point.finished);
  const auto instant = parse_time("2026-11-23T12:00:00Z").value();
  point.instant = database::Position{
      static_cast<std::uint64_t>(instant.time_since_epoch().count() / 1000) << 32 | 5, 1};
  EXPECT_EQ(instant_of(point), instant);
}

TEST_F(BackupTest, TheMetadataFileNamesWhoAskedAndStandsUnderThePointsName) {
  auto request = asked();
  request.by = "noor";
  const auto point = take(database, request);
  ASSERT_TRUE(point);
  EXPECT_EQ(metadata(*point)["triggered_by"], "noor");
  EXPECT_EQ(metadata(vault->load("rp-1").value())["triggered_by"], "noor");
  EXPECT_GT(metadata(*point)["backup_size"].get<std::uint64_t>(), 0U);
}

}  // namespace
}  // namespace belay::vault
