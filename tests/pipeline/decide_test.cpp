// SPDX-License-Identifier: Apache-2.0
#include "tests/pipeline/story.hpp"

namespace belay::pipeline {
namespace {

// ---- forward ----

TEST(Decide, StepsThatNeedNothingOfEachOtherRunSideBySide) {
  EXPECT_EQ(Story().next(), "perform build:api build:web");
}

TEST(Decide, AStepWaitsForAllThatComeBeforeIt) {
  EXPECT_EQ(Story().done("build:api").next(), "perform build:web");
  EXPECT_EQ(Story().done("build:api build:web").next(), "lock lock");
}

TEST(Decide, TheOrderOfAWholeRunFollowsThePlan) {
  Story story;
  std::vector<std::string> seen;
  for (const char* id : {"build:api build:web", "lock", "recheck", "migrate", "switch", "watch"}) {
    seen.push_back(story.next());
    story.done(id);
  }
  EXPECT_EQ(seen,
            (std::vector<std::string>{"perform build:api build:web", "lock lock", "perform recheck",
                                      "perform migrate", "perform switch", "perform watch"}));
  EXPECT_EQ(story.next(), "finish done");
}

TEST(Decide, WhatWasBegunByNobodyKnowsWhomIsResolvedBeforeAnythingElse) {
  EXPECT_EQ(Story().begun("build:api").next(), "resolve build:api");
  EXPECT_EQ(Story().begun("build:api").begun("build:web").next(), "resolve build:api build:web");
  EXPECT_EQ(Story().begun("build:api").failed("build:web").next(), "resolve build:api");
  EXPECT_EQ(Story().begun("build:api").cancelled().next(), "resolve build:api");
}

TEST(Decide, AGateWaitsUntilEverythingBesideItIsDone) {
  Plan plan = small_plan();
  plan.steps.push_back(step_of("report", "announce"));
  Story story(plan);
  story.done("build:api build:web");
  EXPECT_EQ(story.next(), "perform report");
  EXPECT_EQ(story.done("report").next(), "lock lock");
}

TEST(Decide, ARunThatCannotGoOnIsNeverCalledDone) {
  Plan plan = small_plan();
  plan.steps.back().after = {"no such step"};
  Story story(plan);
  story.to_the_switch();
  EXPECT_EQ(story.next(), "stop: watch waits for no such step, which will never be done");
}

TEST(Decide, AfterTheEndNothingComes) {
  EXPECT_EQ(Story().happened("run.finished", {{"ending", "done"}}).next(), "ended");
  EXPECT_EQ(Story().happened("run.finished", {{"ending", "failed"}}).cancelled().next(), "ended");
}

// ---- failure ----

struct Failing {
  std::string before, failing, fault, next;
};

TEST(Decide, AFailureBeforeAnythingChangedEndsTheRunAndOneAfterwardsGoesBack) {
  const std::vector<Failing> table{
      {"", "build:api", "refused", "finish failed: build:api: it broke"},
      {"build:api build:web lock", "recheck", "unreachable", "finish failed: recheck: it broke"},
      {"build:api build:web lock", "recheck", "conflict", "finish superseded: it broke"},
      {"build:api build:web lock recheck", "migrate", "refused", "go back: migrate: it broke"},
      {"build:api build:web lock recheck migrate", "switch", "refused",
       "go back: switch: it broke"},
      {"build:api build:web lock recheck migrate switch", "watch", "refused",
       "go back: watch: it broke"},
  };
  for (const auto& row : table) {
    Story story;
    if (!row.before.empty()) story.done(row.before);
    if (row.failing != "build:api" && row.before.empty()) story.done("build:api");
    story.failed(row.failing, "it broke", row.fault);
    if (row.failing == "build:api") story.done("build:web");
    EXPECT_EQ(story.next(), row.next) << row.failing << " " << row.fault;
  }
}

TEST(Decide, ChangedSaysWhetherAnythingThatMustBeTakenBackWasBegun) {
  Story story;
  story.done("build:api build:web lock recheck");
  EXPECT_FALSE(changed(story.plan, story.history()));
  story.begun("migrate");
  EXPECT_TRUE(changed(story.plan, story.history()));
}

TEST(Decide, WithoutAutomaticRollbackAFailureStopsForAPersonAndACancelTakesItBack) {
  Plan plan = small_plan();
  plan.facts["automatic_rollback"] = false;
  Story story(plan);
  story.to_the_switch().failed("watch");
  EXPECT_EQ(story.next(),
            "stop: watch: it broke; rollback.auto is off, so nothing was taken back; belay resume "
            "tries it again, belay cancel takes it back");
  story.stopped("watch: it broke").cancelled("leo");
  EXPECT_EQ(story.next(), "go back: watch: it broke");
}

TEST(Decide, WithoutAutomaticRollbackResumingTriesTheFailedStepAgainOnce) {
  Plan plan = small_plan();
  plan.facts["automatic_rollback"] = false;
  Story story(plan);
  story.to_the_switch().failed("watch").stopped("watch: it broke").resumed();
  EXPECT_EQ(story.next(), "perform watch");
  story.failed("watch");
  EXPECT_TRUE(story.next().starts_with("stop: watch"));
}

TEST(Decide, ACancelOfARunThatStoppedOnItsWayBackTriesTheWayBackAgain) {
  Story story;
  story.to_the_switch().failed("watch").way_back();
  for (int i = 0; i < way_back_attempts; ++i) story.failed("back:switch").later(way_back_pause(3));
  story.stopped("back:switch failed 3 times").cancelled("leo");
  EXPECT_EQ(story.next(), "perform back:switch");
}

// ---- cancel ----

TEST(Decide, ACancelBeforeAnythingChangedEndsTheRunAndOneAfterwardsGoesBack) {
  EXPECT_EQ(Story().done("build:api build:web").cancelled("leo: wrong branch").next(),
            "finish cancelled: leo: wrong branch");
  EXPECT_EQ(Story().to_the_switch().cancelled("leo: wrong branch").next(),
            "go back: cancelled: leo: wrong branch");
}

TEST(Decide, AStepThatACancelEndedIsACancelAndNoFailure) {
  Story story;
  story.begun("build:api")
      .cancelled("leo")
      .outcome("build:api", false, "cancelled: leo", "cancelled");
  EXPECT_EQ(story.next(), "finish cancelled: leo");
}

TEST(Decide, ARunThatANewerOneTookThePlaceOfIsSuperseded) {
  Story story;
  story.done("build:api build:web")
      .happened("cancel.requested", {{"because", "run 9 is newer"}, {"superseded_by", "9"}});
  EXPECT_EQ(story.next(), "finish superseded: run 9 is newer");
}

TEST(Decide, ACancelOnTheWayBackChangesNothing) {
  Story story;
  story.to_the_switch().failed("watch").way_back().cancelled();
  EXPECT_EQ(story.next(), "perform back:switch");
}

TEST(Decide, ACancelWakesARunThatWaitsForAPerson) {
  Story story;
  story.to_the_switch().failed("watch").stopped("somebody must look");
  EXPECT_EQ(story.next(), "stop: somebody must look");
  EXPECT_EQ(story.cancelled("leo").next(), "go back: watch: it broke");
}

// ---- the way back ----

TEST(Decide, TheWayBackGoesStepByStepInThePlansOrder) {
  Story story;
  story.to_the_switch().failed("watch").way_back();
  EXPECT_EQ(story.next(), "perform back:switch");
  EXPECT_EQ(story.done("back:switch").next(), "perform back:rewind");
  EXPECT_EQ(story.done("back:rewind").next(), "perform back:announce");
  EXPECT_EQ(story.done("back:announce").next(), "finish rolled_back: watch: it broke");
}

TEST(Decide, OnlyWhatWasBegunIsUndone) {
  Story story;
  story.done("build:api build:web lock recheck").failed("migrate").way_back();
  std::vector<std::string> ids;
  for (const auto* step : way_back(story.plan, story.history())) ids.push_back(step->id);
  EXPECT_EQ(ids, (std::vector<std::string>{"back:rewind", "back:announce"}));
  EXPECT_EQ(story.next(), "perform back:rewind");
}

TEST(Decide, AFailedStepOfTheWayBackIsTriedAgainAfterAPauseThatGrows) {
  Story story;
  story.to_the_switch().failed("watch").way_back().failed("back:switch");
  EXPECT_EQ(story.next(),
            "wait back:switch until 2026-11-23T10:00:01.000Z: back:switch failed and is tried "
            "again: it broke");
  EXPECT_EQ(story.later(way_back_pause(1)).next(), "perform back:switch");
  story.failed("back:switch");
  EXPECT_EQ(story.next(),
            "wait back:switch until 2026-11-23T10:00:05.000Z: back:switch failed and is tried "
            "again: it broke");
  EXPECT_EQ(story.later(way_back_pause(2)).next(), "perform back:switch");
  EXPECT_EQ(story.done("back:switch").next(), "perform back:rewind");
}

TEST(Decide, AfterThreeAttemptsAPersonIsCalledAndResumingGivesThreeMore) {
  Story story;
  story.to_the_switch().failed("watch").way_back();
  for (int i = 0; i < way_back_attempts; ++i) story.failed("back:switch").later(way_back_pause(3));
  const std::string called = "stop: back:switch failed 3 times on the way back: it broke";
  EXPECT_EQ(story.next(), called);
  story.stopped("back:switch failed 3 times");
  EXPECT_EQ(story.resumed().next(), "perform back:switch");
  story.failed("back:switch").later(way_back_pause(1));
  EXPECT_EQ(story.next(), "perform back:switch");
}

TEST(Decide, AFirstReleaseThatFailsEndsWithNothingLive) {
  Plan plan = small_plan();
  plan.live.clear();
  Story story(plan);
  story.to_the_switch().failed("watch").way_back().done("back:switch back:rewind back:announce");
  EXPECT_EQ(story.next(), "finish failed: watch: it broke");
}

// ---- the question about the data ----

Story asks_about_data(const Json& differences) {
  Plan plan = small_plan();
  plan.back.insert(plan.back.begin() + 1, {undoing("back:preview", "preview", {"migrate"}),
                                           undoing("back:ask", "ask", {"migrate"})});
  plan.back[3].args = {{"only_if_rewinding", true}};
  Story story(plan);
  story.to_the_switch().failed("watch").way_back().done("back:switch").begun("back:preview");
  story.happened("step.outcome",
                 {{"step", "back:preview"},
                  {"attempt", 1},
                  {"ok", true},
                  {"result", {{"differences", differences}}}},
                 story.key_of("back:preview"));
  return story;
}

TEST(Decide, APersonIsAskedAboutDataThatDiffers) {
  auto story = asks_about_data({{{"collection", "shop.items"}}});
  EXPECT_EQ(story.next(), "stop: back:ask");
  ASSERT_NE(open_question(story.plan, story.history()), nullptr);
  story.stopped("back:ask");
  EXPECT_NE(open_question(story.plan, story.history()), nullptr);
  auto kept = story;
  EXPECT_EQ(kept.resumed({{"by", "leo"}, {"rewind_data", false}}).next(), "perform back:announce");
  EXPECT_EQ(open_question(kept.plan, kept.history()), nullptr);
  EXPECT_EQ(story.resumed({{"by", "leo"}, {"rewind_data", true}}).next(), "perform back:rewind");
}

TEST(Decide, NobodyIsAskedAndNobodyHeldWhereNoDataDiffers) {
  auto story = asks_about_data(Json::array());
  EXPECT_EQ(story.next(), "perform back:announce");
  EXPECT_EQ(open_question(story.plan, story.history()), nullptr);
  EXPECT_EQ(story.done("back:announce").next(), "finish rolled_back: watch: it broke");
}

TEST(Decide, AStepOfTheWayBackThatNamesItsPredecessorRunsBesideTheRest) {
  Plan plan = small_plan();
  Step safety = undoing("back:safety", "restore_point", {"switch"});
  safety.after = {"back:switch"};
  plan.back.insert(plan.back.begin() + 2, safety);
  Story story(plan);
  story.to_the_switch().failed("watch").way_back();
  EXPECT_EQ(story.next(), "perform back:switch") << "not before what it comes after";
  EXPECT_EQ(story.done("back:switch").next(), "perform back:rewind back:safety");
  EXPECT_EQ(story.done("back:safety back:rewind").next(), "perform back:announce");
}

// ---- whether the data goes back is a person's decision ----

Story asking() {
  Plan plan = small_plan();
  Step rewind = undoing("back:rewind", "rewind", {"migrate"});
  rewind.args["only_if_rewinding"] = true;
  Step ask = undoing("back:ask", "ask", {"migrate"});
  ask.title = "rewind the data?";
  plan.back = {undoing("back:switch", "switch", {"switch"}), ask, rewind,
               undoing("back:announce", "announce", {})};
  Story story(plan);
  story.to_the_switch().failed("watch").way_back().done("back:switch");
  return story;
}

TEST(Decide, ThePersonIsAskedAfterTheCodeIsBack) {
  EXPECT_EQ(asking().next(), "stop: rewind the data?");
}

TEST(Decide, TheAnswerRewindsOrKeepsTheData) {
  Story yes = asking(), no = asking();
  yes.stopped("rewind the data?").resumed({{"by", "leo"}, {"rewind_data", true}});
  EXPECT_EQ(yes.next(), "perform back:rewind");
  no.stopped("rewind the data?").resumed({{"by", "leo"}, {"rewind_data", false}});
  EXPECT_EQ(no.next(), "perform back:announce");
}

TEST(Decide, ResumingWithoutAnAnswerAsksAgain) {
  Story story = asking();
  story.stopped("rewind the data?").resumed();
  EXPECT_EQ(story.next(), "stop: rewind the data?");
}

// ---- without a way back ----

Plan put_back_plan() {
  Plan plan = small_plan();
  plan.pipeline = "apply";
  plan.steps = {step_of("lock", "lock"), step_of("preview", "apply", {"lock"}),
                step_of("apply", "apply", {"preview"}, true),
                step_of("announce", "announce", {"apply"})};
  plan.back.clear();
  return plan;
}

TEST(Decide, APlanWithoutAWayBackStopsHalfWayAndResumingGoesOn) {
  Story story(put_back_plan());
  story.done("lock preview").failed("apply");
  EXPECT_EQ(story.next(),
            "stop: apply: it broke; what it did stays; belay resume goes on with it, belay cancel "
            "leaves it so");
  EXPECT_EQ(story.stopped("it broke").resumed().next(), "perform apply");
  EXPECT_EQ(story.done("apply").next(), "perform announce");
}

TEST(Decide, APlanWithoutAWayBackIsLeftAsItIsByACancel) {
  Story story(put_back_plan());
  story.done("lock preview").failed("apply").stopped("it broke").cancelled();
  EXPECT_EQ(story.next(), "finish cancelled: leo");
}

TEST(Decide, APlanWithoutAWayBackFailsWhenNothingWasTouched) {
  Story story(put_back_plan());
  story.done("lock").failed("preview");
  EXPECT_EQ(story.next(), "finish failed: preview: it broke");
}

}  // namespace
}  // namespace belay::pipeline
