// SPDX-License-Identifier: Apache-2.0
// Runs that are interrupted, killed, or lose their driver: what is said, and who goes on.
#include "tests/cli/runs.hpp"

namespace belay::cli::testing {
namespace {

bool says(const Background& one, const std::string& text) {
  return eventually([&] { return one.said().find(text) != std::string::npos; });
}

TEST_F(Runs, InterruptedTheStepInProgressEndsAndResumeGoesOn) {
  for (const int signal : {SIGINT, SIGTERM}) {
    std::filesystem::remove(project_.above() / "begun");
    std::filesystem::remove(project_.above() / "go");
    slow_activation();
    Background deploy(project_, {"deploy"});
    ASSERT_TRUE(eventually([&] { return begun(); })) << deploy.said();
    ::kill(deploy.pid(), signal);
    ASSERT_TRUE(says(deploy, "the step in progress ends first")) << deploy.said();
    let_go();
    ASSERT_EQ(deploy.wait(), 6) << deploy.said();
    EXPECT_EQ(deploy.said().find("left in the middle"), std::string::npos) << deploy.said();
    ASSERT_EQ(status()["open_runs"].size(), 1U);
    const auto run = status()["open_runs"][0]["run"].get<std::string>();
    EXPECT_NE(deploy.said().find("belay resume " + run), std::string::npos) << deploy.said();
    const auto resumed = project_.belay({"resume", run});
    EXPECT_EQ(resumed.status, 0) << resumed.out << resumed.err;
    EXPECT_TRUE(status()["open_runs"].empty());
    EXPECT_EQ(activations(), "x\n");
  }
}

TEST_F(Runs, InterruptedTwiceItLeavesAtOnceAndSaysWhatGoesOn) {
  slow_activation();
  Background deploy(project_, {"deploy"});
  ASSERT_TRUE(eventually([&] { return begun(); })) << deploy.said();
  ::kill(deploy.pid(), SIGINT);
  ASSERT_TRUE(says(deploy, "once more leaves at once")) << deploy.said();
  ::kill(deploy.pid(), SIGINT);
  ASSERT_EQ(deploy.wait(), 6) << deploy.said();
  EXPECT_NE(deploy.said().find("left in the middle of switch"), std::string::npos) << deploy.said();
  let_go();
  const auto resumed = project_.belay({"resume", "1"});
  EXPECT_EQ(resumed.status, 0) << resumed.out << resumed.err;
  EXPECT_EQ(activations(), "x\n") << "it is taken over, not begun again";
}

TEST_F(Runs, KilledDuringAnActivationTheNextProcessTakesItOver) {
  killed_in_the_activation();
  Background resume(project_, {"resume", "1"});
  let_go();
  EXPECT_EQ(resume.wait(), 0) << resume.said();
  EXPECT_EQ(activations(), "x\n") << "it ran once";
}

TEST_F(Runs, CancelledDuringAnActivationThatIsEndedBeforeAnythingIsTakenBack) {
  killed_in_the_activation();
  const auto cancel = project_.belay({"cancel", "1"});
  EXPECT_EQ(cancel.status, 1) << cancel.out << cancel.err;
  let_go();
  EXPECT_FALSE(eventually([&] { return !live().empty(); }, std::chrono::milliseconds(500)))
      << "nothing goes live later";
}

TEST_F(Runs, WhoFollowsADriverThatDiesGoesOnWithTheRun) {
  slow_activation();
  Background deploy(project_, {"deploy"});
  ASSERT_TRUE(eventually([&] { return begun(); })) << deploy.said();
  Background follower(project_, {"resume", "1"});
  ASSERT_TRUE(says(follower, "Run 1")) << follower.said();
  ::kill(deploy.pid(), SIGKILL);
  deploy.wait();
  let_go();
  EXPECT_EQ(follower.wait(), 0) << follower.said();
  EXPECT_NE(follower.said().find("Nobody drives run 1"), std::string::npos) << follower.said();
}

TEST_F(Runs, ADiskThatFillsUpInTheMiddleOfARunLeavesItToBeResumed) {
  slow_activation();
  Background deploy(project_, {"deploy"}, [] { ::signal(SIGXFSZ, SIG_IGN); });
  ASSERT_TRUE(eventually([&] { return begun(); })) << deploy.said();
  const rlimit full{4096, 4096};
  ASSERT_EQ(::prlimit(deploy.pid(), RLIMIT_FSIZE, &full, nullptr), 0);
  let_go();
  EXPECT_EQ(deploy.wait(), 6) << deploy.said();
  EXPECT_NE(deploy.said().find("belay resume 1"), std::string::npos) << deploy.said();
  const auto resumed = project_.belay({"resume", "1"});
  EXPECT_EQ(resumed.status, 0) << resumed.out << resumed.err;
  EXPECT_EQ(activations(), "x\n");
}

TEST_F(Runs, ADeployThatWaitsForALockSaysWhoseItIsAndThatNobodyDrivesIt) {
  killed_in_the_activation();
  Background second(project_, {"deploy"});
  EXPECT_TRUE(says(second, "production is held by run 1, which nobody drives")) << second.said();
  const auto all = status();
  ASSERT_EQ(all["open_runs"].size(), 2U);
  EXPECT_EQ(all["locks"][0]["run"], "1");
  ::kill(second.pid(), SIGINT);
  EXPECT_EQ(second.wait(), 6) << second.said();
  const auto third = project_.belay({"resume", "2", "--no-wait"});
  EXPECT_EQ(third.status, 3) << "it waits for a lock, not for people: " << third.out;
  let_go();
  EXPECT_EQ(project_.belay({"cancel", "1"}).status, 1);
  EXPECT_EQ(project_.belay({"resume", "2"}).status, 0);
}

TEST_F(Runs, EveryCommandNamesTheRunThatNobodyDrives) {
  killed_in_the_activation();
  for (const std::string word : {"status", "history", "plan", "audit"}) {
    const auto said = project_.belay({word});
    EXPECT_NE(said.err.find("Run 1 (deploy in production) is not finished: belay resume 1"),
              std::string::npos)
        << word << ": " << said.err;
  }
  EXPECT_EQ(project_.belay({"show", "1"}).err, "") << "who asks about it knows";
  let_go();
  EXPECT_EQ(project_.belay({"resume", "1"}).status, 0);
  EXPECT_EQ(project_.belay({"status"}).err, "");
}

TEST_F(Runs, LogsFollowsARunToItsEnd) {
  slow_activation();
  Background deploy(project_, {"deploy"});
  ASSERT_TRUE(eventually([&] { return begun(); })) << deploy.said();
  Background logs(project_, {"logs", "1", "-f"});
  ASSERT_TRUE(eventually([&] { return logs.said().find("== ") != std::string::npos; }))
      << "while it runs: " << logs.said();
  let_go();
  EXPECT_EQ(deploy.wait(), 0) << deploy.said();
  EXPECT_EQ(logs.wait(), 0);
  EXPECT_EQ(logs.said(), project_.belay({"logs", "1"}).out);
}

}  // namespace
}  // namespace belay::cli::testing
