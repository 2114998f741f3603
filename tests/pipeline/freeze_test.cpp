// SPDX-License-Identifier: Apache-2.0
#include "pipeline/freeze.hpp"

#include <gtest/gtest.h>

namespace belay::pipeline {
namespace {

TimePoint at(const std::string& text) {
  const auto time = parse_time(text);
  EXPECT_TRUE(time) << text;
  return time ? *time : TimePoint{};
}

const Freeze weekend{"Fri 16:00", "Mon 08:00", "Europe/Paris"};

std::string until(const std::vector<Freeze>& windows, const std::string& now) {
  const auto hit = in_freeze(windows, at(now));
  return hit ? belay::to_text(hit->until) : "open";
}

TEST(Freeze, HoldsFromItsFirstMomentToItsLast) {
  EXPECT_EQ(until({weekend}, "2026-01-16T14:59:59.999Z"), "open");  // Friday, 15:59 in Paris
  EXPECT_EQ(until({weekend}, "2026-01-16T15:00:00Z"), "2026-01-19T07:00:00.000Z");
  EXPECT_EQ(until({weekend}, "2026-01-18T12:00:00Z"), "2026-01-19T07:00:00.000Z");
  EXPECT_EQ(until({weekend}, "2026-01-19T06:59:59.999Z"), "2026-01-19T07:00:00.000Z");
  EXPECT_EQ(until({weekend}, "2026-01-19T07:00:00Z"), "open");
  EXPECT_EQ(until({weekend}, "2026-01-21T12:00:00Z"), "open");
}

TEST(Freeze, FollowsTheClockChangesOfParis) {
  // Spring: the night of 29 March 2026; Friday is winter time, Monday summer time.
  EXPECT_EQ(until({weekend}, "2026-03-27T14:59:59Z"), "open");
  EXPECT_EQ(until({weekend}, "2026-03-27T15:00:00Z"), "2026-03-30T06:00:00.000Z");
  EXPECT_EQ(until({weekend}, "2026-03-30T06:00:00Z"), "open");
  // Autumn: the night of 25 October 2026.
  EXPECT_EQ(until({weekend}, "2026-10-23T14:00:00Z"), "2026-10-26T07:00:00.000Z");
  EXPECT_EQ(until({weekend}, "2026-10-26T06:30:00Z"), "2026-10-26T07:00:00.000Z");
}

TEST(Freeze, FollowsTheClockChangesOfNewYork) {
  const Freeze window{"Fri 16:00", "Mon 08:00", "America/New_York"};
  EXPECT_EQ(until({window}, "2026-03-06T21:00:00Z"), "2026-03-09T12:00:00.000Z");  // 8 March
  EXPECT_EQ(until({window}, "2026-10-30T20:00:00Z"), "2026-11-02T13:00:00.000Z");  // 1 November
}

TEST(Freeze, ATimeThatAClockChangeSkipsIsTheMomentOfTheChange) {
  // 29 March 2026, 02:00 to 03:00 does not exist in Paris; it is 01:00 UTC.
  const Freeze begins{"Sun 02:30", "Sun 05:00", "Europe/Paris"};
  EXPECT_EQ(until({begins}, "2026-03-29T00:59:59Z"), "open");
  EXPECT_EQ(until({begins}, "2026-03-29T01:00:00Z"), "2026-03-29T03:00:00.000Z");
  const Freeze ends{"Sun 01:00", "Sun 02:30", "Europe/Paris"};
  EXPECT_EQ(until({ends}, "2026-03-29T00:30:00Z"), "2026-03-29T01:00:00.000Z");
  EXPECT_EQ(until({ends}, "2026-03-29T01:00:00Z"), "open");
  // Both ends inside the hour that is not there: no window at all that day.
  const Freeze inside{"Sun 02:10", "Sun 02:50", "Europe/Paris"};
  EXPECT_EQ(until({inside}, "2026-03-29T01:00:00Z"), "open");
}

TEST(Freeze, OfATimeThatHappensTwiceTheLongerWindowHolds) {
  // 25 October 2026, 02:30 in Paris is 00:30 and 01:30 UTC.
  const Freeze begins{"Sun 02:30", "Sun 05:00", "Europe/Paris"};
  EXPECT_EQ(until({begins}, "2026-10-25T00:29:59Z"), "open");
  EXPECT_EQ(until({begins}, "2026-10-25T00:30:00Z"), "2026-10-25T04:00:00.000Z");
  const Freeze ends{"Sat 20:00", "Sun 02:30", "Europe/Paris"};
  EXPECT_EQ(until({ends}, "2026-10-25T00:45:00Z"), "2026-10-25T01:30:00.000Z");
  EXPECT_EQ(until({ends}, "2026-10-25T01:30:00Z"), "open");
  // New York: 1 November 2026, 01:30 is 05:30 and 06:30 UTC.
  const Freeze york{"Sat 20:00", "Sun 01:30", "America/New_York"};
  EXPECT_EQ(until({york}, "2026-11-01T06:00:00Z"), "2026-11-01T06:30:00.000Z");
}

TEST(Freeze, MayBeginLateInTheWeekAndEndEarlyInTheNext) {
  const Freeze wraps{"Sunday 23:00", "mon 01:00", "UTC"};
  EXPECT_EQ(until({wraps}, "2026-01-18T23:30:00Z"), "2026-01-19T01:00:00.000Z");
  EXPECT_EQ(until({wraps}, "2026-01-19T00:30:00Z"), "2026-01-19T01:00:00.000Z");
  EXPECT_EQ(until({wraps}, "2026-01-19T01:00:00Z"), "open");
  const Freeze nearly_always{"Mon 00:01", "Mon 00:00", "UTC"};
  EXPECT_EQ(until({nearly_always}, "2026-01-19T00:00:30Z"), "open");
  EXPECT_EQ(until({nearly_always}, "2026-01-22T00:00:00Z"), "2026-01-26T00:00:00.000Z");
}

TEST(Freeze, WindowsThatTouchAreFollowedToTheEndOfTheLast) {
  const Freeze friday{"Fri 16:00", "Sat 00:00", "UTC"}, saturday{"Sat 00:00", "Sun 00:00", "UTC"};
  EXPECT_EQ(until({saturday, friday}, "2026-01-16T17:00:00Z"), "2026-01-18T00:00:00.000Z");
  const Freeze midnight{"Fri 16:00", "Sat 24:00", "UTC"};
  EXPECT_EQ(until({midnight}, "2026-01-16T17:00:00Z"), "2026-01-18T00:00:00.000Z");
}

TEST(Freeze, WindowsWithoutAGapEndNeverButAreAnswered) {
  const Freeze one{"Mon 00:00", "Thu 00:00", "UTC"}, other{"Thu 00:00", "Mon 00:00", "UTC"};
  const auto hit = in_freeze({one, other}, at("2026-01-16T17:00:00Z"));
  ASSERT_TRUE(hit);
  EXPECT_GT(hit->until, at("2027-01-01T00:00:00Z"));
}

TEST(Freeze, AZoneThatIsNotKnownHereHoldsAndIsAskedAgain) {
  EXPECT_EQ(until({{"Fri 16:00", "Mon 08:00", "Mars/Olympus"}}, "2026-01-21T12:00:00Z"),
            "2026-01-21T13:00:00.000Z");
}

TEST(Freeze, JsonReadsBackWhatWasWritten) {
  const auto back = freeze_from_json(to_json(std::vector<Freeze>{weekend}));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, std::vector<Freeze>{weekend});
  EXPECT_FALSE(freeze_from_json(Json::array({{{"from", "Fri 16:00"}}})));
  EXPECT_FALSE(freeze_from_json(Json::array({{{"from", "x"}, {"to", "y"}, {"zone", "UTC"}}})));
}

}  // namespace
}  // namespace belay::pipeline
