// SPDX-License-Identifier: Apache-2.0
// Attempts whose reply was lost: asked about, taken over, tried once more, never repeated blindly.
#include <thread>

#include "engine/steps/child.hpp"
#include "tests/engine/stage.hpp"

namespace belay::engine::testing {
namespace {

using Lines = std::vector<std::string>;

class AttemptTest : public RunnerTest {};

Error lost() {
  return unknown_effect(Fault::timeout, "the reply was lost");
}

TEST_F(AttemptTest, ALostReplyIsAskedAboutAndWhatWasDoneIsAdopted) {
  script_.perform["change"] = [](const StepContext&) -> Result<Json> { return lost(); };
  script_.check["change"] = [](const StepContext&) {
    return Checked{Answer::applied, {{"found", true}}, ""};
  };
  const auto run = create();
  EXPECT_EQ(ends(run), "done");
  EXPECT_EQ(script_.count("perform change"), 1);
  const auto record = load(run).history.steps.at("change");
  EXPECT_TRUE(record.adopted);
  EXPECT_EQ(record.result, Json({{"found", true}}));
}

TEST_F(AttemptTest, WhatSurelyWasNotDoneIsDoneAgainUnderANewIntentAndKey) {
  std::vector<std::string> keys;
  script_.perform["change"] = [&](const StepContext& context) -> Result<Json> {
    keys.push_back(context.key);
    if (keys.size() == 1) return lost();
    return Json::object();
  };
  const auto run = create();
  EXPECT_EQ(ends(run), "done");
  EXPECT_EQ(keys, (Lines{"run-" + run + ".change.1", "run-" + run + ".change.2"}));
  const auto all = events(run);
  EXPECT_EQ(std::count(all.begin(), all.end(), "step.intent change"), 2);
}

TEST_F(AttemptTest, WhatIsLostEachTimeIsTriedTwiceAndThenFails) {
  script_.perform["change"] = [](const StepContext&) -> Result<Json> { return lost(); };
  const auto run = create();
  EXPECT_EQ(ends(run), "rolled_back");
  EXPECT_EQ(script_.count("perform change"), 2);
  EXPECT_EQ(load(run).history.steps.at("change").error,
            "the reply was lost; tried twice, and it was not done");
}

TEST_F(AttemptTest, OnTheWayBackWhatIsLostEachTimeStopsForAPerson) {
  script_.perform["change"] = [](const StepContext&) -> Result<Json> {
    return fail(Fault::refused, "it broke");
  };
  script_.perform["undo"] = [](const StepContext&) -> Result<Json> { return lost(); };
  EXPECT_TRUE(ends(create()).starts_with("stopped: undo failed"));
  EXPECT_LE(script_.count("perform undo"), 6);
}

TEST_F(AttemptTest, WhatCannotBeToldIsNeverRepeatedAndGoesTheWayBack) {
  script_.perform["change"] = [](const StepContext&) -> Result<Json> { return lost(); };
  script_.check["change"] = [](const StepContext&) { return Checked{}; };
  const auto run = create();
  EXPECT_EQ(ends(run), "rolled_back");
  EXPECT_EQ(script_.count("perform change"), 1);
  EXPECT_EQ(script_.count("check change"), 3) << "it is asked again: the answer may come late";
  EXPECT_EQ(script_.count("perform undo"), 1);
  EXPECT_EQ(load(run).history.steps.at("change").error,
            "the reply was lost; and whether it was done cannot be told");
}

// A migration's record of its child goes with the machine: that it is not here says nothing.
TEST_F(AttemptTest, WhatAnotherMachineBeganIsUnknownHereAndNotBegunAgain) {
  int begun = 0;
  script_.perform["change"] = [&](const StepContext& context) -> Result<Json> {
    ++begun;
    TRY(context.world.children.start({context.key, {"migrate"}, "/"}));
    throw std::runtime_error("the machine is gone");
  };
  script_.check["change"] = [&](const StepContext& context) { return check_child(context); };
  claims_.on = "amber";
  const auto run = create();
  EXPECT_FALSE(drive(*journal_, run));
  ASSERT_EQ(begun, 1);
  EXPECT_EQ(load(run).history.steps.at("change").machine, "amber");

  claims_.on = "birch";
  FakeWorld elsewhere;
  elsewhere.clock.advance(std::chrono::minutes(5));
  World seam = elsewhere.world();
  Runner runner(*journal_, steps_, seam, listener_, claims_);
  EXPECT_EQ(runner.drive(run, {}).value(), RunState::finished);
  EXPECT_EQ(begun, 1) << "the way back, instead of a second time";
  EXPECT_EQ(load(run).history.ending, "rolled_back");
}

TEST_F(AttemptTest, WhatThisMachineBeganIsTakenOverHereAlsoWhenThereAreOthers) {
  bool first = true;
  script_.perform["change"] = [&](const StepContext& context) -> Result<Json> {
    if (!std::exchange(first, false)) return Json::object();
    TRY(context.world.children.start({context.key, {"migrate"}, "/"}));
    throw std::runtime_error("this process is gone");
  };
  script_.check["change"] = [&](const StepContext& context) { return check_child(context); };
  claims_.on = "amber";
  const auto run = create();
  EXPECT_FALSE(drive(*journal_, run));
  EXPECT_EQ(ends(run), "done");
  EXPECT_EQ(world_.children.started().size(), 1U);
}

// The machine may be driven by another one from here on.
TEST_F(AttemptTest, ADriverThatLosesItsClaimStopsBeforeItsNextEffect) {
  claims_.may_be_lost.emplace();
  script_.perform["prepare"] = [&](const StepContext&) -> Result<Json> {
    claims_.may_be_lost->request_stop();
    return Json::object();
  };
  const auto run = create();
  EXPECT_EQ(drive(*journal_, run).value(), RunState::interrupted);
  EXPECT_EQ(script_.count("perform change"), 0);
}

TEST_F(AttemptTest, ALateAnswerOfTheCheckCounts) {
  script_.perform["change"] = [](const StepContext&) -> Result<Json> { return lost(); };
  script_.check["change"] = [&](const StepContext&) -> Result<Checked> {
    if (script_.count("check change") < 3) return fail(Fault::unreachable, "nobody there");
    return Checked{Answer::applied, Json::object(), ""};
  };
  EXPECT_EQ(ends(create()), "done");
}

TEST_F(AttemptTest, WhatIsStillUnderWayIsTakenOverUnderItsOwnKey) {
  std::vector<std::string> keys;
  script_.perform["change"] = [&](const StepContext& context) -> Result<Json> {
    keys.push_back(context.key);
    if (keys.size() == 1) return lost();
    return Json{{"ended", 0}};
  };
  script_.check["change"] = [](const StepContext&) {
    return Checked{Answer::adopt, Json::object(), ""};
  };
  const auto run = create();
  EXPECT_EQ(ends(run), "done");
  ASSERT_EQ(keys.size(), 2u);
  EXPECT_EQ(keys[0], keys[1]);
  EXPECT_TRUE(load(run).history.steps.at("change").adopted);
}

TEST_F(AttemptTest, TheGraceIsWaitedOutBeforeAsking) {
  auto plan = simple_plan();
  plan.steps[2].kind = "slow";
  TimePoint performed{}, asked{};
  script_.perform["change"] = [&](const StepContext&) -> Result<Json> {
    performed = world_.clock.now();
    return lost();
  };
  script_.check["change"] = [&](const StepContext&) {
    asked = world_.clock.now();
    return Checked{Answer::applied, Json::object(), ""};
  };
  ASSERT_EQ(ends(create(plan)), "done");
  EXPECT_GE(asked - performed, std::chrono::seconds(30));
}

TEST_F(AttemptTest, WhatDoesNotEndWhenCancelledStopsForAPersonAndNothingIsTakenBackUnderIt) {
  script_.perform["change"] = [](const StepContext&) -> Result<Json> { throw Death{}; };
  bool stuck = true;
  script_.abandon["change"] = [&](const StepContext&) -> Status {
    if (stuck) return unknown_effect(Fault::timeout, "it does not end");
    return {};
  };
  const auto run = create();
  EXPECT_THROW(static_cast<void>(drive(run)), Death);
  cancel(run);
  EXPECT_TRUE(ends(run).starts_with("stopped: change was cancelled and still runs"));
  EXPECT_EQ(script_.count("perform undo"), 0);
  stuck = false;
  append(run, "run.resumed", {{"by", "leo"}});
  EXPECT_EQ(ends(run), "rolled_back");
}

TEST_F(AttemptTest, AStepThatThrowsLeavesItsAttemptOpenAndEndsNoProcess) {
  script_.perform["change"] = [&](const StepContext&) -> Result<Json> {
    if (script_.count("perform change") > 1) return Json::object();
    throw std::runtime_error("a surprise");
  };
  const auto run = create();
  const auto state = drive(run);
  ASSERT_FALSE(state);
  EXPECT_NE(state.error().message().find("a surprise"), std::string::npos);
  EXPECT_EQ(events(run).back(), "step.intent change");
  EXPECT_EQ(ends(run), "done");
}

// Somebody's event is there first, each time that one of a kind is to be appended.
struct Overtaken final : Passing {
  using Passing::Passing;
  Status append(const std::string& run, std::int64_t expected,
                std::vector<journal::NewEvent> events) override {
    if (events.front().kind == kind && std::exchange(left, left - 1) > 0) first();
    return to_.append(run, expected, std::move(events));
  }
  std::string kind;
  int left = 1;
  std::function<void()> first;
};

TEST_F(AttemptTest, WhatWasDecidedBeforeSomebodyElsesEventIsDecidedAnew) {
  const auto run = create();
  Overtaken journal(*journal_);
  journal.kind = "step.intent";
  journal.first = [&] { cancel(run); };
  ASSERT_TRUE(drive(journal, run));
  EXPECT_EQ(load(run).history.ending, "cancelled");
  EXPECT_EQ(script_.calls(), Lines{}) << "nothing is begun after a cancel";
}

TEST_F(AttemptTest, AnOutcomeIsTrueWhateverCameBeforeIt) {
  const auto run = create();
  Overtaken journal(*journal_);
  journal.kind = "step.outcome";
  journal.first = [&] { append(run, "note", Json::object()); };
  ASSERT_TRUE(drive(journal, run));
  EXPECT_EQ(load(run).history.ending, "done");
  EXPECT_EQ(script_.count("perform prepare"), 1);
}

TEST_F(AttemptTest, StepsThatEndSideBySideShareACommit) {
  auto plan = simple_plan();
  for (int i = 0; i < 8; ++i) plan.steps.push_back(work("part:" + std::to_string(i), {"change"}));
  std::atomic<int> there{0}, ended{0}, commits{0};
  for (int i = 0; i < 8; ++i) {
    script_.perform["part:" + std::to_string(i)] = [&](const StepContext&) {
      ++there;
      while (there < 8) std::this_thread::yield();
      ++ended;
      return Json::object();
    };
  }
  struct Slow final : Passing {
    using Passing::Passing;
    Status append(const std::string& run, std::int64_t expected,
                  std::vector<journal::NewEvent> events) override {
      if (events.front().kind == "step.outcome") each();
      return to_.append(run, expected, std::move(events));
    }
    std::function<void()> each;
  } journal(*journal_);
  journal.each = [&] {
    ++commits;
    while (there > 0 && ended < 8) std::this_thread::yield();
    if (there > 0) std::this_thread::sleep_for(std::chrono::milliseconds(200));
  };
  ThreadExecutor threads;
  World world{world_.clock, world_.random, threads, world_.children};
  Runner runner(journal, steps_, world, listener_, claims_);
  const auto run = create(plan);
  ASSERT_TRUE(runner.drive(run, {}));
  EXPECT_EQ(load(run).history.ending, "done");
  EXPECT_LE(commits - 2, 4) << "eight outcomes, after those of prepare and change";
}

// ---- leaving ----

TEST_F(AttemptTest, WhoeverLeavesEndsTheStepInProgressAndBeginsNoOther) {
  std::stop_source leave;
  script_.perform["prepare"] = [&](const StepContext& context) {
    leave.request_stop();
    EXPECT_FALSE(context.stop.stop_requested());
    return Json::object();
  };
  DriveOptions options;
  options.leave = leave.get_token();
  const auto run = create();
  EXPECT_EQ(ends(run, options), "interrupted");
  EXPECT_EQ(events(run).back(), "step.outcome prepare");
  EXPECT_EQ(ends(run), "done");
  EXPECT_EQ(script_.count("perform prepare"), 1);
}

TEST_F(AttemptTest, WhoeverLeavesDoesNotLeaveCustomersBehindAFence) {
  auto plan = simple_plan();
  steps_["hold"] = std::make_unique<Scripted>(script_);
  steps_["lift"] = std::make_unique<Scripted>(script_);
  plan.steps = {work("hold", {}, true, "hold"), work("change", {"hold"}, true),
                work("lift", {"change"}, true, "lift"), work("last", {"lift"})};
  std::stop_source leave;
  script_.perform["hold"] = [&](const StepContext&) {
    leave.request_stop();
    return Json::object();
  };
  DriveOptions options;
  options.leave = leave.get_token();
  const auto run = create(plan);
  EXPECT_EQ(ends(run, options), "interrupted");
  EXPECT_EQ(script_.calls(), (Lines{"perform hold", "perform change", "perform lift"}));
}

TEST_F(AttemptTest, WhoeverLeavesWhileTheRunWaitsIsGoneAtOnce) {
  const auto first = create(), second = create();
  append(first, "lock.granted", {{"environment", "production"}});
  std::stop_source leave;
  world_.clock.on_sleep([&](Millis) { leave.request_stop(); });
  DriveOptions options;
  options.leave = leave.get_token();
  EXPECT_EQ(ends(second, options), "interrupted");
  EXPECT_LT(world_.clock.slept(), std::chrono::minutes(1));
}

}  // namespace
}  // namespace belay::engine::testing
