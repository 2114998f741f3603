// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/file.hpp"
#include "notify/notify.hpp"

namespace belay::notify {
namespace {

Announcement news() {
  return {"shop production: shipped prod-20261123-101500", "a text", "shipped", {{"run", "7"}}};
}

TEST(NotifyCommand, TheProgramGetsTheAnnouncementAsJsonOnItsInput) {
  auto scratch = ScratchFolder::make("notify");
  ASSERT_TRUE(scratch);
  const auto got = scratch->path() / "got";
  ASSERT_TRUE(make_command("cat > " + got.string(), std::chrono::seconds(5))->announce(news()));
  auto json = parse_json(*read_file(got));
  ASSERT_TRUE(json);
  EXPECT_EQ((*json)["kind"], "shipped");
  EXPECT_EQ((*json)["facts"]["run"], "7");
}

TEST(NotifyCommand, TheProgramGetsTheEventsNameInItsEnvironment) {
  auto scratch = ScratchFolder::make("notify");
  ASSERT_TRUE(scratch);
  const auto got = scratch->path() / "got";
  ASSERT_TRUE(make_command("printf %s \"$BELAY_EVENT\" > " + got.string(), std::chrono::seconds(5))
                  ->announce(news()));
  EXPECT_EQ(*read_file(got), "shipped");
}

TEST(NotifyCommand, AProgramThatFailsIsAnErrorWithWhatItSaid) {
  auto told = make_command("echo no route >&2; exit 3", std::chrono::seconds(5))->announce(news());
  ASSERT_FALSE(told);
  EXPECT_NE(told.error().message().find("no route"), std::string::npos);
}

TEST(NotifyCommand, AProgramThatHangsIsEndedAtItsLimit) {
  auto told = make_command("sleep 60", Millis(200))->announce(news());
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().fault, Fault::timeout);
}

TEST(NotifyCommand, AProgramThatDoesNotReadItsInputIsFine) {
  EXPECT_TRUE(make_command("true", std::chrono::seconds(5))->announce(news()));
}

}  // namespace
}  // namespace belay::notify
