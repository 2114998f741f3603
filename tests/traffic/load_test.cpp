// SPDX-License-Identifier: Apache-2.0
// What customers notice: nothing. Counted by the customers themselves, who never send twice.
#include <thread>

#include "tests/support/eventually.hpp"
#include "tests/support/http_load.hpp"
#include "tests/traffic/haproxy_subject.hpp"

namespace belay::contract {
namespace {

using load::HttpLoad;

class UnderLoad : public ::testing::Test {
 protected:
  void SetUp() override {
    const Status done = traffic().install({{"shop", subject.listen(0)}});
    ASSERT_TRUE(done) << done.error().message();
    ASSERT_TRUE(shift("r1", blue));
  }
  traffic::Traffic& traffic() { return subject.traffic(); }
  Status shift(const std::string& release, const WebServer& server) {
    return traffic().shift("shop", {release, server.port()});
  }
  load::LoadPlan customers(bool keep_alive, int clients = 12) {
    load::LoadPlan plan;
    plan.port = subject.listen_port(0);
    plan.keep_alive = keep_alive;
    plan.clients = clients;
    return plan;
  }
  // Only when the customers have got so many more answers: the load decides the pace.
  bool served_more(const HttpLoad& crowd, std::uint64_t count) {
    const auto before = crowd.so_far().all();
    return eventually([&] { return crowd.so_far().all() >= before + count; });
  }
  HaproxySubject subject;
  WebServer blue{"r1"}, green{"r2"};
};

TEST_F(UnderLoad, TwentySwitchesThereAndBackFailNoRequest) {
  HttpLoad keeping(customers(true)), closing(customers(false));
  for (int n = 0; n < 20; ++n) {
    ASSERT_TRUE(served_more(keeping, 25));
    const Status there = n % 2 == 0 ? shift("r2", green) : shift("r1", blue);
    ASSERT_TRUE(there) << there.error().message();
    const Status drained =
        traffic().drain("shop", n % 2 == 0 ? "r1" : "r2", std::chrono::seconds(20), {});
    ASSERT_TRUE(drained) << drained.error().message();
  }
  for (auto* one : {&keeping, &closing}) {
    const auto result = one->stop();
    EXPECT_EQ(result.failed, 0u) << result.text();
    EXPECT_GT(result.by_release.at("r1"), 0u);
    EXPECT_GT(result.by_release.at("r2"), 0u);
  }
}

TEST_F(UnderLoad, TheOldVersionMayGoOnceItIsDrained) {
  HttpLoad crowd(customers(true, 24));
  ASSERT_TRUE(served_more(crowd, 100));
  ASSERT_TRUE(shift("r2", green));
  ASSERT_TRUE(traffic().drain("shop", "r1", std::chrono::seconds(20), {}));
  blue.end(SIGKILL);
  ASSERT_TRUE(served_more(crowd, 200));
  const auto result = crowd.stop();
  EXPECT_EQ(result.failed, 0u) << result.text();
  EXPECT_EQ(result.last_release, "r2");
}

TEST_F(UnderLoad, AHoldOfTwoSecondsFailsNoRequest) {
  HttpLoad keeping(customers(true)), closing(customers(false));
  ASSERT_TRUE(served_more(keeping, 50));
  const Status held =
      traffic().hold({"shop"}, std::chrono::seconds(25), std::chrono::seconds(10), {});
  ASSERT_TRUE(held) << held.error().message();
  EXPECT_EQ(traffic().look("shop")->in_flight, 0);
  ASSERT_TRUE(eventually([&] { return traffic().look("shop")->waiting == 24; }));
  const auto before = keeping.so_far().all() + closing.so_far().all();
  subject.clock.sleep(std::chrono::seconds(2), {});
  EXPECT_EQ(keeping.so_far().all() + closing.so_far().all(), before) << "the fence leaks";
  ASSERT_TRUE(shift("r2", green));
  ASSERT_TRUE(traffic().lift({"shop"}));
  ASSERT_TRUE(served_more(keeping, 50));
  for (auto* one : {&keeping, &closing}) {
    const auto result = one->stop();
    EXPECT_EQ(result.failed, 0u) << result.text();
    EXPECT_GE(result.slowest, Millis(2000));
  }
}

TEST_F(UnderLoad, ADeadProxyInTheMiddleOfSwitchesComesBackWithTheLastOneKept) {
  HttpLoad crowd(customers(true, 8));
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(served_more(crowd, 20));
    std::jthread killer([&] { subject.kill_all("haproxy"); });
    const bool to_green = round % 2 == 0;
    const Status shifted = to_green ? shift("r2", green) : shift("r1", blue);
    ASSERT_TRUE(shifted) << shifted.error().message();
    killer.join();
    const std::string wanted = to_green ? "200 r2 " : "200 r1 ";
    EXPECT_TRUE(eventually([&] { return subject.get(0).starts_with(wanted); }));
    EXPECT_EQ(traffic().look("shop")->active->release, to_green ? "r2" : "r1");
    for (int n = 0; n < 5; ++n) EXPECT_TRUE(subject.get(0).starts_with(wanted));
  }
}

TEST_F(UnderLoad, AReloadFailsNoRequest) {
  HttpLoad keeping(customers(true)), closing(customers(false));
  for (int n = 0; n < 4; ++n) {
    ASSERT_TRUE(served_more(keeping, 50));
    std::vector<traffic::Route> routes{{"shop", subject.listen(0)}};
    if (n % 2 == 0) routes.push_back({"api", subject.listen(1)});
    const Status done = traffic().install(routes);
    ASSERT_TRUE(done) << done.error().message();
  }
  for (auto* one : {&keeping, &closing}) {
    const auto result = one->stop();
    EXPECT_EQ(result.failed, 0u) << result.text();
  }
}

}  // namespace
}  // namespace belay::contract
