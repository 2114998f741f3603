// SPDX-License-Identifier: Apache-2.0
// What is said at the end of a run, by what its journal holds.
#include "cli/screen.hpp"
#include "cli/session.hpp"
#include "tests/pipeline/story.hpp"

namespace belay::cli {
namespace {

using pipeline::Story;

class Endings : public ::testing::Test {
 protected:
  Endings() {
    story_.plan.steps.insert(story_.plan.steps.begin() + 4,
                             pipeline::step_of("restore_point", "restore_point", {"recheck"}));
    pipeline::Step start = pipeline::step_of("start:web", "start", {"migrate"}, true);
    start.args = {{"service", "web"}};
    story_.plan.steps.insert(story_.plan.steps.begin() + 6, start);
  }
  // As far as the failed watch, and on the way back.
  void fails(const Json& started) {
    story_.done("build:api build:web lock recheck restore_point migrate").begun("start:web");
    done("start:web", started);
    story_.done("switch").failed("watch").way_back();
  }
  void done(const std::string& step, const Json& result) {
    story_.happened("step.outcome",
                    {{"step", step}, {"attempt", 1}, {"ok", true}, {"result", result}},
                    story_.key_of(step));
  }
  void asks() {
    auto& back = story_.plan.back;
    back.insert(back.begin() + 1, {pipeline::undoing("back:preview", "preview", {"migrate"}),
                                   pipeline::undoing("back:ask", "ask", {"migrate"})});
  }
  void finished(const std::string& ending) {
    story_.happened("run.finished", {{"ending", ending}, {"text", "watch: it broke"}});
  }
  std::string said() {
    return ending_for_people("7", {story_.plan, story_.history(), story_.events});
  }
  bool says(const std::string& text) { return said().find(text) != std::string::npos; }

