// SPDX-License-Identifier: Apache-2.0
#include "base/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "base/text.hpp"
#include "tests/support/eventually.hpp"

namespace belay {
namespace {

using namespace std::chrono_literals;

Command shell(std::string script) {
  Command command;
  command.argv = {"sh", "-c", std::move(script)};
  command.limit = 30s;
  return command;
}

TEST(Process, BothStreamsAndTheStatusComeBack) {
  const auto finished = run(shell("echo out; echo err >&2; exit 3"));
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->status, 3);
  EXPECT_EQ(finished->out, "out\n");
  EXPECT_EQ(finished->err, "err\n");
}

TEST(Process, ASignalIsAStatusOver128) {
  EXPECT_EQ(run(shell("kill -9 $$"))->status, 128 + 9);
}

TEST(Process, LargeInputAndOutputDoNotBlockEachOther) {
  Command command;
  command.argv = {"cat"};
  command.input = std::string(3'000'000, 'x');
  const auto finished = run(command);
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->out, command.input);
}

TEST(Process, AMissingProgramIsMissing) {
  Command command;
  command.argv = {"no-such-program-of-belay"};
  EXPECT_EQ(run(command).error().fault, Fault::missing);
  command.argv = {"/no/such/program"};
  EXPECT_EQ(run(command).error().fault, Fault::missing);
  command.argv = {};
  EXPECT_EQ(run(command).error().fault, Fault::invalid);
}

TEST(Process, AMissingFolderIsNamed) {
  Command command = shell("true");
  command.folder = "/no/such/folder";
  const auto finished = run(command);
  ASSERT_FALSE(finished);
  EXPECT_NE(finished.error().message().find("/no/such/folder"), std::string::npos);
}

TEST(Process, TheLimitEndsTheWholeGroup) {
  auto scratch = ScratchFolder::make("belay-process").value();
  Command command = shell("sleep 1000 & echo $! > pid; wait");
  command.folder = scratch.path();
  command.limit = 300ms;
  EXPECT_EQ(run(command).error().fault, Fault::timeout);
  const auto text = read_file(scratch.path() / "pid");
  ASSERT_TRUE(text);
  const pid_t grandchild = std::atoi(text->c_str());
  ASSERT_GT(grandchild, 1);
  EXPECT_TRUE(eventually([&] { return !alive(grandchild); }));
}

TEST(Process, OneThatIgnoresSigtermIsKilled) {
  Command command = shell("trap '' TERM; echo ready; while :; do sleep 0.05; done");
  command.limit = 200ms;
  EXPECT_EQ(run(command).error().fault, Fault::timeout);
}

TEST(Process, StoppingEndsItAtOnce) {
  std::stop_source stop;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(50ms);
    stop.request_stop();
  });
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(run(shell("sleep 1000"), stop.get_token()).error().fault, Fault::cancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 10s);
}

TEST(Process, AChattyProgramIsEndedAtItsOutputLimit) {
  Command command = shell("yes");
  command.output_limit = 100'000;
  EXPECT_EQ(run(command).error().fault, Fault::refused);
}

TEST(Process, ABackgroundProcessThatKeepsThePipeDoesNotHoldUsUp) {
  const auto before = std::chrono::steady_clock::now();
  const auto finished = run(shell("sleep 5 & echo done"));
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->out, "done\n");
  EXPECT_LT(std::chrono::steady_clock::now() - before, 4s);
}

TEST(Process, TheEnvironmentIsAddedOrReplacedAsAsked) {
  ::setenv("BELAY_TEST_INHERITED", "yes", 1);
  Command command = shell("echo \"$BELAY_TEST_INHERITED,$ADDED\"");
  command.env = {{"ADDED", "a b"}};
  EXPECT_EQ(run(command)->out, "yes,a b\n");
  command.inherit_env = false;
  EXPECT_EQ(run(command)->out, ",a b\n");
}

TEST(Process, OpenFilesAreNotInherited) {
  const int leaked = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC, as a library might
  ASSERT_GE(leaked, 0);
  const auto finished = run(shell("ls /proc/self/fd | wc -l"));
  ::close(leaked);
  ASSERT_TRUE(finished);
  EXPECT_EQ(trim(finished->out), "4");  // 0, 1, 2 and ls's own
}

TEST(Process, SignalsAreTheDefaultOnes) {
  ::signal(SIGPIPE, SIG_IGN);
  const auto finished = run(shell("kill -PIPE $$; echo survived"));
  ::signal(SIGPIPE, SIG_DFL);
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->out, "");
}

TEST(Process, RunOkSaysWhatTheProgramSaid) {
  const auto finished = run_ok(shell("echo 'no space' >&2; exit 1"));
  ASSERT_FALSE(finished);
  EXPECT_NE(finished.error().text.find("no space"), std::string::npos);
}

TEST(Process, ProgramsInSbinAreFoundToo) {
  EXPECT_TRUE(find_program("sh"));
  EXPECT_FALSE(find_program("no-such-program-of-belay"));
  const std::string path = ::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  EXPECT_TRUE(find_program("ldconfig"));  // in /sbin
  ::setenv("PATH", path.c_str(), 1);
}

}  // namespace
}  // namespace belay
