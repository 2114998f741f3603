// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/target_contract.hpp"

namespace belay::contract {

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

TEST_P(TargetContract, AVersionIsNeverTakenForOneOfAnotherCommit) {
  auto artifact = subject_->good();
  artifact.commit = "one";
  ASSERT_TRUE(target().prepare(v1, artifact, "k1", {}, {}));
  EXPECT_TRUE(target().prepare(v1, artifact, "k2", {}, {}));
  artifact = subject_->good();
  artifact.commit = "two";
  const Status other = target().prepare(v1, artifact, "k3", {}, {});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().fault, Fault::conflict) << other.error().message();
  EXPECT_EQ(status(v1).phase, target::Phase::prepared);
}

TEST_P(BuildContract, AFailedBuildIsAnErrorAndLeavesNoVersion) {
  const Status done = target().prepare(v1, subject_->broken(), "k1", {}, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().fault, Fault::refused) << done.error().message();
  EXPECT_EQ(done.error().effect, Effect::none);
  EXPECT_EQ(status(v1).phase, target::Phase::absent);
  EXPECT_TRUE(target().versions("shop")->empty());
}

TEST_P(BuildContract, AVersionCanBePreparedAfterItsBuildFailed) {
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
