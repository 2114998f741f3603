// SPDX-License-Identifier: Apache-2.0
// The Railway target on a stand-in that holds each request against Railway's schema, by the
// contract and in trouble.
#include "tests/target/railway_subject.hpp"
#include "tests/target/sweeps.hpp"

namespace belay::contract {
namespace {

using belay::testing::HttpFault;
using target::Phase;
using target::Version;

std::unique_ptr<TargetSubject> railway_stand_in() {
  return std::make_unique<RailwaySubject>();
}
INSTANTIATE_TEST_SUITE_P(Railway, TargetContract, ::testing::Values(&railway_stand_in));
INSTANTIATE_TEST_SUITE_P(Railway, CommandContract, ::testing::Values(&railway_stand_in));

std::unique_ptr<TargetSubject> railway_with_files() {
  auto subject = std::make_unique<RailwaySubject>();
  subject->hand_over();
  return subject;
}
INSTANTIATE_TEST_SUITE_P(RailwayFiles, TargetContract, ::testing::Values(&railway_with_files));
INSTANTIATE_TEST_SUITE_P(RailwayFiles, CommandContract, ::testing::Values(&railway_with_files));

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
  Steps there_and_back() {
    return {[this] { return prepare(v1, "aaa1"); }, [this] { return activate(v1); },
            [this] { return prepare(v2, "bbb2"); }, [this] { return activate(v2); },
            [this] { return on.target().go_back(v1, {}, "b-1", {}, {}); }};
  }
  std::vector<std::string> commits() {
    std::vector<std::string> found;
    const auto state = on.stand_in.state();
    for (const auto& each : state["deployments"]) {
      const auto& files = each["files"];
      found.push_back(files.empty() ? each["meta"]["commitHash"].get<std::string>()
                                    : files["./commit"].get<std::string>());
    }
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

// Railway fetches the commit, or gets the files of it.
enum class Origin { commit, files };

struct RailwayOrigins : Railway {
  void from(Origin origin) {
    if (origin == Origin::files) on.hand_over();
  }
};
struct RailwayTrouble : RailwayOrigins,
                        ::testing::WithParamInterface<std::tuple<Origin, std::size_t>> {};

// Each fault in turn, at each request in turn.
TEST_P(RailwayTrouble, WhateverHappensToARequestNothingIsDoubledAndItIsDone) {
  const auto [origin, number_of_fault] = GetParam();
  from(origin);
  in_trouble_at_each_request(on, there_and_back(),
                             belay::testing::every_fault().at(number_of_fault),
                             [this] { expect_all_well(); });
}

INSTANTIATE_TEST_SUITE_P(
    Faults, RailwayTrouble,
    ::testing::Combine(::testing::Values(Origin::commit, Origin::files),
                       ::testing::Range<std::size_t>(0, belay::testing::every_fault().size())));

struct RailwayDeath : RailwayOrigins, ::testing::WithParamInterface<Origin> {};

TEST_P(RailwayDeath, WhereverItDiesWhoeverGoesOnDoublesNothing) {
  from(GetParam());
  dead_after_each_request(on, there_and_back(), [this] { expect_all_well(); });
}

INSTANTIATE_TEST_SUITE_P(Origins, RailwayDeath, ::testing::Values(Origin::commit, Origin::files));

struct RailwayFiles : Railway {
  void SetUp() override { on.hand_over(); }
  std::size_t made() { return on.stand_in.state()["deployments"].size(); }
};

// Railway promises nowhere that it shows them.
TEST_F(RailwayFiles, WhereNoMessagesAreShownALostAnswerIsUnknownAndNothingIsOrderedAgain) {
  on.stand_in.set("messages=no");
  ASSERT_TRUE(prepare(v1, "aaa1"));
  ASSERT_TRUE(activate(v1)) << "an answer that came names what it made";
  ASSERT_TRUE(prepare(v2, "bbb2"));
  const auto lost = belay::testing::every_fault().at(1);
  on.stand_in.proxy().plan([&](int, const std::string& request) {
    return request.find("/up?") != std::string::npos ? std::optional(lost) : std::nullopt;
  });
  const auto done = activate(v2);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().effect, Effect::unknown);
  EXPECT_NE(done.error().message().find("deployment-2 is new at Railway"), std::string::npos)
      << done.error().message();
  EXPECT_FALSE(activate(v2)) << "not by whoever goes on, either";
  EXPECT_EQ(made(), 2u);
}

TEST_F(RailwayFiles, SomebodyElsesAreNotTakenForOurs) {
  ASSERT_TRUE(prepare(v1, "aaa1"));
  ASSERT_TRUE(activate(v1));
  ASSERT_TRUE(prepare(v2, "bbb2"));
  int ups = 0;
  on.stand_in.proxy().plan([&](int, const std::string& request) -> std::optional<HttpFault> {
    if (request.find("/up?") == std::string::npos || ++ups > 1) return std::nullopt;
    on.stand_in.tell("up?message=mine");  // another's, while ours does not get through
    return belay::testing::every_fault().at(0);
  });
  const auto done = activate(v2);
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(commits(), (std::vector<std::string>{"aaa1", "another's", "bbb2"}));
  EXPECT_TRUE(on.target().status(v2)->live);
}

TEST_F(RailwayFiles, ThatCannotBePackedAreNoOrder) {
  on.config.packed = [](const std::string&, const std::string&,
                        std::stop_token) -> Result<std::string> {
    return fail(Fault::missing, "the commit has no folder backend");
  };
  on.remake();
  ASSERT_TRUE(prepare(v1, "aaa1"));
  const auto done = activate(v1);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().fault, Fault::missing);
  EXPECT_EQ(made(), 0u);
}

TEST_F(RailwayFiles, ThatAreRefusedAreToldWithRailwaysWords) {
  on.config.token = Secret("a-wrong-token");
  on.config.packed = [](const std::string&, const std::string&,
                        std::stop_token) -> Result<std::string> { return std::string("no gzip"); };
  on.remake();
  ASSERT_TRUE(prepare(v1, "aaa1"));
  const auto done = activate(v1);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message().find("a-wrong-token"), std::string::npos);
}

}  // namespace
}  // namespace belay::contract
