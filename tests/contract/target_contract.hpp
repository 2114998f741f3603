// SPDX-License-Identifier: Apache-2.0
// What every Target promises. The tests are in the .cpp beside it; a provider's test instantiates
// them:
//   INSTANTIATE_TEST_SUITE_P(Host, TargetContract, testing::Values(&make_host_subject));
// and likewise BuildContract, HostContract or CommandContract.
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

class TargetContract : public ::testing::TestWithParam<MakeTarget> {
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

// Targets that build before anything is live.
class BuildContract : public TargetContract {};
// Targets that run the versions themselves, beside each other.
class HostContract : public TargetContract {};
// Targets where the user's own programs say what is live.
class CommandContract : public TargetContract {};

}  // namespace belay::contract
