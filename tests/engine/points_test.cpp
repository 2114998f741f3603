// SPDX-License-Identifier: Apache-2.0
// Points and salvages as runs take, find and outlive them: whose they are, that they are read
// afresh, and what retention may remove.
#include "engine/points.hpp"

#include "tests/engine/past.hpp"
#include "tests/engine/shop.hpp"
#include "vault/owner.hpp"

namespace belay::engine::testing {
namespace {

constexpr const char* file = R"(
project: shop
services: { backend: { path: backend, build: make, run: ./backend, check: / } }
database: { uri: "mongodb://127.0.0.1/shop" }
vault: { keep: { last: 2, days: 10, safety_days: 20 } }
environments:
  production:
    tag: prod
    services: { backend: { target: host, listen: "127.0.0.1:8080" } }
    vault: { keep: { last: 3, days: 30, safety_days: 90 } }
  staging:
    tag: staging
    services: { backend: { target: host, listen: "127.0.0.1:8090" } }
)";

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return std::move(result).value();
}

struct Points : ::testing::Test {
  ScratchFolder scratch = scratch_folder();
  FakeWorld world;
  fake::FakeDatabase database{{"shop"}};
  fake::FakeStorage store;
  std::unique_ptr<journal::Journal> journal =
      must(journal::open_sqlite(scratch.path(), world.clock));
  std::unique_ptr<vault::Vault> vault =
      must(vault::open_vault(store, Secret(std::string(64, 'a')), world.clock, world.random));
  Site site;

  void SetUp() override {
    auto parsed = pipeline::parse_spec(file);
    if (!parsed.spec) throw std::runtime_error(pipeline::report("belay.yaml", parsed.complaints));
    site.present = *parsed.spec;
    site.environment = "production";
    site.journal = journal.get();
    site.database = &database;
    site.database_names = {"shop"};
    site.vault = vault.get();
    site.clock = &world.clock;
    database.put({"shop", "orders"}, R"({"_id": 1})");
  }
  std::string run() { return Past(*journal, world).begun(Past::planned("deploy", "r")); }
  vault::BackupRequest asked(const std::string& of) {
    vault::BackupRequest out;
    out.name = "rp-" + of;
    out.kind = "deploy";
    out.project = "shop";
    out.environment = "production";
    out.run = of;
    out.origin = must(origin_of(*journal, of));
    out.databases = {"shop"};
    return out;
  }
  Result<vault::Point> take(const std::string& of) {
    return take_verified_point(site, database, asked(of), {}, {});
  }
  void keep(const std::string& name, const std::string& environment, int days_old,
            const std::string& kind = "deploy", const std::string& of = "") {
    vault::Point point;
    point.name = name;
    point.kind = kind;
    point.project = "shop";
    point.environment = environment;
    point.run = of;
    point.databases = {"shop"};
    point.started = point.finished = world.clock.now() - std::chrono::hours(24) * days_old;
    ASSERT_TRUE(vault->commit(point));
  }
  std::set<std::string> names() {
    std::set<std::string> out;
    for (const auto& one : must(vault->list())) out.insert(one.name);
    return out;
  }
};

TEST_F(Points, AreReadInAProcessOfTheirOwnBeforeTheyCount) {
  std::vector<std::string> read;
  site.verify_afresh = [&](const std::string& point, std::stop_token) {
    EXPECT_TRUE(names().contains(point)) << "after the manifest was put";
    read.push_back(point);
    return vault->verify(point, {}, {});
  };
  const auto of = run();
  ASSERT_TRUE(take(of));
  ASSERT_TRUE(take(of)) << "a resumed run finds its point, and reads it once more";
  EXPECT_EQ(read, (std::vector<std::string>{"rp-" + of, "rp-" + of}));
}

TEST_F(Points, ThatDoNotComeBackAreNamedAndRemoved) {
  site.verify_afresh = [&](const std::string&, std::stop_token) -> Result<vault::VerifyReport> {
    return vault::VerifyReport{1, 0, 0, {"shop.orders: a bit flipped"}};
  };
  const auto of = run();
  const auto point = take(of);
  ASSERT_FALSE(point);
  EXPECT_EQ(point.error().fault, Fault::corrupt);
  EXPECT_NE(point.error().message().find("rp-" + of), std::string::npos);
  EXPECT_NE(point.error().message().find("a bit flipped"), std::string::npos);
  EXPECT_TRUE(names().empty());
}

