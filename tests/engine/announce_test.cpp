// SPDX-License-Identifier: Apache-2.0
// What people are told between a run's steps: that it waits for them, that it stopped for them.
#include "pipeline/policy.hpp"
#include "tests/engine/stage.hpp"

namespace belay::engine::testing {
namespace {

class Announced : public RunnerTest {
 protected:
  void SetUp() override { steps_["announce"] = std::make_unique<Scripted>(script_); }

  // Keeps the key of each call under which people are told.
  void listen(const std::string& about) {
    script_.perform[about] = [this](const StepContext& context) -> Result<Json> {
      keys_.push_back(context.key);
      texts_.push_back(context.step.args.at("text"));
      return Json{{"not_announced", Json::array()}};
    };
  }
  void let_the_undo_fail() {
    for (const char* step : {"change", "undo"}) {
      script_.perform[step] = [](const StepContext&) -> Result<Json> {
        return fail(Fault::refused, "it broke");
      };
    }
  }
  static pipeline::Plan gated(int required, Millis wait) {
    auto plan = simple_plan();
    auto gate = work("approve", {}, false, "approve");
    pipeline::ApprovalRule rule;
    rule.required = required;
    rule.wait = wait;
    rule.reviewers = {{"leo", {}, {"a key"}}};
    gate.args = {{"rule", pipeline::to_json(rule)}, {"freeze", Json::array()}};
    plan.steps.insert(plan.steps.begin(), gate);
    plan.steps[1].after = {"approve"};
    return plan;
  }
  std::vector<Json> announced(const std::string& run) {
    std::vector<Json> bodies;
    for (const auto& event : load(run).events) {
      if (event.kind == "announced") bodies.push_back(event.body);
    }
    return bodies;
  }

  std::vector<std::string> keys_, texts_;
};

TEST_F(Announced, AStopIsToldOnceAndTheNextStopAgain) {
  let_the_undo_fail();
  listen("stopped");
  const auto run = create();
  ASSERT_TRUE(ends(run).starts_with("stopped"));
  ASSERT_TRUE(ends(run).starts_with("stopped"));
  ASSERT_EQ(keys_.size(), 1u);
  EXPECT_EQ(texts_[0], "undo failed 3 times on the way back: it broke");
  append(run, "run.resumed", {{"by", "leo"}});
  ASSERT_TRUE(ends(run).starts_with("stopped"));
  ASSERT_EQ(keys_.size(), 2u);
  EXPECT_NE(keys_[0], keys_[1]) << "a notifier would take it for told";
  EXPECT_EQ(announced(run).size(), 2u);
}

TEST_F(Announced, AWaitForApprovalsIsToldOnceARun) {
  listen("waiting");
  const auto run = create(gated(1, Millis(0)));
  EXPECT_EQ(ends(run, {.wait = false}), "waiting");
  EXPECT_EQ(ends(run, {.wait = false}), "waiting");
  world_.clock.advance(std::chrono::minutes(1));
  EXPECT_EQ(ends(run, {.wait = false}), "waiting");
  ASSERT_EQ(keys_.size(), 1u);
  EXPECT_EQ(texts_[0], "waiting for 1 of leo");
}

TEST_F(Announced, AWaitForTimeOrForALockIsNoWaitForPeople) {
  EXPECT_EQ(ends(create(gated(0, std::chrono::hours(1))), {.wait = false}), "waiting");
  append(create(), "lock.granted", {{"environment", "production"}});
  EXPECT_EQ(ends(create(), {.wait = false}), "waiting");
  EXPECT_EQ(script_.count("perform waiting"), 0);
}

TEST_F(Announced, WhatCannotBeToldIsRecordedAndTheRunIsAsItWouldBe) {
  let_the_undo_fail();
  script_.perform["waiting"] = [](const StepContext&) -> Result<Json> {
    return Json{{"not_announced", {"nobody listens"}}};
  };
  const auto waits = create(gated(1, Millis(0)));
  EXPECT_EQ(ends(waits, {.wait = false}), "waiting");
  EXPECT_EQ(announced(waits).at(0).at("not_announced"), Json({"nobody listens"}));
  script_.perform["stopped"] = [](const StepContext&) -> Result<Json> {
    throw std::runtime_error("no memory");
  };
  const auto stops = create();
  EXPECT_TRUE(ends(stops).starts_with("stopped: undo failed"));
  const auto why = announced(stops).at(0).at("not_announced").at(0).get<std::string>();
  EXPECT_NE(why.find("no memory"), std::string::npos) << why;
}

// The notifier finds by its key what the dead process had begun.
TEST_F(Announced, AProcessKilledWhileItTellsLeavesTheNextOneTheSameKey) {
  let_the_undo_fail();
  script_.perform["stopped"] = [this](const StepContext& context) -> Result<Json> {
    keys_.push_back(context.key);
    throw Death{};
  };
  const auto run = create();
  EXPECT_THROW(static_cast<void>(drive(run)), Death);
  EXPECT_TRUE(load(run).history.stopped);
  EXPECT_TRUE(announced(run).empty());
  listen("stopped");
  EXPECT_TRUE(ends(run).starts_with("stopped"));
  ASSERT_EQ(keys_.size(), 2u);
  EXPECT_EQ(keys_[0], keys_[1]);
  EXPECT_EQ(announced(run).size(), 1u);
}

TEST_F(Announced, AVoteThatComesWhilePeopleAreToldIsNotMissed) {
  const auto run = create(gated(1, Millis(0)));
  script_.perform["waiting"] = [&](const StepContext&) -> Result<Json> {
    cancel(run);
    return Json::object();
  };
  EXPECT_EQ(ends(run), "cancelled");
}

}  // namespace
}  // namespace belay::engine::testing
