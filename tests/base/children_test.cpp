// SPDX-License-Identifier: Apache-2.0
#include "base/children.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "base/text.hpp"
#include "tests/support/eventually.hpp"

namespace belay {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class ChildrenTest : public ::testing::Test {
 protected:
  ScratchFolder scratch_ = ScratchFolder::make("belay-children").value();
  Path records_ = scratch_.path() / "records";
  std::unique_ptr<Children> children_ = make_children(records_);

  void TearDown() override {
    std::error_code code;
    for (const auto& entry : fs::directory_iterator(records_, code)) {
      if (entry.path().filename().string().front() != '.') {
        EXPECT_TRUE(children_->end(entry.path().filename(), 0ms));
      }
    }
  }

  ChildSpec shell(std::string key, std::string script) const {
    ChildSpec spec;
    spec.key = std::move(key);
    spec.argv = {"sh", "-c", std::move(script)};
    spec.folder = scratch_.path();
    spec.limit = 60s;
    return spec;
  }
  ChildStatus wait(const std::string& key) {
    auto status = children_->wait(key, {}, {});
    EXPECT_TRUE(status) << status.error().message();
    return status ? *status : ChildStatus{};
  }
  pid_t pid_in(const char* name) const {
    pid_t pid = 0;
    EXPECT_TRUE(eventually([&] {
      const auto text = read_file(scratch_.path() / name);
      pid = text ? std::atoi(text->c_str()) : 0;
      return pid > 1;
    }));
    return pid;
  }
  pid_t supervisor_of(const std::string& key) const {
    const auto text = read_file(records_ / key / "pid");
    EXPECT_TRUE(text);
    return text ? std::atoi(text->c_str()) : 0;
  }
};

TEST_F(ChildrenTest, AChildEndsAndItsStatusAndOutputStay) {
  ASSERT_TRUE(children_->start(shell("a", "echo out; echo err >&2; exit 7")));
  std::string said;
  const auto status = children_->wait("a", [&](std::string_view text) { said += text; }, {});
  ASSERT_TRUE(status);
  EXPECT_EQ(status->state, ChildState::ended);
  EXPECT_EQ(status->status, 7);
  EXPECT_FALSE(status->timed_out);
  EXPECT_EQ(said, "out\nerr\n");
  const auto later = make_children(records_);
  EXPECT_EQ(later->look("a")->status, 7);
  EXPECT_EQ(later->output("a").value(), "out\nerr\n");
}

TEST_F(ChildrenTest, WhatWasNeverStartedIsAbsent) {
  EXPECT_EQ(children_->look("nobody")->state, ChildState::absent);
  EXPECT_EQ(wait("nobody").state, ChildState::absent);
  EXPECT_TRUE(children_->end("nobody", 0ms));
  EXPECT_TRUE(children_->forget("nobody"));
}

TEST_F(ChildrenTest, AKeyStartsOnceEvenWhenManyTryAtOnce) {
  std::atomic<int> started{0}, conflicts{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        const Status status = children_->start(shell("once", "echo x >> count"));
        if (status) {
          ++started;
        } else if (status.error().fault == Fault::conflict) {
          ++conflicts;
        }
      });
    }
  }
  EXPECT_EQ(started, 1);
  EXPECT_EQ(conflicts, 7);
  EXPECT_EQ(wait("once").state, ChildState::ended);
  EXPECT_EQ(children_->start(shell("once", "echo x >> count")).error().fault, Fault::conflict);
  EXPECT_EQ(read_file(scratch_.path() / "count").value(), "x\n");
}

TEST_F(ChildrenTest, AForgottenKeyCanBeStartedAgainARunningOneCannotBeForgotten) {
  ASSERT_TRUE(children_->start(shell("k", "sleep 1000")));
  EXPECT_EQ(children_->forget("k").error().fault, Fault::busy);
  ASSERT_TRUE(children_->end("k", 5s));
  ASSERT_TRUE(children_->forget("k"));
  EXPECT_EQ(children_->look("k")->state, ChildState::absent);
  ASSERT_TRUE(children_->start(shell("k", "exit 0")));
  EXPECT_EQ(wait("k").state, ChildState::ended);
}