  Story story_;
};

TEST_F(Endings, AFailureBeforeAnythingWasTouchedSaysThatNothingWasChanged) {
  story_.failed("build:api");
  finished("failed");
  EXPECT_TRUE(says("Failed; nothing was changed, customers are on prod-20261120-141233."))
      << said();
}

TEST_F(Endings, AFirstReleaseThatWasTakenBackSaysSoAndWhatTheMigrationLeft) {
  story_.plan.live.clear();
  fails({{"port", 20001}});
  story_.done("back:switch back:announce");
  finished("failed");
  EXPECT_FALSE(says("nothing was changed")) << said();
  EXPECT_TRUE(says("Failed, and taken back: nothing is live.\n  because of watch: it broke"))
      << said();
  EXPECT_TRUE(says("the data stays as the migration left it; to bring it back: belay rewind rp-7"))
      << said();
}

TEST_F(Endings, AServiceThatItsOwnProgramMadeLiveIsNotSaidToBeDown) {
  story_.plan.live.clear();
  fails({{"summary", "left to its own programs"}});
  story_.done("back:switch back:rewind back:announce");
  finished("failed");
  EXPECT_FALSE(says("nothing is live")) << said();
  EXPECT_TRUE(says("Failed, and taken back, all but web.")) << said();
  EXPECT_TRUE(says("web was made live by its own program")) << said();
}

TEST_F(Endings, ARollbackWithDataSaysAsOfWhen) {
  fails({{"port", 20001}});
  story_.done("back:switch").begun("back:rewind");
  done("back:rewind", {{"as_of", "2026-11-23T09:59:12.481Z"}, {"salvage", "salvage-7"}});
  finished("rolled_back");
  EXPECT_TRUE(says("Rolled back. Customers are on prod-20261120-141233, data as of 09:59:12.481."))
      << said();
}

TEST_F(Endings, DataOfAnotherDayIsSaidWithTheDay) {
  story_.plan.pipeline = "rollback";
  story_.plan.facts["code"] = true;
  story_.plan.steps.push_back(pipeline::step_of("rewind", "rewind", {"switch"}, true));
  story_.to_the_switch().begun("rewind");
  done("rewind", {{"as_of", "2026-11-20T14:07:12.481Z"}, {"salvage", "salvage-7"}});
  finished("done");
  EXPECT_TRUE(says("Customers are on prod-20261123-100000, data as of 2026-11-20 14:07:12.481"))
      << said();
}

TEST_F(Endings, ARollbackThatKeptTheDataSaysSo) {
  fails({{"port", 20001}});
  story_.plan.back.erase(story_.plan.back.begin() + 1);
  story_.done("back:switch back:announce");
  finished("rolled_back");
  EXPECT_TRUE(says("the data stays as the migration left it")) << said();
  EXPECT_FALSE(says("data as of")) << said();
}

TEST_F(Endings, AQuestionIsAskedWithItsPreviewAndBothAnswersAsTheyAreTyped) {
  asks();
  fails({{"port", 20001}});
  story_.done("back:switch").begun("back:preview");
  done("back:preview", {{"differences", {{{"collection", "shop.items"}}}},
                        {"summary", "going back to rp-7 would revert 5 documents"}});
  story_.stopped("a person's decision");
  EXPECT_TRUE(says("an answer is needed: customers are on prod-20261120-141233.")) << said();
  EXPECT_TRUE(says("going back to rp-7 would revert 5 documents")) << said();
  EXPECT_TRUE(says("belay resume 7 --rewind\n")) << said();
  EXPECT_TRUE(says("belay resume 7 --keep-data\n")) << said();
  EXPECT_FALSE(says("When the cause is mended")) << said();
}

TEST_F(Endings, AStopForAnotherReasonStillSaysHowToGoOn) {
  asks();
  fails({{"port", 20001}});
  story_.stopped("back:switch failed 3 times");
  EXPECT_TRUE(says("When the cause is mended: belay resume 7")) << said();
}

// ---- discarded writes put back ----

class PutBackEndings : public Endings {
 protected:
  PutBackEndings() {
    story_.plan.pipeline = "apply";
    story_.plan.steps = {pipeline::step_of("lock", "lock"),
                         pipeline::step_of("apply", "apply", {"lock"}, true)};
    story_.plan.back.clear();
    story_.done("lock").begun("apply");
  }
};

TEST_F(PutBackEndings, SayHowManyCameBackAndNameWhatWasLeftAlone) {
  done("apply", {{"salvage", "salvage-9"},
                 {"inserted", 3},
                 {"there", 2},
                 {"left_alone", 3},
                 {"conflicts", {"shop.orders 5: changed since the rewind"}}});
  finished("done");
  EXPECT_TRUE(says("Put back from salvage-9")) << said();
  EXPECT_TRUE(says("3 documents put back, 0 replaced, 0 removed; 2 were there already")) << said();
  EXPECT_TRUE(says("left alone: shop.orders 5: changed since the rewind\n")) << said();
  EXPECT_TRUE(says("left alone: 2 more\n")) << said();
  EXPECT_EQ(exit_of({story_.plan, story_.history(), story_.events}, engine::RunState::finished), 1);
}

TEST_F(PutBackEndings, HalfWayPromiseNoWayBack) {
  story_.outcome("apply", false, "no answer").stopped("apply: no answer");
  EXPECT_TRUE(says("To leave it as it is: belay cancel 7")) << said();
  story_.cancelled();
  finished("cancelled");
  EXPECT_TRUE(says("Cancelled; what was put back by then stays.")) << said();
}

// ---- the heading of the way back ----

class Heading : public Endings {
 protected:
  std::string shown() {
    Session session;
    ::testing::internal::CaptureStdout();
    {
      Screen screen(session, {}, [](std::string_view text) { return std::string(text); });
      for (const auto& event : story_.events) screen.event("7", story_.plan, event);
    }
    const auto text = ::testing::internal::GetCapturedStdout();
    const auto at = text.find("Rolling back: ");
    return at == std::string::npos ? text : text.substr(at + 14, text.find('\n', at) - at - 14);
  }
};

TEST_F(Heading, SaysWhatGoesBackByWhatWasBegun) {
  fails({{"port", 20001}});
  EXPECT_EQ(shown(), "code and data");
}

TEST_F(Heading, OfAMigrationThatFailedSpeaksOfDataAlone) {
  story_.done("build:api build:web lock recheck restore_point").failed("migrate").way_back();
  EXPECT_EQ(shown(), "data");
}

TEST_F(Heading, PromisesNoDataWhereAPersonIsAsked) {
  asks();
  fails({{"port", 20001}});
  EXPECT_EQ(shown(), "code; about the data a person is asked");
}

TEST_F(Heading, OfAFirstReleaseSaysThatItIsTakenDown) {
  story_.plan.live.clear();
  story_.plan.back.erase(story_.plan.back.begin() + 1);
  fails({{"port", 20001}});
  EXPECT_EQ(shown(), "taking it down");
}

}  // namespace
}  // namespace belay::cli
