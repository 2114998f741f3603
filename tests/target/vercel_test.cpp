// SPDX-License-Identifier: Apache-2.0
// The Vercel target on a stand-in that follows Vercel's published API, by the contract and in
// trouble.
#include "tests/target/sweeps.hpp"
#include "tests/target/vercel_subject.hpp"

namespace belay::contract {
namespace {

using belay::testing::HttpFault;
using target::Phase;
using target::Version;

std::unique_ptr<TargetSubject> on_the_stand_in() {
  return std::make_unique<VercelSubject>();
}
INSTANTIATE_TEST_SUITE_P(Vercel, TargetContract, ::testing::Values(&on_the_stand_in));
INSTANTIATE_TEST_SUITE_P(Vercel, BuildContract, ::testing::Values(&on_the_stand_in));
INSTANTIATE_TEST_SUITE_P(Vercel, CommandContract, ::testing::Values(&on_the_stand_in));

struct Vercel : ::testing::Test {
  VercelSubject on;
  const Version v1{"frontend", "prod-1"}, v2{"frontend", "prod-2"};

  Status prepare(const Version& version) {
    return on.target().prepare(version, on.good(), "key-" + version.release, {}, {});
  }
  Status activate(const Version& version) {
    return on.target().activate(version, {}, "a-" + version.release, {}, {});
  }
  // Two releases, and back to the first.
  Status there_and_back() {
    TRY(prepare(v1));
    TRY(activate(v1));
    TRY(prepare(v2));
    TRY(activate(v2));
    return on.target().go_back(v1, {}, "b-1", {}, {});
  }
  // One deployment of each release, the first is live, and no request was wrong.
  void expect_all_well() {
    const auto state = on.stand_in.state();
    std::map<std::string, int> made;
    std::string first;
    for (const auto& each : state["deployments"]) {
      ++made[each["meta"]["belayRelease"]];
      if (each["meta"]["belayRelease"] == "prod-1") first = each["id"];
    }
    EXPECT_EQ(made, (std::map<std::string, int>{{"prod-1", 1}, {"prod-2", 1}})) << state.dump(1);
    EXPECT_EQ(state["alias"]["to"], first);
    EXPECT_EQ(state["complaints"], Json::array());
  }
};

TEST_F(Vercel, NothingIsLiveBeforeItIsPromoted) {
  ASSERT_TRUE(prepare(v1));
  EXPECT_EQ(on.stand_in.state()["alias"]["to"], nullptr);
  EXPECT_EQ(on.target().status(v1)->phase, Phase::prepared);
  const auto done = activate(v1);
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(on.target().status(v1)->phase, Phase::running);
}

TEST_F(Vercel, OnlyTheServicesFilesAreSentAndEachOnce) {
  ASSERT_TRUE(prepare(v1));
  ASSERT_TRUE(prepare(v2));
  int uploads = 0;
  on.stand_in.proxy().plan([&uploads](int, const std::string& head) -> std::optional<HttpFault> {
    uploads += head.starts_with("POST /v2/files");
    return std::nullopt;
  });
  ASSERT_TRUE(prepare({"frontend", "prod-3"}));
  EXPECT_EQ(uploads, 0);
  EXPECT_EQ(on.stand_in.state()["complaints"], Json::array());
}

TEST_F(Vercel, ABuildThatFailsIsToldWithItsLastLines) {
  std::string said;
  const auto done = on.target().prepare(v1, on.broken(), "k",
                                        [&said](std::string_view text) { said += text; }, {});
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message().find("exited with 1"), std::string::npos);
  EXPECT_NE(done.error().message().find("it is broken"), std::string::npos);
  EXPECT_NE(said.find("BUILDING"), std::string::npos);
}

TEST_F(Vercel, ADeploymentIsLookedForNoFurtherBackThanItsReleasesTime) {
  SystemClock real;
  const Version now{"frontend", "prod-" + to_tag_stamp(real.now())};
  ASSERT_TRUE(prepare(now));
  std::vector<std::string> lists;
  on.stand_in.proxy().plan([&lists](int, const std::string& head) -> std::optional<HttpFault> {
    if (head.starts_with("GET /v7/deployments")) lists.push_back(head.substr(0, head.find('\r')));
    return std::nullopt;
  });
  EXPECT_EQ(on.target().status(now)->phase, Phase::prepared);
  ASSERT_EQ(lists.size(), 1u);
  EXPECT_NE(lists[0].find("since="), std::string::npos) << lists[0];
  EXPECT_EQ(on.target().status({"frontend", "prod-20990101-000000"})->phase, Phase::absent);
}

// Else the domain would move after all, when the way back has ended.
TEST_F(Vercel, APromotionThatIsUnderWayIsOverBeforeTheWayBackIs) {
  ASSERT_TRUE(prepare(v1));
  ASSERT_TRUE(activate(v1));
  ASSERT_TRUE(prepare(v2));
  std::stop_source stop;
  on.clock.on_sleep([&stop](Millis) { stop.request_stop(); });
  const auto cut = on.target().activate(v2, {}, "a", {}, stop.get_token());
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().effect, Effect::unknown);
  EXPECT_TRUE(on.stand_in.state()["alias"]["order"]["jobStatus"] == "in-progress");
  on.clock.on_sleep({});
  const auto back = on.target().go_back(v1, {}, "b", {}, {});
  ASSERT_TRUE(back) << back.error().message();
  for (int look = 0; look < 5; ++look) EXPECT_TRUE(on.target().status(v1)->live);
}