TEST_F(ChildrenTest, ARecordWhoseStarterDiedBeforeItHadASupervisorIsAbsentAndStartsOnce) {
  const Path record = records_ / "k";
  ASSERT_TRUE(make_folder(record));
  for (const char* name : {"lock", "output", "spec.json", "status.tmp"}) {
    ASSERT_TRUE(write_file(record / name, ""));
  }
  {
    Fd starter(::open((record / "lock").c_str(), O_RDWR | O_CLOEXEC));  // it still lives
    ASSERT_EQ(::flock(starter.get(), LOCK_EX), 0);
    EXPECT_EQ(children_->look("k")->state, ChildState::running);
    EXPECT_EQ(children_->start(shell("k", "echo x >> count")).error().fault, Fault::conflict);
  }
  EXPECT_EQ(children_->look("k")->state, ChildState::absent);
  EXPECT_TRUE(children_->start(shell("k", "echo x >> count")));
  EXPECT_EQ(wait("k").state, ChildState::ended);
  EXPECT_EQ(children_->start(shell("k", "echo x >> count")).error().fault, Fault::conflict);
  EXPECT_EQ(read_file(scratch_.path() / "count").value(), "x\n");
}

TEST_F(ChildrenTest, BadKeysAreRefused) {
  for (const char* key : {"", ".", "..", "a/b", ".hidden", "a b", "ä"}) {
    EXPECT_EQ(children_->start(shell(key, "true")).error().fault, Fault::invalid) << key;
    EXPECT_FALSE(children_->look(key)) << key;
  }
  EXPECT_EQ(children_->start(shell(std::string(300, 'k'), "true")).error().fault, Fault::invalid);
}

TEST_F(ChildrenTest, WhatCannotStartLeavesItsKeyFree) {
  ChildSpec spec = shell("k", "true");
  spec.argv = {"no-such-program-of-belay"};
  EXPECT_EQ(children_->start(spec).error().fault, Fault::missing);
  spec = shell("k", "true");
  spec.folder = "/no/such/folder";
  EXPECT_EQ(children_->start(spec).error().fault, Fault::missing);
  spec = shell("k", "true");
  spec.user = "no-such-user-of-belay";
  EXPECT_EQ(children_->start(spec).error().fault, Fault::missing);
  EXPECT_EQ(children_->look("k")->state, ChildState::absent);
}

// A process that starts a child and is then killed with all that the kernel would kill with it.
void start_and_die(const Path& records, const ChildSpec& spec) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t starter = ::fork();
  if (starter == 0) {
    ::setpgid(0, 0);
    const bool started = make_children(records)->start(spec).ok();
    [[maybe_unused]] const ssize_t n = ::write(ready[1], started ? "y" : "n", 1);
    for (;;) ::pause();
  }
  ::close(ready[1]);
  char answer = 0;
  ASSERT_EQ(::read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  ::close(ready[0]);
  ::kill(-starter, SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(starter, &status, 0), starter);
}

TEST_F(ChildrenTest, AChildOutlivesTheKillOfItsStarterAndIsAdopted) {
  start_and_die(
      records_,
      shell("m", "echo $$ > pid; while [ ! -e go ]; do sleep 0.01; done; echo migrated; exit 4"));
  const pid_t child = pid_in("pid");
  EXPECT_EQ(children_->look("m")->state, ChildState::running);
  EXPECT_TRUE(alive(child));
  ASSERT_TRUE(write_file(scratch_.path() / "go", ""));
  EXPECT_EQ(wait("m").status, 4);
  EXPECT_EQ(children_->output("m").value(), "migrated\n");
}

TEST_F(ChildrenTest, WhoseRecordIsTakenAwayLeavesNobodyBehind) {
  ASSERT_TRUE(children_->start(shell("m", "while [ ! -e go ]; do sleep 0.01; done")));
  const pid_t supervisor = supervisor_of("m");
  ASSERT_TRUE(remove_tree(records_));
  ASSERT_TRUE(write_file(scratch_.path() / "go", ""));
  EXPECT_TRUE(eventually([&] { return !alive(supervisor); }));
}

TEST_F(ChildrenTest, AHangUpDoesNotReachTheChild) {
  ASSERT_TRUE(children_->start(shell("m", "ps -o sid= -p $$; true")));
  EXPECT_EQ(wait("m").state, ChildState::ended);
  EXPECT_NE(std::atoi(children_->output("m").value().c_str()), ::getsid(0));
}

