// SPDX-License-Identifier: Apache-2.0
// Two runs at one lock: newer deploys supersede waiting ones, rollbacks stop running ones.
#include "engine/make_way.hpp"

#include "tests/engine/stage.hpp"

namespace belay::engine::testing {
namespace {

using Lines = std::vector<std::string>;

class MakeWay : public RunnerTest {
 protected:
  static pipeline::Plan deploy(const std::string& busy = "queue") {
    auto plan = simple_plan();
    plan.steps[0].args["busy"] = busy;
    return plan;
  }
  static pipeline::Plan rollback() {
    auto plan = simple_plan();
    plan.pipeline = "rollback";
    plan.steps = {work("lock", {}, false, "lock"), work("back to the old one", {"lock"}, true)};
    plan.steps[0].args = {{"takes_over", true}};
    plan.back.clear();
    return plan;
  }
  // A deploy whose process died in the middle of its change.
  std::string died_half_way() {
    const auto run = create(deploy());
    script_.perform["change"] = [](const StepContext&) -> Result<Json> { throw Death{}; };
    EXPECT_THROW(static_cast<void>(drive(run)), Death);
    script_.perform.clear();
    return run;
  }
  void other_process_drives(const std::string& run) {
    world_.clock.on_sleep([this, run](Millis) {
      world_.clock.on_sleep(nullptr);
      static_cast<void>(drive(run));
    });
  }
};

TEST_F(MakeWay, ANewerDeploySupersedesTheOneThatWaits) {
  const auto first = died_half_way();
  const auto second = create(deploy("supersede")), third = create(deploy("supersede"));
  EXPECT_EQ(ends(second, {.wait = false}), "waiting");
  EXPECT_EQ(ends(third, {.wait = false}), "waiting");
  EXPECT_EQ(ends(second), "superseded");
  EXPECT_EQ(load(second).history.finished.at("text"),
            "run " + third + " is newer (busy: supersede)");
  EXPECT_FALSE(load(first).history.cancelled) << "who has the lock is left alone";
  EXPECT_EQ(ends(first), "done");
  EXPECT_EQ(ends(third), "done");
}

TEST_F(MakeWay, WhereTheRuleIsToQueueNobodyIsSuperseded) {
  const auto first = died_half_way();
  const auto second = create(deploy()), third = create(deploy());
  EXPECT_EQ(ends(second, {.wait = false}), "waiting");
  EXPECT_EQ(ends(third, {.wait = false}), "waiting");
  EXPECT_EQ(ends(first), "done");
  EXPECT_EQ(ends(second), "done");
}

TEST_F(MakeWay, WhoIsNotAtTheLockYetIsNotSuperseded) {
  auto early = deploy("supersede");
  early.steps.insert(early.steps.begin(), work("build"));
  early.steps[1].after = {"build"};
  const auto older = create(early), newer = create(deploy("supersede"));
  EXPECT_EQ(ends(newer), "done");
  EXPECT_FALSE(load(older).history.cancelled);
}

TEST_F(MakeWay, AnOlderRunNeverSupersedesANewerOne) {
  const auto first = died_half_way();
  const auto second = create(deploy("supersede")), third = create(deploy("supersede"));
  EXPECT_EQ(ends(third, {.wait = false}), "waiting");
  static_cast<void>(drive(second, {}, {.wait = false}));
  EXPECT_FALSE(load(third).history.cancelled);
}

TEST_F(MakeWay, ARollbackStopsARunningDeployWhichTakesItsChangesBackFirst) {
  const auto running = died_half_way();
  const auto back = create(rollback());
  other_process_drives(running);
  EXPECT_EQ(ends(back), "done");
  EXPECT_EQ(load(running).history.ending, "rolled_back");
  EXPECT_EQ(load(running).history.cancelled, "rollback " + back + " takes over");
  const auto calls = script_.calls();
  const auto at = [&](const std::string& line) {
    return std::find(calls.begin(), calls.end(), line) - calls.begin();
  };
  EXPECT_LT(at("perform undo"), at("perform back to the old one"));
  EXPECT_TRUE(journal_->locks()->empty());
}

TEST_F(MakeWay, ADeployThatNobodyDrivesIsDrivenToItsEndByTheRollback) {
  const auto running = died_half_way();
  const auto back = create(rollback());
  Lines driven;
  DriveOptions options;
  options.drive_other = [&](const std::string& run) {
    driven.push_back(run);
    EXPECT_EQ(ends(run), "rolled_back");
  };
  EXPECT_EQ(ends(back, options), "done");
  EXPECT_EQ(driven, Lines{running});
}

TEST_F(MakeWay, ADeployThatSomebodyDrivesIsLeftToThem) {
  const auto running = died_half_way();
  const auto back = create(rollback());
  auto driver = std::move(claims_.claim(running)).value();
  world_.clock.on_sleep([&](Millis) {
    world_.clock.on_sleep(nullptr);
    driver.reset();
    static_cast<void>(drive(running));
  });
  DriveOptions options;
  options.drive_other = [](const std::string&) { FAIL() << "somebody drives it"; };
  EXPECT_EQ(ends(back, options), "done");
}

// Whoever is stopped says only the same again, and each time the journal would grow.
TEST_F(MakeWay, ADeployThatNeedsAPersonIsNamedAndWaitedForNotDrivenAgainAndAgain) {
  const auto running = died_half_way();
  cancel(running);
  script_.perform["undo"] = [](const StepContext&) -> Result<Json> {
    return fail(Fault::unreachable, "nobody there");
  };
  ASSERT_TRUE(ends(running).starts_with("stopped: undo failed 3 times"));
  script_.perform.clear();
  const auto back = create(rollback());
  const auto before = journal_->head()->first;
  Lines told;
  int sleeps = 0;
  world_.clock.on_sleep([&](Millis) {
    if (++sleeps != 20) return;
    EXPECT_LE(journal_->head()->first, before + 1) << "the rollback's claim";
    append(running, "run.resumed", {{"by", "leo"}});
    EXPECT_EQ(ends(running), "rolled_back");
  });
  DriveOptions options;
  options.drive_other = [](const std::string&) { FAIL() << "it needs a person"; };
  options.tell = [&](const std::string& text) { told.push_back(text); };
  EXPECT_EQ(ends(back, options), "done");
  ASSERT_EQ(told.size(), 1u);
  EXPECT_NE(told[0].find("belay resume " + running), std::string::npos) << told[0];
}

TEST_F(MakeWay, TheDeployIsAskedOnce) {
  const auto running = died_half_way();
  const auto back = create(rollback());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ends(back, {.wait = false}), "waiting");
  const auto all = events(running);
  EXPECT_EQ(std::count(all.begin(), all.end(), "cancel.requested"), 1);
}

TEST_F(MakeWay, ARollbackIsStoppedByNobody) {
  const auto first = create(rollback()), second = create(rollback());
  append(first, "lock.granted", {{"environment", "production"}});
  EXPECT_EQ(ends(second, {.wait = false}), "waiting");
  EXPECT_FALSE(load(first).history.cancelled);
}

TEST_F(MakeWay, ADeployStopsNobody) {
  const auto running = died_half_way();
  const auto next = create(deploy());
  EXPECT_EQ(ends(next, {.wait = false}), "waiting");
  EXPECT_FALSE(load(running).history.cancelled);
}

}  // namespace
}  // namespace belay::engine::testing
