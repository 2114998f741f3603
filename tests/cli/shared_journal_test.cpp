// SPDX-License-Identifier: Apache-2.0
// Machines that are thrown away: what one of them did, and left undone, the next one knows.
#include "tests/cli/runs.hpp"

namespace belay::cli::testing {
namespace {

class SharedJournal : public Runs {
 protected:
  void SetUp() override { ship_shared(project_.file()); }

  void ship_shared(const std::string& text) {
    ship_file(text + "journal: store\nvault: { store: \"file:../vault\", key: \"${KEY}\" }\n");
  }
  // Everything that was here is gone, but for what is in the store and in git.
  void another_machine() { std::filesystem::remove_all(project_.state()); }
  // Nobody has heard of its driver for long enough.
  void leases_run_out() { std::filesystem::remove_all(project_.above() / "vault" / "claims"); }

  Finished belay(std::vector<std::string> words) const {
    return project_.belay(std::move(words), secret_);
  }
  std::string slow_file() {
    auto text = project_.file();
    const std::string quick = "activate: echo";
    const auto here = project_.above().string();
    return text.replace(text.find(quick), quick.size(),
                        "activate: echo x >> " + here + "/begun; while [ -d " + here +
                            " ] && [ ! -e " + here + "/go ]; do sleep 0.05; done; echo");
  }

  Environment secret_{{"KEY", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}};
};

TEST_F(SharedJournal, AFreshMachineKnowsWhatIsLiveAndBringsItBack) {
  ASSERT_EQ(belay({"deploy"}).status, 0);
  const auto first = live();
  another_machine();
  const auto second = belay({"deploy"});
  ASSERT_EQ(second.status, 0) << second.out << second.err;
  ASSERT_NE(live(), first);
  another_machine();
  const auto told = belay({"status"});
  EXPECT_NE(told.out.find(live()), std::string::npos) << told.out << told.err;
  const auto history = belay({"history", "--json"});
  EXPECT_NE(history.out.find(first), std::string::npos) << history.out;
  const auto back = belay({"rollback", "--code-only", "--yes"});
  EXPECT_EQ(back.status, 0) << back.out << back.err;
  EXPECT_EQ(live(), first);
  another_machine();
  EXPECT_EQ(belay({"audit", "verify"}).status, 0);
}

// The way back leads to files that went with the machine that had built them.
TEST_F(SharedJournal, ADeployThatFailsOnAFreshMachineGoesBackToWhatAnotherOneShipped) {
  ASSERT_EQ(belay({"deploy"}).status, 0);
  const auto good = live();
  auto text = project_.file();
  const std::string check = "command: test -d /";
  ship_shared(
      text.replace(text.find(check), check.size(), "command: '! grep -q . ../fails 2>/dev/null'"));
  project_.write("../fails", "x");
  another_machine();
  const auto failed = belay({"deploy"});
  EXPECT_EQ(failed.status, 1) << failed.out << failed.err;
  EXPECT_EQ(live(), good) << failed.out << failed.err;
}

TEST_F(SharedJournal, OnlyTheKeyOpensIt) {
  ASSERT_EQ(belay({"deploy"}).status, 0);
  another_machine();
  const auto without = project_.belay({"status"});
  EXPECT_EQ(without.status, 2) << without.out << without.err;
  EXPECT_NE(without.err.find("KEY"), std::string::npos) << without.err;
  secret_["KEY"] = std::string(64, 'f');
  const auto wrong = belay({"status"});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_NE(wrong.err.find("made with another key"), std::string::npos) << wrong.err;
  std::string all;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(project_.above() / "vault"))
    if (entry.is_regular_file()) all += read_file(entry.path()).value();
  EXPECT_EQ(all.find("production"), std::string::npos) << "sealed, not in the clear";
}

TEST_F(SharedJournal, ASecondMachineWaitsForTheEnvironmentThatTheFirstHolds) {
  ship_shared(slow_file());
  Background first(project_, {"deploy"}, {}, secret_);
  ASSERT_TRUE(eventually([&] { return begun(); })) << first.said();
  ::kill(first.pid(), SIGSTOP);  // its folder is about to be moved away beneath it
  std::filesystem::rename(project_.state(), project_.above() / "first-state");
  const auto second = belay({"deploy", "--no-wait"});
  EXPECT_EQ(second.status, 3) << second.out << second.err;
  EXPECT_NE((second.out + second.err).find("run 1"), std::string::npos) << second.out << second.err;
  let_go();
}

// The machine is lost in the middle of what must not be done twice.
TEST_F(SharedJournal, AMachineLostInTheMiddleIsFollowedByTheNextWhichRepeatsNothingBlindly) {
  ASSERT_EQ(belay({"deploy"}).status, 0);
  const auto good = live();
  ship_shared(slow_file());
  {
    Background first(project_, {"deploy"}, {}, secret_);
    ASSERT_TRUE(eventually([&] { return begun(); })) << first.said();
    ::kill(first.pid(), SIGKILL);
    first.wait();
  }
  another_machine();
  const auto early = belay({"status", "--json"});
  EXPECT_NE(early.out.find("\"driven\":true"), std::string::npos)
      << "it was heard of a moment ago: " << early.out;
  leases_run_out();
  const auto resumed = belay({"resume", "2"});
  EXPECT_EQ(activations(), "x\n") << "not begun a second time";
  EXPECT_EQ(resumed.status, 1) << resumed.out << resumed.err;
  EXPECT_NE(resumed.out.find("whether it was done cannot be told"), std::string::npos)
      << resumed.out;
  EXPECT_EQ(live(), good);
  EXPECT_TRUE(parse_json(belay({"status", "--json"}).out).value()["locks"].empty());
  let_go();
}

TEST_F(SharedJournal, AMachineThatWakesUpLaterFindsItselfReplaced) {
  ship_shared(slow_file());
  Background first(project_, {"deploy"}, {}, secret_);
  ASSERT_TRUE(eventually([&] { return begun(); })) << first.said();
  ::kill(first.pid(), SIGSTOP);
  std::filesystem::rename(project_.state(), project_.above() / "first-state");
  leases_run_out();
  const auto cancelled = belay({"cancel", "1"});
  EXPECT_EQ(cancelled.status, 1) << cancelled.out << cancelled.err;
  std::filesystem::rename(project_.state(), project_.above() / "second-state");
  std::filesystem::rename(project_.above() / "first-state", project_.state());
  ::kill(first.pid(), SIGCONT);
  let_go();
  EXPECT_NE(first.wait(), 0) << first.said();
  EXPECT_EQ(activations(), "x\n");
  EXPECT_EQ(first.said().find("Shipped"), std::string::npos) << first.said();
}

TEST_F(SharedJournal, ACopyWithoutItsStoreIsRefused) {
  ASSERT_EQ(belay({"deploy"}).status, 0);
  ship_file(project_.file());
  const auto alone = belay({"status"});
  EXPECT_EQ(alone.status, 1) << alone.out;
  EXPECT_NE(alone.err.find("journal: store"), std::string::npos) << alone.err;
}

}  // namespace
}  // namespace belay::cli::testing
