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
  ScratchFolder scratch_ = ScratchFolder::make("notify-test").value();
  Announcement said_{"shop production: rolled back",
                     "line one\nline \"two\" \xe2\x82\xac",
                     "rolled_back",
                     {{"run", "r1"}, {"lost", 3}}};
};

TEST_F(CommandNotifierTest, TheProgramReadsTheAnnouncementAsJson) {
  ASSERT_TRUE(make_command(to_file("cat", "in"), seconds(10))->announce(said_).ok());
  const auto read = parse_json(read_file(file("in")).value());
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, (Json{{"title", said_.title},
                         {"text", said_.text},
                         {"kind", "rolled_back"},
                         {"facts", {{"run", "r1"}, {"lost", 3}}}}));
}

TEST_F(CommandNotifierTest, TheEventAndTheTitleAreInItsEnvironment) {
  const auto shell = to_file("printf '%s|%s' \"$BELAY_EVENT\" \"$BELAY_TITLE\"", "env");
  ASSERT_TRUE(make_command(shell, seconds(10))->announce(said_).ok());
  EXPECT_EQ(read_file(file("env")).value(), "rolled_back|shop production: rolled back");
}

TEST_F(CommandNotifierTest, AHostileTitleIsTextAndRunsNothing) {
  said_.title = "$(touch " + file("proof") + ")`touch " + file("proof") + "`\n; touch " +
                file("proof") + std::string("\0x", 2) + std::string(5000, 'y');
  const auto shell = to_file("printf %s \"$BELAY_TITLE\"", "env");
  ASSERT_TRUE(make_command(shell, seconds(10))->announce(said_).ok());
  EXPECT_FALSE(std::filesystem::exists(file("proof")));
  const auto title = read_file(file("env")).value();
  EXPECT_EQ(title.find('\n'), std::string::npos);
  EXPECT_LE(title.size(), 1000U);
}

TEST_F(CommandNotifierTest, OurOwnSecretsAreNotHandedOn) {
  setenv("BELAY_VAULT_KEY", "sentinel-4711", 1);
  ASSERT_TRUE(make_command(to_file("env", "env"), seconds(10))->announce(said_).ok());
  unsetenv("BELAY_VAULT_KEY");
  EXPECT_EQ(read_file(file("env"))->find("sentinel-4711"), std::string::npos);
}

TEST_F(CommandNotifierTest, AFailureIsToldWithTheLastLineOfItsError) {
  const auto told = make_command("echo first >&2; echo no such channel >&2; exit 3", seconds(10))
                        ->announce(said_);
  ASSERT_FALSE(told.ok());
  EXPECT_NE(told.error().text.find("status 3: no such channel"), std::string::npos);
}

TEST_F(CommandNotifierTest, AProgramThatHangsIsEndedAndMayHaveTold) {
  const auto told = make_command("sleep 600", Millis(200))->announce(said_);
  ASSERT_FALSE(told.ok());
  EXPECT_EQ(told.error().fault, Fault::timeout);
  EXPECT_EQ(told.error().effect, Effect::unknown);
}

TEST_F(CommandNotifierTest, AProgramThatReadsNothingIsFine) {
  said_.text = std::string(4 << 20, 'x');
  EXPECT_TRUE(make_command("true", seconds(10))->announce(said_).ok());
}

TEST_F(CommandNotifierTest, AnEmptyCommandAndAMissingProgramAreErrors) {
  EXPECT_FALSE(make_command("  ", seconds(10))->announce(said_).ok());
  EXPECT_FALSE(make_command("/nonexistent/program", seconds(10))->announce(said_).ok());
}

TEST_F(CommandNotifierTest, TextThatIsNotUtf8StillArrives) {
  said_.text = "broken \xff\xfe";
  ASSERT_TRUE(make_command(to_file("cat", "in"), seconds(10))->announce(said_).ok());
  EXPECT_TRUE(parse_json(read_file(file("in")).value()).ok());
}

}  // namespace
}  // namespace belay::notify
