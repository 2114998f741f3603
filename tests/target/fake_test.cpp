// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/target_contract.hpp"
#include "tests/fake/fake_target.hpp"

namespace belay::contract {
namespace {

class Fake final : public TargetSubject {
 public:
  explicit Fake(bool behind_proxy) : fake_(behind_proxy) {}
  target::Target& target() override { return fake_; }
  target::Artifact good() override { return {.source = "/nowhere", .build = "true", .run = "run"}; }
  target::Artifact broken() override {
    return {.source = "/nowhere", .build = "false", .run = "run"};
  }
  void reboot() override { fake_.reboot(); }

 private:
  fake::FakeTarget fake_;
};

std::unique_ptr<TargetSubject> fake_host() {
  return std::make_unique<Fake>(true);
}
std::unique_ptr<TargetSubject> fake_command() {
  return std::make_unique<Fake>(false);
}

INSTANTIATE_TEST_SUITE_P(FakeHost, TargetContract, testing::Values(&fake_host));
INSTANTIATE_TEST_SUITE_P(FakeHost, BuildContract, testing::Values(&fake_host));
INSTANTIATE_TEST_SUITE_P(FakeHost, HostContract, testing::Values(&fake_host));
INSTANTIATE_TEST_SUITE_P(FakeCommand, CommandContract, testing::Values(&fake_command));
INSTANTIATE_TEST_SUITE_P(FakeCommand, TargetContract, testing::Values(&fake_command));
INSTANTIATE_TEST_SUITE_P(FakeCommand, BuildContract, testing::Values(&fake_command));

TEST(FakeTarget, ALostReplyIsDoneAndSaysUnknown) {
  fake::FakeTarget target;
  target.faults.on("prepare", fake::Trouble::lose_reply);
  const Status done = target.prepare({"shop", "r1"}, {}, "k", {}, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().effect, Effect::unknown);
  EXPECT_EQ(target.status({"shop", "r1"})->phase, target::Phase::prepared);
}

TEST(FakeTarget, ALieSaysYesAndDoesNothing) {
  fake::FakeTarget target;
  target.faults.on("prepare", fake::Trouble::lie, 2);
  ASSERT_TRUE(target.prepare({"shop", "r1"}, {}, "k", {}, {}));
  ASSERT_TRUE(target.prepare({"shop", "r2"}, {}, "k", {}, {}));
  EXPECT_EQ(target.status({"shop", "r2"})->phase, target::Phase::absent);
}

TEST(FakeTarget, AHangEndsWithTheStopToken) {
  fake::FakeTarget target;
  target.faults.on("activate", fake::Trouble::hang);
  std::stop_source source;
  source.request_stop();
  const Status done = target.activate({"shop", "r1"}, {}, "k", {}, source.get_token());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().fault, Fault::cancelled);
}

}  // namespace
}  // namespace belay::contract
