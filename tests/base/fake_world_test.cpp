// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_world.hpp"

#include <gtest/gtest.h>

namespace belay {
namespace {

using namespace std::chrono_literals;

TEST(FakeClock, ASleepTakesNoTimeAndMovesBothClocks) {
  FakeClock clock;
  const TimePoint before = clock.now();
  EXPECT_TRUE(clock.sleep(72h, {}));
  EXPECT_EQ(clock.now() - before, 72h);
  EXPECT_EQ(clock.steady(), 72h);
  clock.jump(-1h);
  EXPECT_EQ(clock.now() - before, 71h);
  EXPECT_EQ(clock.steady(), 72h);
}

TEST(FakeClock, AStoppedSleepDoesNotMoveTheClock) {
  FakeClock clock;
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(clock.sleep(1h, stop.get_token()));
  EXPECT_EQ(clock.steady(), 0ms);
}

TEST(SeededRandom, TheSameSeedGivesTheSameNumbers) {
  SeededRandom a(7), b(7), c(8);
  EXPECT_EQ(a.next(), b.next());
  EXPECT_NE(a.next(), c.next());
  EXPECT_EQ(a.hex(3).size(), 6U);
}

TEST(SerialExecutor, RunsAllInOneThread) {
  SerialExecutor executor;
  std::string order;
  executor.run_all({[&] { order += "a"; }, [&] { order += "b"; }});
  EXPECT_EQ(order, "ab");
}

TEST(FakeChildren, BehavesAsTheRealOnes) {
  FakeChildren children;
  children.script("migrate", 3, "said\n");
  ChildSpec spec;
  spec.key = "7-migrate";
  ASSERT_TRUE(children.start(spec));
  EXPECT_EQ(children.start(spec).error().fault, Fault::conflict);
  EXPECT_EQ(children.look(spec.key)->state, ChildState::running);
  std::string said;
  EXPECT_EQ(children.wait(spec.key, [&](std::string_view text) { said += text; }, {})->status, 3);
  EXPECT_EQ(said, "said\n");
  ASSERT_TRUE(children.forget(spec.key));
  EXPECT_EQ(children.look(spec.key)->state, ChildState::absent);
  ASSERT_TRUE(children.start(spec));
  children.lose_all_running();
  EXPECT_EQ(children.wait(spec.key, {}, {})->state, ChildState::unknown);
  EXPECT_EQ(children.starts(spec.key), 2);
}

}  // namespace
}  // namespace belay
