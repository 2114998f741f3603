// SPDX-License-Identifier: Apache-2.0
// Attempts whose reply was lost: asked about, taken over, tried once more, never repeated blindly.
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

}  // namespace
}  // namespace belay::engine::testing
