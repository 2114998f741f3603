// SPDX-License-Identifier: Apache-2.0
#include "pipeline/history.hpp"

#include "tests/pipeline/story.hpp"

namespace belay::pipeline {
namespace {

using State = StepRecord::State;

TEST(History, AnUnknownKindOfEventIsRefusedByName) {
  Story story;
  story.happened("run.teleported", Json::object());
  const auto folded = fold(story.events);
  ASSERT_FALSE(folded);
  EXPECT_EQ(folded.error().fault, Fault::refused);
  EXPECT_NE(folded.error().message().find("run.teleported"), std::string::npos);
  EXPECT_NE(folded.error().message().find("newer belay"), std::string::npos);
}

TEST(History, ABodyThatLacksWhatItsKindMustHaveIsCorruptAndNamed) {
  const std::vector<std::pair<std::string, Json>> table{
      {"run.claimed", Json::object()},
      {"step.intent", {{"attempt", 1}, {"baseline", Json::object()}}},
      {"step.intent", {{"step", "a"}, {"baseline", Json::object()}}},
      {"step.intent", {{"step", "a"}, {"attempt", 1}}},
      {"step.outcome", {{"ok", true}}},
      {"step.outcome", {{"step", "a"}}},
      {"approval.requested", {{"step", "a"}, {"nonce", "n"}}},
      {"approval.requested", {{"step", "a"}, {"nonce", "n"}, {"not_after", "soon"}}},
      {"cancel.requested", Json::object()},
      {"way_back.begun", Json::object()},
      {"run.stopped", Json::object()},
      {"announced", {{"about", "stopped"}}},
      {"run.resumed", {{"rewind_data", "perhaps"}}},
      {"run.finished", Json::object()},
  };
  for (const auto& [kind, body] : table) {
    Story story;
    story.happened(kind, body);
    const auto folded = fold(story.events);
    ASSERT_FALSE(folded) << kind << " " << body.dump();
    EXPECT_EQ(folded.error().fault, Fault::corrupt) << kind;
    EXPECT_NE(folded.error().message().find("event 2 (" + kind + ")"), std::string::npos)
        << folded.error().message();
  }
}

TEST(History, TheOutcomeOfAnEarlierAttemptIsEvidenceOnly) {
  Story story;
  story.begun("switch");
  const auto first = story.key_of("switch");
  story.begun("switch").happened("step.outcome", {{"step", "switch"}, {"attempt", 1}, {"ok", true}},
                                 first);
  EXPECT_EQ(story.history().steps.at("switch").state, State::begun);
  EXPECT_EQ(story.outcome("switch", true).history().steps.at("switch").state, State::done);
}

TEST(History, AStepsTimeIsFromItsFirstAttemptToItsLastOutcome) {
  Story story;
  story.failed("back:switch").later(Millis(5000)).begun("back:switch");
  story.later(Millis(2000)).outcome("back:switch", true);
  const auto record = story.history().steps.at("back:switch");
  EXPECT_EQ(record.begun, monday);
  EXPECT_EQ(record.tried, monday + Millis(5000)) << "of the latest attempt";
  EXPECT_EQ(record.ended, monday + Millis(7000));
  EXPECT_EQ(record.attempt, 2);
}

TEST(History, AnOutcomeKeepsItsResultItsErrorAndHowItWasFound) {
  Story story;
  story.begun("a").happened(
      "step.outcome",
      {{"step", "a"}, {"ok", true}, {"result", {{"port", 20001}}}, {"adopted", true}},
      story.key_of("a"));
  story.failed("b", "no answer", "timeout");
  const auto history = story.history();
  EXPECT_EQ(history.steps.at("a").result, Json({{"port", 20001}}));
  EXPECT_TRUE(history.steps.at("a").adopted);
  EXPECT_TRUE(history.done("a"));
  EXPECT_EQ(history.steps.at("b").error, "no answer");
  EXPECT_EQ(history.steps.at("b").fault, "timeout");
  EXPECT_FALSE(history.done("b"));
  EXPECT_FALSE(history.begun("c"));
}

TEST(History, ResumingForgetsTheStopAndTheAttemptsButNotTheSteps) {
  Story story;
  story.failed("back:switch").failed("back:switch").stopped("look at it");
  EXPECT_EQ(story.history().stopped, "look at it");
  EXPECT_EQ(story.history().attempts_since_resume.at("back:switch"), 2);
  const auto after = story.resumed().history();
  EXPECT_FALSE(after.stopped);
  EXPECT_TRUE(after.attempts_since_resume.empty());
  EXPECT_EQ(after.steps.at("back:switch").attempt, 2);
  EXPECT_FALSE(after.data_answer) << "nobody answered";
}

TEST(History, WhatPeopleWereToldOfIsKnownByItsEvent) {
  Story story;
  story.stopped("look at it");
  const auto stop = story.history().stopped_seq;
  EXPECT_FALSE(story.history().told_of.contains(stop));
  story.happened("announced", {{"about", "stopped"}, {"of", stop}});
  EXPECT_TRUE(story.history().told_of.contains(stop));
  EXPECT_EQ(story.history().stopped, "look at it");
  story.resumed().stopped("look again");
  EXPECT_FALSE(story.history().told_of.contains(story.history().stopped_seq));
}

TEST(History, TheEndIsKeptWithItsTimeAndWhatItSaid) {
  Story story;
  story.stopped("look")
      .later(Millis(10))
      .happened("run.finished", {{"ending", "failed"}, {"text", "no"}});
  const auto history = story.history();
  EXPECT_EQ(history.ending, "failed");
  EXPECT_EQ(history.finished.at("text"), "no");
  EXPECT_EQ(history.finished_at, monday + Millis(10));
  EXPECT_FALSE(history.stopped);
}

TEST(History, NotesOfAnyNameChangeNothingAndOtherUnknownKindsAreRefused) {
  EXPECT_TRUE(fold(Story().happened("note.ticket", {{"number", 7}}).events));
  const auto unknown = fold(Story().happened("notes", Json::object()).events);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().fault, Fault::refused);
}

TEST(History, TheSameEventsGiveTheSameHistoryInOnePieceOrTold) {
  Story story;
  story.to_the_switch().failed("watch").way_back().happened("note", {{"text", "x"}});
  const auto history = story.history();
  EXPECT_EQ(history.last_seq, static_cast<std::int64_t>(story.events.size()));
  EXPECT_EQ(history.way_back, "watch: it broke");
  EXPECT_EQ(history.way_back_at, monday);
  EXPECT_FALSE(history.cancelled);
}

}  // namespace
}  // namespace belay::pipeline
