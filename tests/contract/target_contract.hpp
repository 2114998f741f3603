// SPDX-License-Identifier: Apache-2.0
// What every Target promises. A provider's test includes this once and instantiates it:
//   INSTANTIATE_TEST_SUITE_P(Host, TargetContract, testing::Values(&make_host_subject));
// and likewise HostContract or CommandContract.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "target/target.hpp"

namespace belay::contract {

// A target on loopback with a service "shop" that can be built and started.
class TargetSubject {
 public:
  virtual ~TargetSubject() = default;
  virtual target::Target& target() = 0;
  virtual target::Artifact good() = 0;    // a fresh copy each time
  virtual target::Artifact broken() = 0;  // its build fails
  virtual Environment env() { return {}; }
  virtual void reboot() {}  // everything it started dies; revive() is next
};
using MakeTarget = std::unique_ptr<TargetSubject> (*)();

class TargetContract : public testing::TestWithParam<MakeTarget> {
 protected:
  void SetUp() override { subject_ = GetParam()(); }
  target::Target& target() { return subject_->target(); }
  Status prepare(const target::Version& version, const std::string& key) {
    return target().prepare(version, subject_->good(), key, {}, {});
  }
  target::VersionStatus status(const target::Version& version) {
    auto found = target().status(version);
    EXPECT_TRUE(found) << (found ? "" : found.error().message());
    return found ? *found : target::VersionStatus{};
  }
  target::Phase settled(const target::Version& version) {
    SystemClock clock;
    const Millis end = clock.steady() + std::chrono::seconds(20);
    target::Phase phase = status(version).phase;
    while (phase == target::Phase::starting && clock.steady() < end) {
      clock.sleep(Millis(10), {});
      phase = status(version).phase;
    }
    return phase;
  }
  std::unique_ptr<TargetSubject> subject_;
  const target::Version v1{"shop", "r1"};
  const target::Version v2{"shop", "r2"};
};

// Targets that run the versions themselves, beside each other.
class HostContract : public TargetContract {};
// Targets where the user's own programs say what is live.
class CommandContract : public TargetContract {};

TEST_P(TargetContract, AVersionNeverPreparedIsAbsent) {
  EXPECT_EQ(status(v1).phase, target::Phase::absent);
  EXPECT_TRUE(target().versions("shop")->empty());
}

TEST_P(TargetContract, APreparedVersionIsThereAndDoesNotRun) {
  const Status done = prepare(v1, "k1");
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(status(v1).phase, target::Phase::prepared);
  ASSERT_EQ(target().versions("shop")->size(), 1u);
  EXPECT_EQ((*target().versions("shop"))[0].release, "r1");
}

TEST_P(TargetContract, PreparingTwiceIsFine) {
  ASSERT_TRUE(prepare(v1, "k1"));
  const Status again = prepare(v1, "k1");
  EXPECT_TRUE(again) << again.error().message();
  EXPECT_EQ(target().versions("shop")->size(), 1u);
}

TEST_P(TargetContract, AFailedBuildIsAnErrorAndLeavesNoVersion) {
  const Status done = target().prepare(v1, subject_->broken(), "k1", {}, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().fault, Fault::refused) << done.error().message();
  EXPECT_EQ(done.error().effect, Effect::none);
  EXPECT_EQ(status(v1).phase, target::Phase::absent);
  EXPECT_TRUE(target().versions("shop")->empty());
}

TEST_P(TargetContract, AVersionCanBePreparedAfterItsBuildFailed) {
  ASSERT_FALSE(target().prepare(v1, subject_->broken(), "k1", {}, {}));
  const Status again = prepare(v1, "k2");
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(status(v1).phase, target::Phase::prepared);
}

TEST_P(HostContract, StartingWhatWasNeverPreparedIsMissing) {
  const auto started = target().start(v1, subject_->env(), {});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().fault, Fault::missing);
}

TEST_P(HostContract, AStartedVersionRunsAndStartingAgainSaysTheSame) {
  ASSERT_TRUE(prepare(v1, "k1"));
  const auto first = target().start(v1, subject_->env(), {});
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(settled(v1), target::Phase::running);
  const auto second = target().start(v1, subject_->env(), {});
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_NE(first->port, 0);
  EXPECT_EQ(first->port, second->port);
  EXPECT_EQ(status(v1).port, first->port);
}

