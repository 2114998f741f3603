// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/traffic_contract.hpp"
#include "tests/fake/fake_traffic.hpp"

namespace belay::contract {
namespace {

class Fake final : public TrafficSubject {
 public:
  traffic::Traffic& traffic() override { return fake_; }
  std::string listen(int which) override { return "127.0.0.1:" + std::to_string(8000 + which); }
  std::uint16_t port(int which) override { return static_cast<std::uint16_t>(20000 + which); }
  std::string take() override {
    fake_.take("127.0.0.1:9999");
    return "127.0.0.1:9999";
  }
  void restart() override { fake_.restart(); }

 private:
  SystemClock clock_;
  fake::FakeTraffic fake_{clock_};
};

std::unique_ptr<TrafficSubject> fake_proxy() {
  return std::make_unique<Fake>();
}
INSTANTIATE_TEST_SUITE_P(Fake, TrafficContract, testing::Values(&fake_proxy));

TEST(FakeTraffic, HoldingWithRequestsInFlightTimesOutAndIsTakenBack) {
  SystemClock clock;
  fake::FakeTraffic traffic(clock);
  ASSERT_TRUE(traffic.install({{"shop", "127.0.0.1:8000"}}));
  ASSERT_TRUE(traffic.shift("shop", {"r1", 20000}));
  traffic.set_in_flight("shop", "r1", 3);
  const Status held = traffic.hold({"shop"}, Millis(100), Millis(20), {});
  ASSERT_FALSE(held);
  EXPECT_EQ(held.error().fault, Fault::timeout);
  EXPECT_FALSE(traffic.look("shop")->held);
}

}  // namespace
}  // namespace belay::contract
