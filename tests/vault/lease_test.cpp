// SPDX-License-Identifier: Apache-2.0
// Writers and prune keep clear of the living, and wait for nobody who is dead.
#include "vault/lease.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/storage.hpp"
#include "tests/vault/support.hpp"
#include "vault/prune.hpp"

namespace belay::vault {
namespace {

class LeaseTest : public ::testing::Test {
 protected:
  // A process that has put a lease and then does nothing.
  pid_t holder_of(const std::string& kind) {
    int ready[2];
    EXPECT_EQ(::pipe(ready), 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
      const bool put = put_lease(*store_, kind, clock_, random_).ok();
      if (put && ::write(ready[1], "1", 1) == 1) ::pause();
      ::_exit(1);
    }
    ::close(ready[1]);
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
    return pid;
  }
  static void end(pid_t pid) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  std::size_t leases() { return store_->list("leases/")->size(); }
  std::uint64_t pruned() {
    const Mark nothing = [] { return std::unordered_set<std::string>(); };
    return prune_blocks(*store_, clock_, random_, nothing)->bytes;
  }

  ScratchFolder scratch_ = ScratchFolder::make("lease-test").value();
  std::unique_ptr<storage::Storage> store_ = storage::make_local(scratch_.path());
  HandClock clock_;
  SeededRandom random_{1};
};

TEST_F(LeaseTest, AWriterDoesNotWaitForAPruneThatWasKilled) {
  end(holder_of("prune"));
  WriterLease lease(*store_, clock_, random_);
  ASSERT_TRUE(lease.ensure().ok());
  EXPECT_EQ(clock_.steady(), Millis(0));
  EXPECT_EQ(leases(), 1u);  // its own; the dead one's is gone
}

TEST_F(LeaseTest, AWriterWaitsForAPruneThatLives) {
  const pid_t pruning = holder_of("prune");
  clock_.on_sleep = [&, over = false]() mutable {
    if (!over && clock_.steady() > std::chrono::minutes(1)) {
      over = true;
      end(pruning);
    }
  };
  WriterLease lease(*store_, clock_, random_);
  ASSERT_TRUE(lease.ensure().ok());
  EXPECT_GT(clock_.steady(), std::chrono::minutes(1));
  EXPECT_LT(clock_.steady(), std::chrono::minutes(2));
}

TEST_F(LeaseTest, PruneFreesNothingWhileAWriterLivesAndAllWhenItIsDead) {
  const pid_t writing = holder_of("write");
  ASSERT_TRUE(store_->put("blocks/ab/abcd", "four"));
  EXPECT_EQ(pruned(), 0u);
  end(writing);
  EXPECT_EQ(pruned(), 4u);
  EXPECT_EQ(leases(), 0u);
}

TEST_F(LeaseTest, LeasesOfOtherMachinesHoldUntilTheyRunOut) {
  const auto until = (clock_.now() + lease_time).time_since_epoch().count();
  ASSERT_TRUE(store_->put(fmt::format("leases/prune-{}-aa", until), "another pid:[1] 1 1"));
  ASSERT_TRUE(store_->put(fmt::format("leases/prune-{}-bb", until), ""));
  WriterLease lease(*store_, clock_, random_);
  ASSERT_TRUE(lease.ensure().ok());
  EXPECT_GE(clock_.steady(), lease_time);
}

}  // namespace
}  // namespace belay::vault