TEST_F(Vercel, WhatCannotBeRolledBackIsPromoted) {
  ASSERT_TRUE(prepare(v1));
  const auto back = on.target().go_back(v1, {}, "b", {}, {});
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_TRUE(on.target().status(v1)->live);
  EXPECT_EQ(on.stand_in.state()["alias"]["order"]["type"], "promote");
}

TEST_F(Vercel, WhatIsLiveIsNotRemoved) {
  ASSERT_TRUE(prepare(v1));
  ASSERT_TRUE(activate(v1));
  const auto removed = on.target().remove(v1);
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().fault, Fault::refused);
  EXPECT_TRUE(on.target().status(v1)->live);
}

TEST_F(Vercel, AWrongTokenIsDeniedAndStaysSecret) {
  on.config.token = Secret("a-wrong-token");
  on.remake();
  const auto done = prepare(v1);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().fault, Fault::denied);
  EXPECT_EQ(done.error().message().find("a-wrong-token"), std::string::npos);
}

TEST_F(Vercel, AStopLeavesTheBuildAndTheSameKeyFindsItAgain) {
  std::stop_source stop;
  on.clock.on_sleep([&stop](Millis) { stop.request_stop(); });
  const auto stopped = on.target().prepare(v1, on.good(), "k", {}, stop.get_token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().fault, Fault::cancelled);
  on.clock.on_sleep({});
  ASSERT_TRUE(on.target().prepare(v1, on.good(), "k", {}, {}));
  EXPECT_EQ(on.stand_in.state()["deployments"].size(), 1u);
}

// Each fault in turn, at each request in turn.
struct VercelTrouble : Vercel, ::testing::WithParamInterface<std::size_t> {};

TEST_P(VercelTrouble, WhateverHappensToARequestNothingIsDoubledAndItIsDone) {
  in_trouble_at_each_request(on, {[this] { return there_and_back(); }},
                             belay::testing::every_fault().at(GetParam()),
                             [this] { expect_all_well(); });
}

INSTANTIATE_TEST_SUITE_P(Faults, VercelTrouble,
                         ::testing::Range<std::size_t>(0, belay::testing::every_fault().size()));

TEST_F(Vercel, WhereverItDiesWhoeverGoesOnDoublesNothing) {
  dead_after_each_request(on, {[this] { return there_and_back(); }}, [this] { expect_all_well(); });
}

}  // namespace
}  // namespace belay::contract
