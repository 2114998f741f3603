// SPDX-License-Identifier: Apache-2.0
#include "base/time.hpp"

#include <gtest/gtest.h>

#include "base/clock.hpp"

namespace belay {
namespace {

using namespace std::chrono_literals;

TEST(Time, ATimeComesBackFromItsText) {
  const TimePoint at(Millis(1'795'428'900'481));
  EXPECT_EQ(to_text(at), "2026-11-23T10:15:00.481Z");
  EXPECT_EQ(parse_time(to_text(at)).value(), at);
}

TEST(Time, OffsetsAndWholeSecondsAreRead) {
  EXPECT_EQ(parse_time("2026-11-23T12:15:00+02:00").value(),
            parse_time("2026-11-23T10:15:00Z").value());
  EXPECT_EQ(to_text(parse_time("2024-02-29T23:59:59Z").value()), "2024-02-29T23:59:59.000Z");
}

TEST(Time, WhatIsNoTimeIsRefused) {
  for (const char* text :
       {"", "2026-11-23", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-11-23T24:00:00Z",
        "2026-11-23T10:15:00", "2026-11-23T10:15:00Zjunk", "2026-11-23T10:15:0xZ"}) {
    EXPECT_FALSE(parse_time(text)) << text;
  }
}

TEST(Time, ATagStampComesBack) {
  const auto at = parse_tag_stamp("20261123-101500");
  ASSERT_TRUE(at);
  EXPECT_EQ(to_tag_stamp(*at), "20261123-101500");
  EXPECT_FALSE(parse_tag_stamp("20261123101500"));
  EXPECT_FALSE(parse_tag_stamp("20261323-101500"));
}

TEST(Duration, UnitsAreReadAndANumberWithoutOneIsRefused) {
  EXPECT_EQ(parse_duration("250ms").value(), 250ms);
  EXPECT_EQ(parse_duration("1h30m").value(), 90min);
  EXPECT_EQ(parse_duration("30d").value(), 720h);
  for (const char* text : {"", "5", "m", "-5m", "5 m", "5x", "99999999999999999999d", "4000d"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Duration, ItsTextIsReadBackExactly) {
  for (const Millis duration : {Millis(0), Millis(1), Millis(250), Millis(90'000), Millis(300'000),
                                Millis(86'400'000), Millis(86'400'001)}) {
    EXPECT_EQ(parse_duration(to_text(duration)).value(), duration) << to_text(duration);
  }
}

TEST(Duration, PeopleReadItInTheirUnits) {
  EXPECT_EQ(for_people(240ms), "0.2 s");
  EXPECT_EQ(for_people(312s), "5 min 12 s");
  EXPECT_EQ(for_people(182min), "3 h 2 min");
}

TEST(Clock, AStoppedSleepEndsAtOnce) {
  SystemClock clock;
  std::stop_source stop;
  stop.request_stop();
  const Millis before = clock.steady();
  EXPECT_FALSE(clock.sleep(1h, stop.get_token()));
  EXPECT_LT(clock.steady() - before, 10s);
  EXPECT_TRUE(clock.sleep(1ms, {}));
}

}  // namespace
}  // namespace belay
