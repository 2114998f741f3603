// SPDX-License-Identifier: Apache-2.0
// A run as it is drawn: on a terminal of 100 columns, and in plain lines.
#include "cli/screen.hpp"

#include "base/text.hpp"
#include "cli/layout.hpp"
#include "tests/pipeline/story.hpp"

namespace belay::cli {
namespace {

using pipeline::Story;

Session terminal(bool color) {
  Session session;
  session.terminal.tty = true;
  session.terminal.color = color;
  return session;
}

// What is shown of the story, and after it of `ticks` seconds without an event.
std::string drawn(const Session& session, const Story& story, std::vector<int> ticks = {}) {
  ::testing::internal::CaptureStdout();
  {
    Screen screen(session, {}, [](std::string_view text) { return std::string(text); });
    screen.rest();
    for (const auto& event : story.events) screen.event("7", story.plan, event);
    for (const int second : ticks) screen.tick(story.now + std::chrono::seconds(second));
  }
  return ::testing::internal::GetCapturedStdout();
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const std::string long_error =
    "after 9 s: API health: 3 bad samples in a row (4 good before): expected status 200, got 500 "
    "\"price is not a number\", and a few more words that no line of a hundred columns has room "
    "for";

TEST(Screen, TimesStandAtTheRightEdgeWithColoursAndWithout) {
  Story story;
  story.begun("build:api").later(Millis(13'800)).outcome("build:api", true);
  for (const bool color : {false, true}) {
    for (const auto& line : split(drawn(terminal(color), story), '\n')) {
      if (has(line, "13.8 s")) {
        EXPECT_EQ(columns(line), 100U) << line;
      }
    }
  }
  EXPECT_TRUE(has(drawn(terminal(true), story), "\x1b[32m"));
}

TEST(Screen, PlainLinesCountTheTimeBeforeThem) {
  Story story;
  story.begun("build:api").later(Millis(13'800)).outcome("build:api", true);
  const auto text = drawn(Session(), story);
  for (const auto& line : split(text, '\n')) {
    if (has(line, "13.8 s")) {
      EXPECT_EQ(columns(line), 100U) << line;
    }
  }
}

TEST(Screen, ALongErrorIsBrokenUnderItsBeginning) {
  Story story;
  story.failed("watch", long_error + "\nweb: KeyError");
  for (const auto& line : split(drawn(terminal(true), story), '\n')) {
    EXPECT_LE(columns(line), 100U) << line;
  }
  EXPECT_TRUE(has(drawn(terminal(false), story), "\n                       "));
}

TEST(Screen, AStepAtWorkIsALineThatIsRedrawnOnATerminal) {
  Story story;
  story.begun("migrate");
  const auto text = drawn(terminal(false), story, {1, 12});
  EXPECT_TRUE(has(text, "\r\x1b[K …   5 migrate")) << text;
  EXPECT_TRUE(has(text, " 12.0 s") || has(text, " 12 s")) << text;
  EXPECT_EQ(text.substr(text.size() - 4), "\r\x1b[K") << "the line is free at the end";
  story.outcome("migrate", true);
  EXPECT_FALSE(has(drawn(terminal(false), story, {1, 12}), "…")) << "nothing is at work any more";
}

TEST(Screen, SideBySideTheFirstIsNamedAndTheOthersCounted) {
  Story story;
  story.begun("build:api").later(Millis(5)).begun("build:web");
  EXPECT_TRUE(has(drawn(terminal(false), story, {2}), "build:api (and 1 more)"));
}

TEST(Screen, PlainOutputHasOneLineForAStepThatTakesLong) {
  Story story;
  story.begun("migrate");
  EXPECT_FALSE(has(drawn(Session(), story, {1, 9}), "…"));
  const auto text = drawn(Session(), story, {9, 11, 12, 40});
  const auto first = text.find("…");
  ASSERT_NE(first, std::string::npos) << text;
  EXPECT_EQ(text.find("…", first + 1), std::string::npos) << text;
  EXPECT_TRUE(has(text, "since 10:00:00")) << text;
  EXPECT_EQ(text.find('\r'), std::string::npos);
}

TEST(Layout, WordsStayWholeAndNothingIsLost) {
  EXPECT_EQ(wrapped("a bb ccc", 100), (std::vector<std::string>{"a bb ccc"}));
  const std::string word(40, 'x');
  EXPECT_EQ(wrapped(word + " end", 20), (std::vector<std::string>{word, "end"}));
  EXPECT_EQ(join(wrapped(long_error, 30), " "), long_error);
  EXPECT_EQ(wrapped_text("  short\n  one two three four five six seven", 24),
            "  short\n  one two three four\n    five six seven");
  EXPECT_EQ(wrapped("", 30), std::vector<std::string>{""});
}

}  // namespace
}  // namespace belay::cli
