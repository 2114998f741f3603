// SPDX-License-Identifier: Apache-2.0
// Who drives a run, on which machine: never two that both think so for longer than a step.
#include "app/run_lease.hpp"

#include <gtest/gtest.h>

#include "app/shared_journal.hpp"
#include "tests/fake/fake_storage.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/fake_world.hpp"

namespace belay::app {
namespace {

using namespace std::chrono_literals;

class RunLeaseTest : public ::testing::Test {
 protected:
  RunLease of(const std::string& machine) {
    return {store_, clock_, "7", {"process 1 on " + machine, machine}};
  }
  static bool renewed(RunLease& lease) {
    const auto ours = lease.renew();
    return ours && *ours;
  }

  fake::FakeStorage store_;
  FakeClock clock_;
};

TEST_F(RunLeaseTest, WhatOneMachineDrivesIsBusyForTheOthersUntilItIsReleased) {
  auto amber = of("amber"), birch = of("birch");
  EXPECT_TRUE(birch.is_free());
  ASSERT_TRUE(amber.take());
  EXPECT_FALSE(birch.is_free());
  const Status busy = birch.take();
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().fault, Fault::busy);
  EXPECT_NE(busy.error().text.find("process 1 on amber"), std::string::npos);
  EXPECT_EQ(clock_.slept(), 0ms) << "who was heard of just now is not watched";
  clock_.advance(15s);
  EXPECT_TRUE(renewed(amber));
  amber.release();
  EXPECT_TRUE(birch.is_free());
  EXPECT_TRUE(birch.take());
  EXPECT_EQ(clock_.slept(), 0ms);
}

TEST_F(RunLeaseTest, AHolderThatDiedIsWatchedAndThenFollowed) {
  auto amber = of("amber"), birch = of("birch");
  ASSERT_TRUE(amber.take());
  clock_.advance(61s);
  EXPECT_TRUE(birch.is_free());
  ASSERT_TRUE(birch.take());
  EXPECT_GE(clock_.slept(), 30s);
  EXPECT_FALSE(renewed(amber)) << "it was not dead: now it knows that it is not the holder";
  EXPECT_TRUE(renewed(birch));
}

TEST_F(RunLeaseTest, AClockThatIsWrongTakesNothingFromAHolderThatLives) {
  auto amber = of("amber"), birch = of("birch");
  for (const auto jump : {1h, -2h}) {
    ASSERT_TRUE(amber.take());
    clock_.jump(jump);
    clock_.on_sleep([&](Millis) { EXPECT_TRUE(renewed(amber)); });
    const Status busy = birch.take();
    ASSERT_FALSE(busy);
    EXPECT_EQ(busy.error().fault, Fault::busy);
    clock_.on_sleep({});
    EXPECT_TRUE(renewed(amber));
    amber.release();
  }
}

TEST_F(RunLeaseTest, OfTwoThatFollowADeadOneOneHasTheRun) {
  auto amber = of("amber"), birch = of("birch"), cedar = of("cedar");
  ASSERT_TRUE(amber.take());
  clock_.advance(2min);
  bool second = false;
  clock_.on_sleep([&](Millis) {
    if (std::exchange(second, true)) return;
    EXPECT_TRUE(cedar.take());
  });
  EXPECT_EQ(birch.take().error().fault, Fault::busy);
  EXPECT_TRUE(renewed(cedar));
}

TEST_F(RunLeaseTest, WhoSleptThroughEverythingFindsOutAtItsNextRenewal) {
  auto amber = of("amber"), birch = of("birch");
  ASSERT_TRUE(amber.take());
  clock_.advance(2min);
  ASSERT_TRUE(birch.take());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(renewed(birch));
  EXPECT_FALSE(renewed(amber)) << "its next number was used and removed";
  EXPECT_TRUE(renewed(birch)) << "and what it wrote harms nobody";
  birch.release();
  EXPECT_FALSE(renewed(amber));
  EXPECT_TRUE(of("cedar").is_free());
}

TEST_F(RunLeaseTest, AProcessOfThisMachineIsNotWaitedFor) {
  auto dead = of("amber"), next = of("amber");
  ASSERT_TRUE(dead.take());
  EXPECT_TRUE(next.is_free());
  EXPECT_TRUE(next.take()) << "the lock on a file has told already";
  EXPECT_EQ(clock_.slept(), 0ms);
}

TEST_F(RunLeaseTest, AStoreThatDoesNotAnswerFreesNothing) {
  auto amber = of("amber");
  store_.die_at(1);
  EXPECT_FALSE(amber.is_free());
  EXPECT_EQ(amber.take().error().fault, Fault::unreachable);
  store_.revive();
  ASSERT_TRUE(amber.take());
  store_.die_at(1);
  const auto unknown = amber.renew();
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().fault, Fault::unreachable);
  store_.revive();
  EXPECT_TRUE(renewed(amber)) << "no harm done";
}

TEST_F(RunLeaseTest, FewEntriesStayBehind) {
  auto amber = of("amber");
  ASSERT_TRUE(amber.take());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(renewed(amber));
  EXPECT_EQ(store_.names("claims/7/").size(), 1U);
  amber.release();
  EXPECT_EQ(store_.names("claims/7/").size(), 1U);
}

TEST_F(RunLeaseTest, WhatAnotherProgramPutThereIsRefused) {
  ASSERT_TRUE(store_.put("claims/7/00000003", "nonsense"));
  EXPECT_EQ(of("amber").take().error().fault, Fault::corrupt);
  EXPECT_FALSE(of("amber").is_free());
  store_.drop("claims/7/00000003");
  ASSERT_TRUE(store_.put("claims/7/x", "{}"));
  EXPECT_EQ(of("amber").take().error().fault, Fault::corrupt);
}

class AnyClaim final : public engine::Claims {
 public:
  Result<std::unique_ptr<engine::Claim>> claim(const std::string&) override {
    return std::make_unique<engine::Claim>();
  }
  std::string whoami() const override { return "a test"; }
};

// With real time: the lease is renewed by a thread.
class SharedClaims : public ::testing::Test {
 protected:
  SharedClaims() { times_.renew = 5ms; }
  std::unique_ptr<engine::Claims> on_amber() {
    return make_shared_claims(std::make_unique<AnyClaim>(), store_, world_, "amber", times_);
  }

  fake::FakeStorage store_;
  LeaseTimes times_;

 private:
  SystemClock clock_;
  SystemRandom random_;
  ThreadExecutor executor_;
  FakeChildren children_;
  World world_{clock_, random_, executor_, children_};
};

TEST_F(SharedClaims, AClaimWhoseLeaseWasTakenSaysSoToItsRun) {
  const auto claims = on_amber();
  const auto claim = claims->claim("7").value();
  EXPECT_FALSE(claims->claim("8").value()->lost().stop_requested());
  EXPECT_EQ(claims->machine(), "amber");
  EXPECT_FALSE(claim->lost().stop_requested());
  ASSERT_TRUE(store_.put("claims/7/09999999", "somebody else's"));
  EXPECT_TRUE(eventually([&] { return claim->lost().stop_requested(); }));
}

TEST_F(SharedClaims, AClaimThatCannotBeRenewedIsGivenUp) {
  times_.lost_after = 50ms;
  const auto claims = on_amber();
  const auto claim = claims->claim("7").value();
  store_.die_at(1);
  EXPECT_TRUE(eventually([&] { return claim->lost().stop_requested(); }));
}

}  // namespace
}  // namespace belay::app
