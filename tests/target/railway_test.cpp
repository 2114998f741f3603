// SPDX-License-Identifier: Apache-2.0
// The Railway target on a stand-in that holds each request against Railway's schema, by the
// contract and in trouble.
#include "tests/target/railway_subject.hpp"

namespace belay::contract {
namespace {

using target::Phase;
using target::Version;

std::unique_ptr<TargetSubject> railway_stand_in() {
  return std::make_unique<RailwaySubject>();
}
INSTANTIATE_TEST_SUITE_P(Railway, TargetContract, ::testing::Values(&railway_stand_in));
INSTANTIATE_TEST_SUITE_P(Railway, CommandContract, ::testing::Values(&railway_stand_in));

struct Railway : ::testing::Test {
  RailwaySubject on;
  const Version v1{"backend", "prod-1"}, v2{"backend", "prod-2"};

  Status prepare(const Version& version, const std::string& commit) {
    target::Artifact artifact;
    artifact.commit = commit;
    return on.target().prepare(version, artifact, "key", {}, {});
  }
  Status activate(const Version& version, const std::string& key = "") {
    return on.target().activate(version, {}, "a-" + version.release + key, {}, {});
  }
  // Two releases, and back to the first.
  Status there_and_back() {
    TRY(prepare(v1, "aaa1"));
    TRY(activate(v1));
    TRY(prepare(v2, "bbb2"));
    TRY(activate(v2));
    return on.target().go_back(v1, {}, "b-1", {}, {});
  }
  std::vector<std::string> commits() {
    std::vector<std::string> found;
    const auto state = on.stand_in.state();
    for (const auto& each : state["deployments"])
      found.push_back(each["meta"]["commitHash"].get<std::string>());
    return found;
  }
  // The two releases and the way back made a deployment each, and no request was wrong.
  void expect_all_well() {
    EXPECT_EQ(commits(), (std::vector<std::string>{"aaa1", "bbb2", "aaa1"}));
    const auto state = on.stand_in.state();
    EXPECT_EQ(state["deployments"].back()["status"], "SUCCESS");
    EXPECT_EQ(state["complaints"], Json::array());
    EXPECT_TRUE(on.target().status(v1)->live);
    EXPECT_FALSE(on.target().status(v2)->live);
  }
};

TEST_F(Railway, NothingIsMadeBeforeItIsActivated) {
  ASSERT_TRUE(prepare(v1, "aaa1"));
  EXPECT_EQ(on.stand_in.state()["deployments"].size(), 0u);
  EXPECT_EQ(on.target().status(v1)->phase, Phase::prepared);
  const auto done = activate(v1);
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(on.target().status(v1)->phase, Phase::running);
  ASSERT_TRUE(activate(v1)) << "once more";
  EXPECT_EQ(on.stand_in.state()["deployments"].size(), 1u);
}

TEST_F(Railway, ADeploymentThatFailsIsToldWithItsLastLinesAndWhatWasLiveStays) {
  ASSERT_TRUE(prepare(v1, "aaa1"));
  ASSERT_TRUE(activate(v1));
  ASSERT_TRUE(prepare(v2, "bad2"));
  const auto failed = activate(v2);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().fault, Fault::refused);
  EXPECT_NE(failed.error().message().find("FAILED it is"), std::string::npos);
  EXPECT_TRUE(on.target().status(v1)->live);
  EXPECT_FALSE(activate(v2)) << "under the same key it has failed";
  EXPECT_EQ(on.stand_in.state()["deployments"].size(), 2u);
  EXPECT_TRUE(on.target().go_back(v1, {}, "b", {}, {})) << "nothing to do";
  EXPECT_EQ(on.stand_in.state()["deployments"].size(), 2u);
  EXPECT_FALSE(activate(v2, "-again"));
  EXPECT_EQ(on.stand_in.state()["deployments"].size(), 3u) << "another try is another deployment";
}

// Else it would be live after all, minutes after the way back has ended.
TEST_F(Railway, WhatIsUnderWayIsEndedBeforeTheWayBackIsOver) {
  ASSERT_TRUE(prepare(v1, "aaa1"));
  ASSERT_TRUE(activate(v1));
  for (const int looks : {1, 2}) {  // still building; too late to cancel
    const Version next{"backend", "prod-" + std::to_string(looks + 1)};
    ASSERT_TRUE(prepare(next, "bbb" + std::to_string(looks)));
    std::stop_source stop;
    int slept = 0;
    on.clock.on_sleep([&](Millis) {
      if (++slept == looks) stop.request_stop();
    });
    const auto cut = on.target().activate(next, {}, "a", {}, stop.get_token());
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().effect, Effect::unknown);
    on.clock.on_sleep({});
    const auto back = on.target().go_back(v1, {}, "b" + std::to_string(looks), {}, {});
    ASSERT_TRUE(back) << back.error().message();
    const auto state = on.stand_in.state();
    std::vector<std::string> up;
    for (const auto& each : state["deployments"]) {
      const auto status = each["status"].get<std::string>();
      EXPECT_TRUE(status == "SUCCESS" || status == "REMOVED") << each.dump();
      if (status == "SUCCESS") up.push_back(each["meta"]["commitHash"].get<std::string>());
    }
    EXPECT_EQ(up, std::vector<std::string>{"aaa1"});
    // Cancelled in time it never was live; too late, and the way back is an order of its own.
    EXPECT_EQ(state["deployments"].size(), looks == 1 ? 2u : 4u);
    EXPECT_TRUE(on.target().status(v1)->live);
  }
}