TEST_F(ChildrenTest, AKilledSupervisorIsUnknownAndTakesTheWholeGroupWithIt) {
  ASSERT_TRUE(
      children_->start(shell("m", "sleep 1000 & echo $! > grand; echo $$ > pid; wait; true")));
  const pid_t child = pid_in("pid"), grandchild = pid_in("grand");
  ASSERT_EQ(::kill(supervisor_of("m"), SIGKILL), 0);
  EXPECT_EQ(wait("m").state, ChildState::unknown);
  EXPECT_TRUE(eventually([&] { return !alive(child) && !alive(grandchild); }));
  EXPECT_EQ(children_->start(shell("m", "true")).error().fault, Fault::conflict);
  EXPECT_TRUE(children_->forget("m"));
}

TEST_F(ChildrenTest, ARecordFromBeforeAnotherBootIsUnknownAndNobodyIsKilledForIt) {
  ASSERT_TRUE(children_->start(shell("m", "exit 0")));
  EXPECT_EQ(wait("m").state, ChildState::ended);
  // As a reboot leaves it: no status, and the number now belongs to somebody else, to us.
  ASSERT_TRUE(fs::remove(records_ / "m" / "status"));
  ASSERT_TRUE(
      write_file(records_ / "m" / "pid", fmt::format("{} 1 some-other-boot\n", ::getpid())));
  EXPECT_EQ(children_->look("m")->state, ChildState::unknown);
  EXPECT_TRUE(children_->end("m", 0ms));
}

TEST_F(ChildrenTest, AReusedProcessNumberIsNotSignalled) {
  ASSERT_TRUE(children_->start(shell("m", "sleep 1000")));
  const std::string pid_file = read_file(records_ / "m" / "pid").value();
  const pid_t bystander = ::fork();
  if (bystander == 0) {
    for (;;) ::pause();
  }
  const auto words = split(trim(pid_file), ' ');
  ASSERT_TRUE(write_file(records_ / "m" / "pid", fmt::format("{} 1 {}\n", bystander, words[2])));
  std::jthread ender([&] { [[maybe_unused]] const Status ignored = children_->end("m", 50ms); });
  std::this_thread::sleep_for(100ms);
  EXPECT_TRUE(alive(bystander));
  ASSERT_TRUE(write_file(records_ / "m" / "pid", pid_file));
  ender.join();
  ASSERT_TRUE(children_->end("m", 5s));
  ::kill(bystander, SIGKILL);
  ::waitpid(bystander, nullptr, 0);
}

TEST_F(ChildrenTest, TheLimitEndsItEvenWhenNobodyWaits) {
  ChildSpec spec = shell("m", "echo begun; sleep 1000");
  spec.limit = 200ms;
  start_and_die(records_, spec);
  const ChildStatus status = wait("m");
  EXPECT_EQ(status.state, ChildState::ended);
  EXPECT_TRUE(status.timed_out);
  EXPECT_EQ(status.status, 128 + SIGTERM);
}

TEST_F(ChildrenTest, EndingIsGentleFirstThenNot) {
  ASSERT_TRUE(children_->start(
      shell("gentle", "trap 'echo bye; exit 0' TERM; echo $$ > g; while :; do sleep 0.02; done")));
  pid_in("g");
  ASSERT_TRUE(children_->end("gentle", 10s));
  EXPECT_EQ(children_->look("gentle")->status, 0);
  EXPECT_NE(children_->output("gentle").value().find("bye\n"), std::string::npos);

  ASSERT_TRUE(
      children_->start(shell("deaf", "trap '' TERM; echo $$ > d; while :; do sleep 0.02; done")));
  pid_in("d");
  ASSERT_TRUE(children_->end("deaf", 100ms));
  EXPECT_EQ(children_->look("deaf")->status, 128 + SIGKILL);
}

// A leader that dies of SIGTERM, and one of its group that puts it off and would go on writing.
constexpr const char* defers_term =
    "(trap '' TERM; echo $$ > m; while :; do echo x >> written; sleep 0.02; done) & "
    "echo $! > d; wait";

TEST_F(ChildrenTest, EndingTakesThoseOfTheGroupWhoDeferTheSignal) {
  ASSERT_TRUE(children_->start(shell("group", defers_term)));
  const pid_t deferring = pid_in("d");
  ASSERT_TRUE(eventually([&] { return fs::exists(scratch_.path() / "written"); }));
  ASSERT_TRUE(children_->end("group", 100ms));
  EXPECT_FALSE(alive(deferring));
  const auto written = fs::file_size(scratch_.path() / "written");
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(fs::file_size(scratch_.path() / "written"), written);
}

