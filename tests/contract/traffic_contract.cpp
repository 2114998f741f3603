// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/traffic_contract.hpp"

namespace belay::contract {

TEST_P(TrafficContract, ANewRouteSendsNobodyAnywhere) {
  install();
  const auto state = look("shop");
  EXPECT_FALSE(state.active);
  EXPECT_TRUE(state.draining.empty());
  EXPECT_FALSE(state.held);
}

TEST_P(TrafficContract, AServiceWithoutARouteIsMissing) {
  install();
  const auto state = traffic().look("nobody");
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().fault, Fault::missing);
  const Status shifted = traffic().shift("nobody", backend("r1", 0));
  ASSERT_FALSE(shifted);
  EXPECT_EQ(shifted.error().fault, Fault::missing);
  EXPECT_FALSE(traffic().hold({"nobody"}, soon, soon, {}));
}

TEST_P(TrafficContract, AfterAShiftTheNewVersionIsActive) {
  install();
  const Status shifted = traffic().shift("shop", backend("r1", 0));
  ASSERT_TRUE(shifted) << shifted.error().message();
  EXPECT_EQ(look("shop").active, backend("r1", 0));
  EXPECT_FALSE(look("api").active) << "the other route is touched by nobody";
}

TEST_P(TrafficContract, ShiftingTwiceIsFine) {
  install();
  ASSERT_TRUE(traffic().shift("shop", backend("r1", 0)));
  ASSERT_TRUE(traffic().shift("shop", backend("r1", 0)));
  EXPECT_EQ(look("shop").active, backend("r1", 0));
}

TEST_P(TrafficContract, ShiftsThereAndBackManyTimes) {
  install();
  for (int round = 0; round < 12; ++round) {
    const auto to = backend(round % 2 == 0 ? "r1" : "r2", round % 2);
    const Status shifted = traffic().shift("shop", to);
    ASSERT_TRUE(shifted) << shifted.error().message();
    ASSERT_EQ(look("shop").active, to);
  }
}

TEST_P(TrafficContract, AReleaseThatCameBackUnderAnotherPortIsFollowed) {
  install();
  ASSERT_TRUE(traffic().shift("shop", backend("r1", 0)));
  ASSERT_TRUE(traffic().shift("shop", backend("r1", 1)));
  EXPECT_EQ(look("shop").active, backend("r1", 1));
}

TEST_P(TrafficContract, MoreReleasesThanSlotsPassThrough) {
  install();
  for (int n = 0; n < 9; ++n) {
    const auto to = backend("r" + std::to_string(n), n % 2);
    const Status shifted = traffic().shift("shop", to);
    ASSERT_TRUE(shifted) << shifted.error().message();
    ASSERT_EQ(look("shop").active, to);
  }
}

TEST_P(TrafficContract, AShiftWithoutAPortIsInvalid) {
  install();
  const Status shifted = traffic().shift("shop", {"r1", 0});
  ASSERT_FALSE(shifted);
  EXPECT_EQ(shifted.error().fault, Fault::invalid);
}

TEST_P(TrafficContract, ClearedMeansNobodyIsActive) {
  install();
  ASSERT_TRUE(traffic().shift("shop", backend("r1", 0)));
  ASSERT_TRUE(traffic().clear("shop"));
  EXPECT_FALSE(look("shop").active);
  EXPECT_TRUE(traffic().clear("shop"));
}

TEST_P(TrafficContract, DrainingWithNothingInFlightReturns) {
  install();
  ASSERT_TRUE(traffic().shift("shop", backend("r1", 0)));
  ASSERT_TRUE(traffic().shift("shop", backend("r2", 1)));
  const Status drained = traffic().drain("shop", "r1", soon, {});
  EXPECT_TRUE(drained) << drained.error().message();
  EXPECT_TRUE(traffic().drain("shop", "never-heard-of", soon, {}));
}

TEST_P(TrafficContract, TheFenceStandsUntilItIsLifted) {
  install();
  ASSERT_TRUE(traffic().shift("shop", backend("r1", 0)));
  const Status held = traffic().hold({"shop"}, soon, soon, {});
  ASSERT_TRUE(held) << held.error().message();
  EXPECT_TRUE(look("shop").held);
  EXPECT_FALSE(look("api").held);
  EXPECT_TRUE(traffic().hold({"shop"}, soon, soon, {}));
  ASSERT_TRUE(traffic().lift({"shop"}));
  EXPECT_FALSE(look("shop").held);
  EXPECT_TRUE(traffic().lift({"shop"}));
}

TEST_P(TrafficContract, VersionsAreShiftedBehindTheFence) {
  install();
  ASSERT_TRUE(traffic().shift("shop", backend("r2", 1)));
  ASSERT_TRUE(traffic().hold({"shop"}, soon, soon, {}));
  ASSERT_TRUE(traffic().shift("shop", backend("r1", 0)));
  EXPECT_TRUE(look("shop").held);
  EXPECT_EQ(look("shop").active, backend("r1", 0));
  ASSERT_TRUE(traffic().lift({"shop"}));
}

TEST_P(TrafficContract, InstallingTheSameAgainKeepsTheActiveVersion) {
  install();
  ASSERT_TRUE(traffic().shift("shop", backend("r1", 0)));
  install();
  EXPECT_EQ(look("shop").active, backend("r1", 0));
}

TEST_P(TrafficContract, AChangedRouteKeepsTheActiveVersionsOfAll) {
  install();
  ASSERT_TRUE(traffic().shift("shop", backend("r1", 0)));
  const Status done = traffic().install({{"shop", subject_->listen(0)}});
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(look("shop").active, backend("r1", 0));
  EXPECT_FALSE(traffic().look("api"));
}

TEST_P(TrafficContract, ATakenAddressIsAConflictAndNothingChanges) {
  install();
  ASSERT_TRUE(traffic().shift("shop", backend("r1", 0)));
  const std::string taken = subject_->take();
  const Status done = traffic().install({{"shop", taken}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().fault, Fault::conflict);
  EXPECT_NE(done.error().message().find(taken), std::string::npos) << done.error().message();
  EXPECT_EQ(look("shop").active, backend("r1", 0));
}

TEST_P(TrafficContract, TheActiveVersionAndTheFenceSurviveARestart) {
  install();
  ASSERT_TRUE(traffic().shift("shop", backend("r1", 0)));
  ASSERT_TRUE(traffic().shift("shop", backend("r2", 1)));
  ASSERT_TRUE(traffic().shift("api", backend("r7", 0)));
  ASSERT_TRUE(traffic().hold({"api"}, soon, soon, {}));
  subject_->restart();
  EXPECT_EQ(look("shop").active, backend("r2", 1));
  EXPECT_EQ(look("api").active, backend("r7", 0));
  EXPECT_TRUE(look("api").held);
  EXPECT_FALSE(look("shop").held);
}

TEST_P(TrafficContract, ShutDownAndInstalledAgainItIsAsBefore) {
  install();
  ASSERT_TRUE(traffic().shift("shop", backend("r1", 0)));
  ASSERT_TRUE(traffic().shut_down());
  EXPECT_TRUE(traffic().shut_down());
  install();
  EXPECT_EQ(look("shop").active, backend("r1", 0));
}

}  // namespace belay::contract