TEST_P(HostContract, TwoVersionsStandBesideEachOther) {
  ASSERT_TRUE(prepare(v1, "k1"));
  ASSERT_TRUE(prepare(v2, "k2"));
  const auto one = target().start(v1, subject_->env(), {});
  const auto two = target().start(v2, subject_->env(), {});
  ASSERT_TRUE(one && two);
  EXPECT_NE(one->port, two->port);
  EXPECT_EQ(settled(v1), target::Phase::running);
  EXPECT_EQ(settled(v2), target::Phase::running);
}

TEST_P(HostContract, AStoppedVersionStaysPreparedAndStartsAgain) {
  ASSERT_TRUE(prepare(v1, "k1"));
  ASSERT_TRUE(target().start(v1, subject_->env(), {}));
  EXPECT_EQ(settled(v1), target::Phase::running);
  const Status stopped = target().stop(v1, std::chrono::seconds(5));
  ASSERT_TRUE(stopped) << stopped.error().message();
  EXPECT_EQ(status(v1).phase, target::Phase::prepared);
  EXPECT_TRUE(target().stop(v1, std::chrono::seconds(5)));
  const auto again = target().start(v1, subject_->env(), {});
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(settled(v1), target::Phase::running);
}

TEST_P(HostContract, ARunningVersionComesBackAfterAReboot) {
  ASSERT_TRUE(prepare(v1, "k1"));
  ASSERT_TRUE(prepare(v2, "k2"));
  const auto one = target().start(v1, subject_->env(), {});
  ASSERT_TRUE(one);
  ASSERT_TRUE(target().start(v2, subject_->env(), {}));
  ASSERT_TRUE(target().stop(v2, std::chrono::seconds(5)));
  subject_->reboot();
  const Status revived = target().revive();
  ASSERT_TRUE(revived) << revived.error().message();
  EXPECT_EQ(settled(v1), target::Phase::running);
  EXPECT_EQ(status(v1).port, one->port);
  EXPECT_EQ(status(v2).phase, target::Phase::prepared);
}

TEST_P(CommandContract, ActivatingAndGoingBackSayWhatIsLive) {
  ASSERT_TRUE(prepare(v1, "k1"));
  ASSERT_TRUE(prepare(v2, "k2"));
  ASSERT_TRUE(target().start(v1, subject_->env(), {}));
  ASSERT_TRUE(target().start(v2, subject_->env(), {}));
  const Status first = target().activate(v1, subject_->env(), "a1", {}, {});
  ASSERT_TRUE(first) << first.error().message();
  ASSERT_TRUE(target().activate(v2, subject_->env(), "a2", {}, {}));
  EXPECT_TRUE(status(v2).live);
  EXPECT_FALSE(status(v1).live);
  const Status back = target().go_back(v1, subject_->env(), "b1", {}, {});
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_TRUE(status(v1).live);
  EXPECT_FALSE(status(v2).live);
}

TEST_P(TargetContract, ARemovedVersionIsGoneAndRemovingTwiceIsFine) {
  ASSERT_TRUE(prepare(v1, "k1"));
  ASSERT_TRUE(target().start(v1, subject_->env(), {}));
  const Status removed = target().remove(v1);
  ASSERT_TRUE(removed) << removed.error().message();
  EXPECT_EQ(status(v1).phase, target::Phase::absent);
  EXPECT_TRUE(target().versions("shop")->empty());
  EXPECT_TRUE(target().remove(v1));
}

TEST_P(TargetContract, VersionsAreThoseOfTheServiceOnly) {
  ASSERT_TRUE(prepare(v1, "k1"));
  ASSERT_TRUE(prepare({"mail", "r1"}, "k2"));
  ASSERT_EQ(target().versions("mail")->size(), 1u);
  EXPECT_EQ((*target().versions("mail"))[0].service, "mail");
  EXPECT_TRUE(target().versions("nobody")->empty());
}

}  // namespace belay::contract
