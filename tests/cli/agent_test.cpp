// SPDX-License-Identifier: Apache-2.0
// The agent drives what commands hand it, and goes on with what a dead agent left.
#include "tests/cli/runs.hpp"

namespace belay::cli::testing {
namespace {

class Agents : public Runs {
 protected:
  std::unique_ptr<Background> agent(const Environment& more = {}) {
    auto made = std::make_unique<Background>(project_, std::vector<std::string>{"agent"},
                                             std::function<void()>(), more);
    EXPECT_TRUE(eventually([&] {
      return made->said().find("agent for shop") != std::string::npos;
    })) << made->said();
    return made;
  }
  void killed(Background& one) {
    ::kill(one.pid(), SIGKILL);
    one.wait();
  }
  bool ended() const { return status()["open_runs"].empty(); }
};

TEST_F(Agents, ADeployIsHandedToItAndFollowedToItsEnd) {
  const auto driver = agent();
  slow_activation();
  Background deploy(project_, {"deploy"});
  ASSERT_TRUE(eventually([&] { return begun(); })) << deploy.said() << driver->said();
  EXPECT_TRUE(status()["agent"].get<bool>());
  ::kill(deploy.pid(), SIGINT);
  EXPECT_EQ(deploy.wait(), 6);
  EXPECT_NE(deploy.said().find("the run goes on"), std::string::npos) << deploy.said();
  Background follower(project_, {"resume", "1"});
  let_go();
  EXPECT_EQ(follower.wait(), 0) << follower.said() << driver->said();
  EXPECT_EQ(activations(), "x\n");
}

TEST_F(Agents, WhatAKilledAgentLeftTheNextOneEnds) {
  slow_activation();
  auto first = agent();
  Background deploy(project_, {"deploy"});
  ASSERT_TRUE(eventually([&] { return begun(); })) << deploy.said() << first->said();
  killed(*first);
  const auto second = agent();
  let_go();
  EXPECT_EQ(deploy.wait(), 0) << deploy.said() << second->said();
  EXPECT_TRUE(ended());
  EXPECT_EQ(activations(), "x\n");
}

TEST_F(Agents, ACancelReachesARunThatItDrives) {
  slow_activation();
  const auto driver = agent();
  Background deploy(project_, {"deploy"});
  ASSERT_TRUE(eventually([&] { return begun(); })) << deploy.said() << driver->said();
  const auto cancel = project_.belay({"cancel", "1"});
  EXPECT_EQ(cancel.status, 1) << cancel.out << cancel.err;
  EXPECT_EQ(deploy.wait(), 1) << deploy.said();
  EXPECT_EQ(live(), "");
}

TEST_F(Agents, ASecretThatItLacksIsNamedAndTheCommandDrivesTheRunItself) {
  auto text = project_.file();
  const std::string path = "    path: .\n";
  text.replace(text.find(path), path.size(), path + "    env: { TOKEN: \"${SHOP_TOKEN}\" }\n");
  ship_file(text);
  const auto driver = agent();
  const auto deploy = project_.belay({"deploy"}, {{"SHOP_TOKEN", "s3cret-t0ken"}});
  EXPECT_EQ(deploy.status, 0) << deploy.out << deploy.err << driver->said();
  EXPECT_NE(deploy.err.find("SHOP_TOKEN"), std::string::npos) << deploy.err;
}

TEST_F(Agents, AWaitThatIsOverIsNoticedWhileNoCommandRuns) {
  ship_file(project_.file("    approvals: { required: 1, reviewers: [amina], wait: 3s }\n",
                          "people:\n  amina: " + project_.public_key("amina") + "\n"));
  auto driver = agent();
  Background deploy(project_, {"deploy"});
  ASSERT_TRUE(eventually([&] { return deploy.said().find("waiting for") != std::string::npos; }))
      << deploy.said();
  killed(deploy);
  const auto vote = project_.belay({"approve", "1", "--key", project_.key("amina").string()});
  EXPECT_EQ(vote.status, 0) << vote.out << vote.err;
  EXPECT_TRUE(eventually([&] { return ended(); })) << driver->said();
  EXPECT_FALSE(live().empty());
}

}  // namespace
}  // namespace belay::cli::testing