TEST_F(Points, ThatDoNotComeBackAndAreLockedAreToldToStay) {
  store.lock(world.clock, std::chrono::hours(24));
  site.verify_afresh = [&](const std::string&, std::stop_token) -> Result<vault::VerifyReport> {
    return vault::VerifyReport{1, 0, 0, {"shop.orders: a bit flipped"}};
  };
  const auto of = run();
  const auto point = take(of);
  ASSERT_FALSE(point);
  EXPECT_EQ(point.error().fault, Fault::corrupt);
  EXPECT_NE(point.error().message().find("cannot be removed, points/rp-" + of + " is locked"),
            std::string::npos)
      << point.error().message();
  EXPECT_TRUE(names().contains("rp-" + of));
}

TEST_F(Points, OfWhichDocumentsAreMissingDoNotCount) {
  site.verify_afresh = [&](const std::string&, std::stop_token) -> Result<vault::VerifyReport> {
    return vault::VerifyReport{};
  };
  EXPECT_FALSE(take(run()));
  EXPECT_TRUE(names().empty());
}

TEST_F(Points, StayWhenTheReadingItselfCouldNotBeDone) {
  site.verify_afresh = [&](const std::string&, std::stop_token) -> Result<vault::VerifyReport> {
    return fail(Fault::timeout, "the machine is slow");
  };
  const auto of = run();
  EXPECT_FALSE(take(of)) << "and the deploy does not go on";
  EXPECT_EQ(names(), std::set<std::string>{"rp-" + of});
}

TEST_F(Points, OfAnotherJournalAreNeverFoundUnderTheRunsNumber) {
  const auto of = run();
  auto foreign = asked(of);
  foreign.origin = std::string(64, 'f');
  ASSERT_TRUE(take_verified_point(site, database, foreign, {}, {}));
  const Json args{{"point", "rp-{run}"}};
  const auto none = point_meant(site, args, of);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().fault, Fault::missing);
  EXPECT_FALSE(point_meant(site, {{"point", "rp-" + of}, {"of", of}}, ""));
  const auto own = must(take(of));
  EXPECT_NE(own.name, "rp-" + of);
  EXPECT_EQ(must(point_meant(site, args, of)).name, own.name);
  EXPECT_EQ(must(point_meant(site, {{"point", "rp-" + of}}, "")).name, "rp-" + of) << "by hand";
}

TEST_F(Points, OfAnotherEnvironmentAreRefusedByHandToo) {
  keep("rp-9", "staging", 0);
  const auto meant = point_meant(site, {{"point", "rp-9"}}, "");
  ASSERT_FALSE(meant);
  EXPECT_EQ(meant.error().fault, Fault::refused);
  EXPECT_NE(meant.error().message().find("staging"), std::string::npos);
}

TEST_F(Points, RetentionKeepsToItsEnvironmentAndItsRules) {
  keep("staging-old", "staging", 400);
  for (int i = 1; i <= 5; ++i) keep(fmt::format("old-{}", i), "production", 100 + i);
  keep("young", "production", 5);
  keep("safety-old", "production", 91, "safety");
  keep("safety-young", "production", 80, "safety");
  keep("safety-elsewhere", "", 91, "safety");
  const auto fresh = must(take(run()));
  EXPECT_EQ(must(apply_retention(site, fresh)), 6);
  EXPECT_EQ(names(),
            (std::set<std::string>{"staging-old", "young", "old-1", "safety-young", fresh.name}))
      << "production keeps three, or thirty days";
}

TEST_F(Points, RetentionLeavesWhatTheStoreLocksForAnotherTime) {
  for (int i = 1; i <= 3; ++i) keep(fmt::format("open-{}", i), "production", 100 + i);
  store.lock(world.clock, std::chrono::hours(24));
  for (int i = 1; i <= 3; ++i) keep(fmt::format("locked-{}", i), "production", 200 + i);
  const auto fresh = must(take(run()));
  EXPECT_EQ(must(apply_retention(site, fresh)), 1) << "one is beyond the last three, and open";
  EXPECT_EQ(names().size(), 6U);
  EXPECT_FALSE(names().contains("open-3"));
  world.clock.advance(std::chrono::hours(25));
  EXPECT_EQ(must(apply_retention(site, fresh)), 3);
}