TEST_F(ChildrenTest, TheLimitTakesThoseOfTheGroupWhoDeferTheSignal) {
  ChildSpec spec = shell("group", defers_term);
  spec.limit = 300ms;
  ASSERT_TRUE(children_->start(spec));
  const pid_t deferring = pid_in("d");
  const auto status = wait("group");
  EXPECT_TRUE(status.timed_out);
  EXPECT_EQ(status.status, 128 + SIGTERM);
  EXPECT_FALSE(alive(deferring));
}

TEST_F(ChildrenTest, StoppingToWaitLeavesTheChildRunning) {
  ASSERT_TRUE(children_->start(shell("m", "sleep 1000")));
  std::stop_source stop;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(30ms);
    stop.request_stop();
  });
  EXPECT_EQ(children_->wait("m", {}, stop.get_token()).error().fault, Fault::cancelled);
  EXPECT_EQ(children_->look("m")->state, ChildState::running);
}

TEST_F(ChildrenTest, TheEnvironmentReachesTheChildAndNoFile) {
  ChildSpec spec = shell(
      "m", "test \"$TOKEN\" = very-secret-token && echo same; test -z \"$HOME\" && echo bare");
  spec.env = {{"TOKEN", "very-secret-token"}};
  ASSERT_TRUE(children_->start(spec));
  wait("m");
  EXPECT_EQ(children_->output("m").value(), "same\nbare\n");
  for (const auto& entry : fs::recursive_directory_iterator(records_)) {
    if (!entry.is_regular_file() || entry.path().filename() == "spec.json") continue;
    EXPECT_EQ(read_file(entry.path()).value().find("very-secret"), std::string::npos)
        << entry.path();
  }
  EXPECT_EQ(read_file(records_ / "m" / "spec.json").value().find("TOKEN\":"), std::string::npos);
}

TEST_F(ChildrenTest, NoFileOfOursIsOpenInTheSupervisorOrTheChild) {
  // A lock that leaked would stay held for as long as the child runs.
  const Path path = scratch_.path() / "ours";
  Fd ours(::open(path.c_str(), O_RDWR | O_CREAT, 0600));  // as a library might: not O_CLOEXEC
  ASSERT_EQ(::flock(ours.get(), LOCK_EX), 0);
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  ASSERT_TRUE(children_->start(shell("m", "sleep 1000")));
  ours.reset();
  Fd again(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_EQ(::flock(again.get(), LOCK_EX | LOCK_NB), 0);
  ::close(pipe_ends[1]);
  char byte = 0;
  EXPECT_EQ(::read(pipe_ends[0], &byte, 1), 0) << "the writing end is open somewhere else";
  ::close(pipe_ends[0]);
  EXPECT_EQ(children_->look("m")->state, ChildState::running);
}

TEST_F(ChildrenTest, WhatIsLeftInTheBackgroundGoesOn) {
  ASSERT_TRUE(children_->start(shell("m", "sleep 1000 & echo $! > pid; exit 0")));
  EXPECT_EQ(wait("m").status, 0);
  const pid_t left = pid_in("pid");
  EXPECT_TRUE(alive(left));
  ::kill(left, SIGKILL);
}

TEST_F(ChildrenTest, RunsAsAnotherUserWhenWeAreRoot) {
  ChildSpec spec = shell("m", "id -un; id -Gn");
  spec.user = "nobody";
  spec.folder = "/";
  const Status status = children_->start(spec);
  if (::geteuid() != 0) {
    EXPECT_EQ(status.error().fault, Fault::denied);
    return;
  }
  ASSERT_TRUE(status);
  EXPECT_EQ(wait("m").status, 0);
  EXPECT_EQ(children_->output("m").value(), "nobody\nnogroup\n");
}

TEST_F(ChildrenTest, AChildOfAnotherUserDiesWithItsSupervisorToo) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: become root to check the change of user";
  fs::permissions(scratch_.path(), fs::perms::all);
  ChildSpec spec = shell("m", "echo $$ > pid; exec sleep 1000");
  spec.user = "nobody";
  ASSERT_TRUE(children_->start(spec));
  const pid_t child = pid_in("pid");
  ASSERT_EQ(::kill(supervisor_of("m"), SIGKILL), 0);
  EXPECT_EQ(wait("m").state, ChildState::unknown);
  EXPECT_TRUE(eventually([&] { return !alive(child); }));
}

}  // namespace
}  // namespace belay
