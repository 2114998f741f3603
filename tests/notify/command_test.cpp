// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "notify/notify.hpp"

namespace belay::notify {
namespace {

using std::chrono::seconds;

class CommandNotifierTest : public testing::Test {
 protected:
  std::string file(const std::string& name) const { return (scratch_.path() / name).string(); }
  std::string to_file(const std::string& shell, const std::string& name) const {
    return shell + " > " + shell_quoted(file(name));
  }
  std::unique_ptr<Notifier> command(const std::string& shell, Millis limit) {
    return make_command(shell, limit, *children_, scratch_.path() / "work");
  }
  ScratchFolder scratch_ = ScratchFolder::make("notify-test").value();
  std::unique_ptr<Children> children_ = make_children(scratch_.path() / "children");
  Announcement said_{"shop production: rolled back",
                     "line one\nline \"two\" \xe2\x82\xac",
                     "rolled_back",
                     {{"run", "r1"}, {"lost", 3}}};
};

TEST_F(CommandNotifierTest, TheProgramReadsTheAnnouncementAsJson) {
  ASSERT_TRUE(command(to_file("cat", "in"), seconds(10))->announce(said_, "run-1.announce.1").ok());
  const auto read = parse_json(read_file(file("in")).value());
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, (Json{{"title", said_.title},
                         {"text", said_.text},
                         {"kind", "rolled_back"},
                         {"facts", {{"run", "r1"}, {"lost", 3}}}}));
}

TEST_F(CommandNotifierTest, TheEventAndTheTitleAreInItsEnvironment) {
  const auto shell = to_file("printf '%s|%s' \"$BELAY_EVENT\" \"$BELAY_TITLE\"", "env");
  ASSERT_TRUE(command(shell, seconds(10))->announce(said_, "run-1.announce.1").ok());
  EXPECT_EQ(read_file(file("env")).value(), "rolled_back|shop production: rolled back");
}

TEST_F(CommandNotifierTest, AHostileTitleIsTextAndRunsNothing) {
  said_.title = "$(touch " + file("proof") + ")`touch " + file("proof") + "`\n; touch " +
                file("proof") + std::string("\0x", 2) + std::string(5000, 'y');
  const auto shell = to_file("printf %s \"$BELAY_TITLE\"", "env");
  ASSERT_TRUE(command(shell, seconds(10))->announce(said_, "run-1.announce.1").ok());
  EXPECT_FALSE(std::filesystem::exists(file("proof")));
  const auto title = read_file(file("env")).value();
  EXPECT_EQ(title.find('\n'), std::string::npos);
  EXPECT_LE(title.size(), 1000U);
}

TEST_F(CommandNotifierTest, OurOwnSecretsAreNotHandedOn) {
  setenv("BELAY_VAULT_KEY", "sentinel-4711", 1);
  ASSERT_TRUE(
      command(to_file("env", "env"), seconds(10))->announce(said_, "run-1.announce.1").ok());
  unsetenv("BELAY_VAULT_KEY");
  EXPECT_EQ(read_file(file("env"))->find("sentinel-4711"), std::string::npos);
}

TEST_F(CommandNotifierTest, AFailureIsToldWithTheLastLineOfItsError) {
  const auto told = command("echo first >&2; echo no such channel >&2; exit 3", seconds(10))
                        ->announce(said_, "run-1.announce.1");
  ASSERT_FALSE(told.ok());
  EXPECT_NE(told.error().text.find("status 3: no such channel"), std::string::npos);
}

TEST_F(CommandNotifierTest, AProgramThatHangsIsEndedAndMayHaveTold) {
  const auto told = command("sleep 600", Millis(200))->announce(said_, "run-1.announce.1");
  ASSERT_FALSE(told.ok());
  EXPECT_EQ(told.error().fault, Fault::timeout);
  EXPECT_EQ(told.error().effect, Effect::unknown);
}

TEST_F(CommandNotifierTest, UnderOneKeyPeopleAreToldOnce) {
  const auto shell = "echo told >> " + shell_quoted(file("count"));
  ASSERT_TRUE(command(shell, seconds(10))->announce(said_, "run-1.announce.1").ok());
  ASSERT_TRUE(command(shell, seconds(10))->announce(said_, "run-1.announce.1").ok());
  EXPECT_EQ(read_file(file("count")).value(), "told\n");
  ASSERT_TRUE(command(shell, seconds(10))->announce(said_, "run-2.announce.1").ok());
  EXPECT_EQ(read_file(file("count")).value(), "told\ntold\n");
}

TEST_F(CommandNotifierTest, HowItEndedIsToldAgainToWhoeverComesLater) {
  const auto shell = "echo told >> " + shell_quoted(file("count")) + "; exit 3";
  EXPECT_FALSE(command(shell, seconds(10))->announce(said_, "run-1.announce.1").ok());
  const auto again = command(shell, seconds(10))->announce(said_, "run-1.announce.1");
  ASSERT_FALSE(again.ok());
  EXPECT_NE(again.error().message().find("status 3"), std::string::npos);
  EXPECT_EQ(read_file(file("count")).value(), "told\n");
}

TEST_F(CommandNotifierTest, ItsInputIsGoneAfterwardsAndWhatAKilledProcessLeftOfIt) {
  ASSERT_TRUE(make_folder(file("work")));
  ASSERT_TRUE(write_file(file("work/run-1.announce.1.json.tmp4711-1"), "{"));
  ASSERT_TRUE(command("cat", seconds(10))->announce(said_, "run-1.announce.1").ok());
  EXPECT_TRUE(std::filesystem::is_empty(file("work")));
}

// A run that stopped, was told so by nobody, and went on: its announcement is never made.
TEST_F(CommandNotifierTest, WhatAKilledProcessLeftOfTheRunsEarlierOnesGoesToo) {
  ASSERT_TRUE(make_folder(file("work")));
  for (const char* name : {"run-1.stopped.45.1.json.tmp19515-60", "run-1.stopped.45.1.json"})
    ASSERT_TRUE(write_file(file("work/" + std::string(name)), "{"));
  for (const char* name : {"run-11.stopped.45.1.json", "run-1.build.1.copy"})
    ASSERT_TRUE(write_file(file("work/" + std::string(name)), "another's"));
  ASSERT_TRUE(command("cat", seconds(10))->announce(said_, "run-1.announce.1").ok());
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(file("work")))
    left.push_back(entry.path().filename().string());
  std::sort(left.begin(), left.end());
  EXPECT_EQ(left, (std::vector<std::string>{"run-1.build.1.copy", "run-11.stopped.45.1.json"}));
}

TEST_F(CommandNotifierTest, AProgramThatReadsNothingIsFine) {
  said_.text = std::string(4 << 20, 'x');
  EXPECT_TRUE(command("true", seconds(10))->announce(said_, "run-1.announce.1").ok());
}

TEST_F(CommandNotifierTest, AnEmptyCommandAndAMissingProgramAreErrors) {
  EXPECT_FALSE(command("  ", seconds(10))->announce(said_, "run-1.announce.1").ok());
  EXPECT_FALSE(
      command("/nonexistent/program", seconds(10))->announce(said_, "run-1.announce.1").ok());
}

TEST_F(CommandNotifierTest, TextThatIsNotUtf8StillArrives) {
  said_.text = "broken \xff\xfe";
  ASSERT_TRUE(command(to_file("cat", "in"), seconds(10))->announce(said_, "run-1.announce.1").ok());
  EXPECT_TRUE(parse_json(read_file(file("in")).value()).ok());
}

}  // namespace
}  // namespace belay::notify