TEST_F(Railway, ItsLogIsToldAsItComesEachLineOnceAndWhereItRuns) {
  ASSERT_TRUE(prepare(v1, "aaa1"));
  std::string said;
  std::vector<std::string> before_each_look;
  on.clock.on_sleep([&](Millis) { before_each_look.push_back(said); });
  const auto done =
      on.target().activate(v1, {}, "a", [&said](std::string_view text) { said += text; }, {});
  on.clock.on_sleep({});
  ASSERT_TRUE(done) << done.error().message();
  const std::string building = "BUILDING it is\nand more at that time\ndeployment-1: BUILDING\n";
  const std::string deploying = "DEPLOYING it is\nand more at that time\ndeployment-1: DEPLOYING\n";
  EXPECT_EQ(before_each_look, (std::vector<std::string>{building, building + deploying}));
  EXPECT_EQ(said, building + deploying +
                      "SUCCESS it is\nand more at that time\ndeployment-1 runs in europe-west4\n");
}

TEST_F(Railway, WhoseImageIsGoneIsBuiltAnew) {
  ASSERT_TRUE(prepare(v1, "aaa1"));
  std::string said;
  const auto back =
      on.target().go_back(v1, {}, "b", [&said](std::string_view text) { said += text; }, {});
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_NE(said.find("built anew"), std::string::npos);
  EXPECT_TRUE(on.target().status(v1)->live);
}

TEST_F(Railway, WhatDoesNotFitIsNamed) {
  on.config.service = "bakend";
  on.remake();
  ASSERT_TRUE(prepare(v1, "aaa1"));
  auto done = activate(v1);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message().find("bakend"), std::string::npos) << done.error().message();
  EXPECT_NE(done.error().message().find("backend, MongoDB"), std::string::npos);
  on.config.service = "backend";
  on.config.token = Secret("a-wrong-token");
  on.remake();
  done = activate(v1);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().fault, Fault::denied) << done.error().message();
  EXPECT_EQ(done.error().message().find("a-wrong-token"), std::string::npos);
}

// Each fault in turn, at each request in turn.
struct RailwayTrouble : Railway, ::testing::WithParamInterface<std::size_t> {};

TEST_P(RailwayTrouble, WhateverHappensToARequestNothingIsDoubledAndItIsDone) {
  ASSERT_TRUE(there_and_back());
  const int requests = on.stand_in.proxy().count();
  expect_all_well();
  const auto fault = belay::testing::every_fault().at(GetParam());
  for (int number = 1; number <= requests; ++number) {
    SCOPED_TRACE("at request " + std::to_string(number));
    on.reset();
    on.stand_in.proxy().plan(belay::testing::only(number, fault));
    const auto done = there_and_back();
    EXPECT_TRUE(done) << done.error().message();
    expect_all_well();
  }
}

INSTANTIATE_TEST_SUITE_P(Faults, RailwayTrouble,
                         ::testing::Range<std::size_t>(0, belay::testing::every_fault().size()));

TEST_F(Railway, WhereverItDiesWhoeverGoesOnDoublesNothing) {
  ASSERT_TRUE(there_and_back());
  const int requests = on.stand_in.proxy().count();
  for (int number = 1; number <= requests; ++number) {
    SCOPED_TRACE("dead after request " + std::to_string(number));
    on.reset();
    on.stand_in.proxy().plan(belay::testing::dead_after(number));
    // Who goes on begins with the step that was under way, never with one that is over.
    const auto steps = std::vector<std::function<Status()>>{
        [this] { return prepare(v1, "aaa1"); }, [this] { return activate(v1); },
        [this] { return prepare(v2, "bbb2"); }, [this] { return activate(v2); },
        [this] { return on.target().go_back(v1, {}, "b-1", {}, {}); }};
    bool dead = false;
    for (const auto& step : steps) {
      auto done = step();
      if (!done && !dead) {
        dead = true;
        on.stand_in.proxy().plan({});
        on.remake();
        done = step();
      }
      EXPECT_TRUE(done) << done.error().message();
    }
    on.stand_in.proxy().plan({});
    expect_all_well();
  }
}

}  // namespace
}  // namespace belay::contract
