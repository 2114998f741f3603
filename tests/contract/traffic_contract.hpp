// SPDX-License-Identifier: Apache-2.0
// What every Traffic promises. The tests are in the .cpp beside it; a provider's test instantiates
// them.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "traffic/traffic.hpp"

namespace belay::contract {

class TrafficSubject {
 public:
  virtual ~TrafficSubject() = default;
  virtual traffic::Traffic& traffic() = 0;
  virtual std::string listen(int which) = 0;  // free addresses, numbered from 0
  virtual std::uint16_t port(int which) = 0;  // ports of servers that answer
  virtual std::string take() = 0;             // an address that somebody else listens on
  virtual void restart() = 0;                 // the proxy dies; it comes back by itself
};
using MakeTraffic = std::unique_ptr<TrafficSubject> (*)();

class TrafficContract : public ::testing::TestWithParam<MakeTraffic> {
 protected:
  void SetUp() override { subject_ = GetParam()(); }
  void TearDown() override {
    if (!subject_) return;
    EXPECT_TRUE(traffic().shut_down());
  }
  traffic::Traffic& traffic() { return subject_->traffic(); }
  void install() {
    const Status done =
        traffic().install({{"shop", subject_->listen(0)}, {"api", subject_->listen(1)}});
    ASSERT_TRUE(done) << done.error().message();
  }
  traffic::RouteState look(const std::string& service) {
    auto state = traffic().look(service);
    EXPECT_TRUE(state) << (state ? "" : state.error().message());
    return state ? *state : traffic::RouteState{};
  }
  traffic::Backend backend(const std::string& release, int which) {
    return {release, subject_->port(which)};
  }
  static constexpr Millis soon{5000};
  std::unique_ptr<TrafficSubject> subject_;
};

}  // namespace belay::contract
