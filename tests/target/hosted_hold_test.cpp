// SPDX-License-Identifier: Apache-2.0
// A service on Railway is kept from writing while data goes back, and goes on whatever happens.
#include "tests/target/railway_subject.hpp"

namespace belay::contract {
namespace {

using target::Version;

struct RailwayHold : ::testing::Test {
  RailwaySubject on;
  const Version v1{"backend", "prod-1"}, v2{"backend", "prod-2"};

  void SetUp() override { by_stopping(); }
  void by_stopping() {
    on.config.hold = target::RailwayHold{true};
    on.remake();
  }
  void by_variable() {
    on.config.hold = target::RailwayHold{false, "MAINTENANCE", "1", "0"};
    on.remake();
  }
  Status ship(const Version& version, const std::string& commit) {
    target::Artifact artifact;
    artifact.commit = commit;
    TRY(on.target().prepare(version, artifact, "key", {}, {}));
    return on.target().activate(version, {}, "a-" + version.release, {}, {});
  }
  Status hold(const std::string& key = "h-1") { return on.target().hold("backend", key, {}, {}); }
  Status let_go_on(const std::string& key = "l-1") {
    return on.target().let_go_on("backend", key, {}, {});
  }
  Json newest() { return on.stand_in.state()["deployments"].back(); }
  // What runs, and whether it writes: by its commit.
  std::vector<std::string> writing() {
    std::vector<std::string> found;
    const auto state = on.stand_in.state();
    for (const auto& each : state["deployments"]) {
      const bool held =
          each["deploymentStopped"] == true || each["variables"].value("MAINTENANCE", "") == "1";
      if (each["status"] == "SUCCESS" && !held)
        found.push_back(each["meta"]["commitHash"].get<std::string>());
    }
    return found;
  }
  using Commits = std::vector<std::string>;
};

TEST_F(RailwayHold, WhatIsLiveIsStoppedAndStartedAgain) {
  ASSERT_TRUE(hold()) << "nothing is live, so nothing writes";
  ASSERT_TRUE(let_go_on());
  ASSERT_TRUE(ship(v1, "aaa1"));
  for (int n = 0; n < 2; ++n) {
    const auto held = hold();
    ASSERT_TRUE(held) << held.error().message();
    EXPECT_EQ(writing(), Commits{});
  }
  EXPECT_TRUE(on.target().status(v1)->live) << "nothing took its place";
  for (int n = 0; n < 2; ++n) {
    const auto on_again = let_go_on();
    ASSERT_TRUE(on_again) << on_again.error().message();
    EXPECT_EQ(writing(), Commits{"aaa1"});
  }
  EXPECT_EQ(on.stand_in.state()["deployments"].size(), 1u);
  EXPECT_EQ(on.stand_in.state()["complaints"], Json::array());
}

TEST_F(RailwayHold, WhatCannotBeStartedAgainIsDeployedAnew) {
  ASSERT_TRUE(ship(v1, "aaa1"));
  ASSERT_TRUE(hold());
  on.stand_in.set("restart=no");
  std::string said;
  const auto done =
      on.target().let_go_on("backend", "l", [&said](std::string_view text) { said += text; }, {});
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_NE(said.find("deployed anew"), std::string::npos) << said;
  EXPECT_EQ(writing(), Commits{"aaa1"});
  EXPECT_TRUE(on.target().status(v1)->live);
}

TEST_F(RailwayHold, WhatIsMadeLiveMeanwhileIsNotHeld) {
  for (const bool stopping : {true, false}) {
    on.reset();
    if (stopping)
      by_stopping();
    else
      by_variable();
    ASSERT_TRUE(ship(v1, "aaa1"));
    ASSERT_TRUE(ship(v2, "bbb2"));
    const auto held = hold();
    ASSERT_TRUE(held) << held.error().message();
    EXPECT_EQ(writing(), Commits{});
    ASSERT_TRUE(on.target().go_back(v1, {}, "b", {}, {}));
    EXPECT_EQ(writing(), Commits{"aaa1"});
    const auto made = on.stand_in.state()["deployments"].size();
    ASSERT_TRUE(let_go_on());
    EXPECT_EQ(on.stand_in.state()["deployments"].size(), made) << "nothing to do";
    // Its last deployment was one to be held: that is not gone back to.
    ASSERT_TRUE(on.target().go_back(v2, {}, "again", {}, {}));
    EXPECT_EQ(writing(), Commits{"bbb2"});
  }
}

TEST_F(RailwayHold, ByAVariableTheLiveCommitIsDeployedWithIt) {
  by_variable();
  on.stand_in.set("name=BY_HAND&value=1");
  ASSERT_TRUE(ship(v1, "aaa1"));
  EXPECT_EQ(newest()["variables"]["MAINTENANCE"], "0");
  for (int n = 0; n < 2; ++n) {
    const auto held = hold("h-" + std::to_string(n));
    ASSERT_TRUE(held) << held.error().message();
  }
  EXPECT_EQ(writing(), Commits{});
  EXPECT_TRUE(on.target().status(v1)->live);
  for (int n = 0; n < 2; ++n) ASSERT_TRUE(let_go_on("l-" + std::to_string(n)));
  EXPECT_EQ(writing(), Commits{"aaa1"});
  EXPECT_EQ(newest()["variables"]["BY_HAND"], "1");
  EXPECT_EQ(on.stand_in.state()["deployments"].size(), 3u) << "one there, one back";
}

TEST_F(RailwayHold, WhatBelayDidNotMakeIsNotHeldByAVariableAndThatIsTold) {
  ASSERT_TRUE(ship(v1, "aaa1"));
  by_variable();
  on.forget_what_is_known();
  const auto held = hold();
  ASSERT_FALSE(held);
  EXPECT_NE(held.error().message().find("not made by Belay"), std::string::npos);
}

// Each fault in turn, at each request in turn: by stopping, and by a variable.
struct RailwayHoldTrouble : RailwayHold,
                            ::testing::WithParamInterface<std::tuple<std::size_t, bool>> {
  void choose() { std::get<1>(GetParam()) ? by_stopping() : by_variable(); }
  void expect_all_well() {
    EXPECT_EQ(writing(), Commits{"aaa1"});
    EXPECT_EQ(on.stand_in.state()["deployments"].size(), std::get<1>(GetParam()) ? 1u : 3u);
    EXPECT_EQ(on.stand_in.state()["complaints"], Json::array());
  }
};

TEST_P(RailwayHoldTrouble, WhateverHappensToARequestItIsHeldAndGoesOn) {
  choose();
  ASSERT_TRUE(ship(v1, "aaa1"));
  on.stand_in.proxy().plan({});
  ASSERT_TRUE(hold());
  ASSERT_TRUE(let_go_on());
  const int requests = on.stand_in.proxy().count();
  expect_all_well();
  for (int number = 1; number <= requests; ++number) {
    SCOPED_TRACE("at request " + std::to_string(number));
    on.reset();
    choose();
    ASSERT_TRUE(ship(v1, "aaa1"));
    on.stand_in.proxy().plan(
        belay::testing::only(number, belay::testing::every_fault().at(std::get<0>(GetParam()))));
    const auto held = hold();
    EXPECT_TRUE(held) << held.error().message();
    EXPECT_EQ(writing(), Commits{});
    const auto gone_on = let_go_on();
    EXPECT_TRUE(gone_on) << gone_on.error().message();
    expect_all_well();
  }
}
INSTANTIATE_TEST_SUITE_P(
    Faults, RailwayHoldTrouble,
    ::testing::Combine(::testing::Range<std::size_t>(0, belay::testing::every_fault().size()),
                       ::testing::Bool()));

TEST_F(RailwayHold, WhereverItDiesWhoeverGoesOnHoldsItAndLetsItGoOn) {
  for (const bool stopping : {true, false}) {
    const auto choose = [&] { stopping ? by_stopping() : by_variable(); };
    choose();
    on.reset();
    ASSERT_TRUE(ship(v1, "aaa1"));
    on.stand_in.proxy().plan({});
    ASSERT_TRUE(hold());
    ASSERT_TRUE(let_go_on());
    const int requests = on.stand_in.proxy().count();
    for (int number = 1; number <= requests; ++number) {
      SCOPED_TRACE((stopping ? "stopping: dead after " : "by variable: dead after ") +
                   std::to_string(number));
      on.reset();
      choose();
      ASSERT_TRUE(ship(v1, "aaa1"));
      on.stand_in.proxy().plan(belay::testing::dead_after(number));
      const bool died_holding = !hold("h-1");
      if (!died_holding) static_cast<void>(let_go_on("l-1").ok());
      on.stand_in.proxy().plan({});
      on.remake();
      if (died_holding) {
        const auto held = hold("h-2");
        EXPECT_TRUE(held) << held.error().message();
        EXPECT_EQ(writing(), Commits{});
      }
      const auto gone_on = let_go_on("l-2");
      EXPECT_TRUE(gone_on) << gone_on.error().message();
      EXPECT_EQ(writing(), Commits{"aaa1"});
      EXPECT_EQ(on.stand_in.state()["deployments"].size(), stopping ? 1u : 3u);
    }
  }
}

}  // namespace
}  // namespace belay::contract