TEST_F(Points, ThirtyDeploysOfStagingRemoveNothingOfProduction) {
  keep("the-way-back", "production", 400);
  site.environment = "staging";
  for (int i = 1; i <= 30; ++i) keep(fmt::format("s-{}", i), "staging", 50);
  keep("fresh", "staging", 0);
  must(apply_retention(site, must(vault->load("fresh"))));
  EXPECT_TRUE(names().contains("the-way-back"));
  EXPECT_EQ(names().size(), 1U + 2U) << "and staging's own rule is the file's: two";
}

TEST_F(Points, OfOpenRunsOutliveTheirTime) {
  const auto open = run();
  keep("of-open", "production", 400, "safety", open);
  must(apply_retention(site, must(take(run()))));
  EXPECT_TRUE(names().contains("of-open"));
}

TEST_F(Points, ThatAnOpenRunMeansToGoBackToOutliveTheirTime) {
  keep("meant", "production", 400);
  keep("forgotten", "production", 400);
  for (int i = 0; i < 3; ++i) keep(fmt::format("young-{}", i), "production", 1);
  auto plan = Past::planned("rewind", "");
  plan.steps = {{"rewind", "rewind", ""}};
  plan.steps[0].args = {{"point", "meant"}, {"of", ""}};
  Past(*journal, world).begun(plan);
  must(apply_retention(site, must(take(run()))));
  EXPECT_TRUE(names().contains("meant"));
  EXPECT_FALSE(names().contains("forgotten"));
}

TEST_F(Points, OfTheReleaseBeforeTheLiveOneStayAlsoWhereARewindFoundNothingToChange) {
  Past past(*journal, world);
  past.deploy("r1");
  const auto second = past.deploy("r2");
  past.to_point_of(second, "r1", false);
  past.deploy("r3");
  keep("rp-" + second, "production", 400, "deploy", second);
  keep("old", "production", 400);
  must(apply_retention(site, must(take(run()))));
  EXPECT_TRUE(names().contains("rp-" + second));
}

Setting small() {
  Setting setting;
  setting.migrates = false;
  return setting;
}

void fill_with_old_points(Shop& shop) {
  auto vault = must(vault::open_vault(shop.store, Secret(std::string(64, 'a')), shop.world.clock,
                                      shop.world.random));
  for (int i = 1; i <= 40; ++i) {
    vault::Point point;
    point.name = fmt::format("old-{}", i);
    point.kind = "deploy";
    point.project = "shop";
    point.environment = "production";
    point.finished = shop.world.clock.now() - std::chrono::hours(24) * 400;
    ASSERT_TRUE(vault->commit(point));
  }
}

TEST(RestorePoint, ThatFailsRemovesNothingAndShipsNothing) {
  Shop shop(small());
  fill_with_old_points(shop);
  const auto before = shop.store.names("points/");
  shop.database.plan.always("scan", fake::Trouble::fail);
  EXPECT_EQ(shop.finish(shop.create(shop.deploy_plan())), "failed");
  EXPECT_EQ(shop.store.names("points/"), before);
  EXPECT_EQ(shop.active("backend"), first_release);
  shop.database.plan.always("scan", fake::Trouble::none);
  EXPECT_EQ(shop.finish(shop.create(shop.deploy_plan())), "done");
  EXPECT_LT(shop.store.names("points/").size(), before.size()) << "only then they go";
}

TEST(RestorePoint, IsGoodAlsoWhenTidyingUpFails) {
  Shop shop(small());
  fill_with_old_points(shop);  // they are forgotten; prune then meets what it cannot read
  ASSERT_TRUE(shop.store.put("points/damaged", "not a manifest"));
  ASSERT_TRUE(shop.store.put("sealed/salvage/x/index", "not an index"));
  EXPECT_EQ(shop.finish(shop.create(shop.deploy_plan())), "done");
}

}  // namespace
}  // namespace belay::engine::testing
