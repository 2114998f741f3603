// SPDX-License-Identifier: Apache-2.0
// The real HAProxy under the real runsv, with small web servers behind it.
#include <fstream>
#include <thread>

#include "tests/traffic/haproxy_subject.hpp"

namespace belay::contract {
namespace {

using traffic::Backend;

std::unique_ptr<TrafficSubject> proxy() {
  return std::make_unique<HaproxySubject>();
}
INSTANTIATE_TEST_SUITE_P(Haproxy, TrafficContract, testing::Values(&proxy));

class Haproxy : public ::testing::Test {
 protected:
  traffic::Traffic& traffic() { return subject.traffic(); }
  void install() {
    const Status done = traffic().install({{"shop", subject.listen(0)}});
    ASSERT_TRUE(done) << done.error().message();
  }
  void shift(const std::string& release, const WebServer& server) {
    const Status done = traffic().shift("shop", {release, server.port()});
    ASSERT_TRUE(done) << done.error().message();
  }
  HaproxySubject subject;
};

TEST_F(Haproxy, RequestsGoToTheActiveVersion) {
  WebServer blue("r1"), green("r2");
  install();
  EXPECT_TRUE(subject.get(0).starts_with("503 ")) << subject.get(0);
  shift("r1", blue);
  EXPECT_TRUE(subject.get(0).starts_with("200 r1 ")) << subject.get(0);
  shift("r2", green);
  EXPECT_TRUE(subject.get(0).starts_with("200 r2 ")) << subject.get(0);
  ASSERT_TRUE(traffic().clear("shop"));
  EXPECT_TRUE(subject.get(0).starts_with("503 ")) << subject.get(0);
}

TEST_F(Haproxy, AServiceThatNobodyServesSaysWhenToComeBack) {
  install();
  const std::string answer = subject.get(0, {"-i"});
  EXPECT_NE(answer.find("retry-after: 5"), std::string::npos) << answer;
  EXPECT_NE(answer.find("Back in a moment"), std::string::npos) << answer;
}

TEST_F(Haproxy, AVersionKeptAfterKillNineWasTheActiveOne) {
  WebServer blue("r1"), green("r2");
  install();
  shift("r1", blue);
  shift("r2", green);
  subject.kill_all("haproxy");
  EXPECT_TRUE(subject.wait_until(std::chrono::seconds(15), [&] {
    return subject.get(0).starts_with("200 r2 ");
  })) << subject.get(0);
}

TEST_F(Haproxy, AReloadKeepsTheActiveVersion) {
  WebServer blue("r1"), green("r2");
  install();
  shift("r1", blue);
  shift("r2", green);
  const Status more = traffic().install({{"shop", subject.listen(0)}, {"api", subject.listen(1)}});
  ASSERT_TRUE(more) << more.error().message();
  for (int n = 0; n < 20; ++n) EXPECT_TRUE(subject.get(0).starts_with("200 r2 "));
}

TEST_F(Haproxy, InstallingTheSameAgainReloadsNothing) {
  install();
  const auto before = subject.processes("haproxy");
  install();
  EXPECT_EQ(subject.processes("haproxy"), before);
}

TEST_F(Haproxy, AfterARebootItServesTheActiveVersion) {
  WebServer green("r2");
  install();
  shift("r2", green);
  subject.kill_all("");
  ASSERT_TRUE(
      subject.wait_until(std::chrono::seconds(10), [&] { return subject.processes("").empty(); }));
  ASSERT_TRUE(traffic().revive());
  EXPECT_TRUE(subject.wait_until(std::chrono::seconds(15), [&] {
    return subject.get(0).starts_with("200 r2 ");
  })) << subject.get(0);
}

TEST_F(Haproxy, AProxyShutDownOnPurposeStaysDown) {
  install();
  ASSERT_TRUE(traffic().shut_down());
  EXPECT_TRUE(subject.processes("haproxy").empty());
  ASSERT_TRUE(traffic().revive());
  EXPECT_TRUE(subject.processes("haproxy").empty());
}

TEST_F(Haproxy, HeldRequestsWaitAndAreThenServed) {
  WebServer blue("r1", {{"SLOW_MS", "5"}});
  install();
  shift("r1", blue);
  const Status held =
      traffic().hold({"shop"}, std::chrono::seconds(20), std::chrono::seconds(5), {});
  ASSERT_TRUE(held) << held.error().message();
  std::string answer;
  std::jthread customer([&] { answer = subject.get(0, {"-d", "some=body"}); });
  ASSERT_TRUE(subject.wait_until(std::chrono::seconds(10),
                                 [&] { return traffic().look("shop")->waiting == 1; }));
  EXPECT_EQ(traffic().look("shop")->in_flight, 0);
  ASSERT_TRUE(traffic().lift({"shop"}));
  customer.join();
  EXPECT_TRUE(answer.starts_with("200 r1 9 ")) << answer;
  EXPECT_EQ(traffic().look("shop")->waiting, 0);
}

TEST_F(Haproxy, AHoldBeyondItsLengthIs503WithRetryAfter) {
  WebServer blue("r1");
  install();
  shift("r1", blue);
  ASSERT_TRUE(traffic().hold({"shop"}, Millis(300), std::chrono::seconds(5), {}));
  const auto before = subject.clock.steady();
  const std::string answer = subject.get(0, {"-i"});
  EXPECT_GE(subject.clock.steady() - before, Millis(300));
  EXPECT_TRUE(answer.starts_with("503 ")) << answer;
  EXPECT_NE(answer.find("retry-after"), std::string::npos) << answer;
  ASSERT_TRUE(traffic().lift({"shop"}));
  EXPECT_TRUE(subject.get(0).starts_with("200 r1 "));
  EXPECT_EQ(traffic().look("shop")->counters.refused, 1u);
}

TEST_F(Haproxy, AFenceThatCannotStandInTimeIsTakenBack) {
  WebServer slow("r1", {{"SLOW_MS", "3000"}});
  install();
  shift("r1", slow);
  std::string answer;
  std::jthread customer([&] { answer = subject.get(0); });
  ASSERT_TRUE(subject.wait_until(std::chrono::seconds(10),
                                 [&] { return traffic().look("shop")->in_flight == 1; }));
  const Status held = traffic().hold({"shop"}, std::chrono::seconds(20), Millis(200), {});
  ASSERT_FALSE(held);
  EXPECT_EQ(held.error().fault, Fault::timeout);
  EXPECT_NE(held.error().message().find("1 requests"), std::string::npos) << held.error().message();
  EXPECT_FALSE(traffic().look("shop")->held);
  customer.join();
  EXPECT_TRUE(answer.starts_with("200 r1 ")) << answer;
}

TEST_F(Haproxy, AFenceByForceCutsOffWhatNeverEndsAndCountsIt) {
  WebServer hung("r1", {{"SLOW_MS", "600000"}});
  install();
  shift("r1", hung);
  std::string answer;
  std::jthread customer([&] { answer = subject.get(0); });
  ASSERT_TRUE(subject.wait_until(std::chrono::seconds(10),
                                 [&] { return traffic().look("shop")->in_flight == 1; }));
  const auto cut = traffic().hold_by_force({"shop"}, std::chrono::seconds(20), Millis(200), {});
  ASSERT_TRUE(cut) << cut.error().message();
  EXPECT_EQ(*cut, 1);
  customer.join();
  EXPECT_FALSE(answer.starts_with("200 ")) << answer;
  EXPECT_TRUE(traffic().look("shop")->held);
  EXPECT_EQ(traffic().look("shop")->in_flight, 0);
  ASSERT_TRUE(traffic().lift({"shop"}));
}

TEST_F(Haproxy, AFenceByForceCutsNothingThatEndsInTime) {
  WebServer slow("r1", {{"SLOW_MS", "300"}});
  install();
  shift("r1", slow);
  std::string answer;
  std::jthread customer([&] { answer = subject.get(0); });
  ASSERT_TRUE(subject.wait_until(std::chrono::seconds(10),
                                 [&] { return traffic().look("shop")->in_flight == 1; }));
  const auto cut =
      traffic().hold_by_force({"shop"}, std::chrono::seconds(20), std::chrono::seconds(10), {});
  customer.join();
  ASSERT_TRUE(cut) << cut.error().message();
  EXPECT_EQ(*cut, 0);
  EXPECT_TRUE(answer.starts_with("200 r1 ")) << answer;
  ASSERT_TRUE(traffic().lift({"shop"}));
}

TEST_F(Haproxy, AFenceStandsThroughARestartOfTheProxy) {
  WebServer blue("r1");
  install();
  shift("r1", blue);
  ASSERT_TRUE(traffic().hold({"shop"}, Millis(500), std::chrono::seconds(5), {}));
  subject.kill_all("haproxy");
  EXPECT_TRUE(traffic().look("shop")->held);
  EXPECT_TRUE(subject.get(0).starts_with("503 "));
  ASSERT_TRUE(traffic().lift({"shop"}));
  EXPECT_TRUE(subject.get(0).starts_with("200 r1 "));
}

TEST_F(Haproxy, DrainingCountsWhatIsLeft) {
  WebServer slow("r1", {{"SLOW_MS", "1500"}}), green("r2");
  install();
  shift("r1", slow);
  std::string answer;
  std::jthread customer([&] { answer = subject.get(0); });
  ASSERT_TRUE(subject.wait_until(std::chrono::seconds(10),
                                 [&] { return traffic().look("shop")->in_flight == 1; }));
  shift("r2", green);
  ASSERT_EQ(traffic().look("shop")->draining.size(), 1u);
  EXPECT_EQ(traffic().look("shop")->draining[0].release, "r1");
  const Status early = traffic().drain("shop", "r1", Millis(50), {});
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().fault, Fault::timeout);
  const Status drained = traffic().drain("shop", "r1", std::chrono::seconds(10), {});
  EXPECT_TRUE(drained);
  customer.join();
  EXPECT_TRUE(answer.starts_with("200 r1 ")) << answer;
  EXPECT_TRUE(traffic().look("shop")->draining.empty());
}

TEST_F(Haproxy, ATakenAddressNamesItsHolder) {
  const std::string taken = subject.take();
  const Status done = traffic().install({{"shop", taken}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().fault, Fault::conflict);
  EXPECT_NE(done.error().message().find("traffic_test"), std::string::npos)
      << done.error().message();
  EXPECT_NE(done.error().message().find(std::to_string(::getpid())), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(subject.folder() / "haproxy.cfg"));
}

TEST_F(Haproxy, AMissingCertificateIsFoundBeforeAnythingChanges) {
  WebServer blue("r1");
  install();
  shift("r1", blue);
  const Status done = traffic().install({{"shop", subject.listen(0), {}, "/nowhere/cert.pem"}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().fault, Fault::invalid);
  EXPECT_NE(done.error().message().find("/nowhere/cert.pem"), std::string::npos);
  EXPECT_TRUE(subject.get(0).starts_with("200 r1 "));
}

TEST_F(Haproxy, WhetherRoutesCanBeHadIsToldWhileItServesOn) {
  WebServer blue("r1");
  install();
  shift("r1", blue);
  const traffic::Route own{"shop", subject.listen(0)};
  const auto taken = traffic().can_install({own, {"api", subject.take()}});
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().fault, Fault::conflict);
  EXPECT_NE(taken.error().message().find("traffic_test"), std::string::npos);
  EXPECT_FALSE(traffic().can_install({own, {"api", subject.listen(1), {}, "/nowhere/cert.pem"}}));
  EXPECT_TRUE(traffic().can_install({own, {"api", subject.listen(1)}}));
  EXPECT_FALSE(traffic().look("api")) << "nothing was installed";
  EXPECT_TRUE(subject.get(0).starts_with("200 r1 "));
}

TEST_F(Haproxy, AnAddressWithACertificateServesHttps) {
  const auto pem = subject.certificate("shop.test");
  WebServer blue("r1");
  const Status done = traffic().install({{"shop", subject.listen(0), {"shop.test"}, pem.string()}});
  ASSERT_TRUE(done) << done.error().message();
  shift("r1", blue);
  const auto port = std::to_string(subject.listen_port(0));
  const auto got =
      run({.argv = {"curl", "-s", "-m", "10", "--cacert", pem.string(), "--resolve",
                    "shop.test:" + port + ":127.0.0.1", "https://shop.test:" + port + "/"}});
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->out.starts_with("r1 ")) << got->out << got->err;
  EXPECT_EQ(subject.get(0), "000 ") << "plain HTTP is not spoken there";
}

TEST_F(Haproxy, WhatOthersConfiguredForTheirProxyIsNeitherReadNorWritten) {
  const Path foreign = subject.folder().parent_path() / "etc/haproxy.cfg";
  ASSERT_TRUE(make_folder(foreign.parent_path()));
  ASSERT_TRUE(write_file(foreign, "this would break any haproxy\n"));
  WebServer blue("r1");
  install();
  shift("r1", blue);
  EXPECT_TRUE(subject.get(0).starts_with("200 r1 "));
  for (const pid_t pid : subject.processes("haproxy")) {
    const auto words = read_file("/proc/" + std::to_string(pid) + "/cmdline", 65536);
    ASSERT_TRUE(words);
    EXPECT_EQ(words->find("/etc/haproxy"), std::string::npos) << *words;
    std::error_code code;
    EXPECT_EQ(std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/cwd", code),
              std::filesystem::canonical(subject.folder()));
  }
  ASSERT_TRUE(traffic().shut_down());
  EXPECT_EQ(*read_file(foreign), "this would break any haproxy\n");
}

TEST_F(Haproxy, ServicesShareAnAddressByTheirDomains) {
  WebServer shop("shop1"), api("api1");
  const Status done = traffic().install({{"shop", subject.listen(0), {"shop.test", "*.shop.test"}},
                                         {"api", subject.listen(0), {"api.test"}}});
  ASSERT_TRUE(done) << done.error().message();
  ASSERT_TRUE(traffic().shift("shop", {"shop1", shop.port()}));
  ASSERT_TRUE(traffic().shift("api", {"api1", api.port()}));
  EXPECT_TRUE(subject.get(0, {"-H", "Host: shop.test"}).starts_with("200 shop1 "));
  EXPECT_TRUE(subject.get(0, {"-H", "Host: WWW.Shop.test:8080"}).starts_with("200 shop1 "));
  EXPECT_TRUE(subject.get(0, {"-H", "Host: api.test"}).starts_with("200 api1 "));
  EXPECT_TRUE(subject.get(0, {"-H", "Host: other.test"}).starts_with("404 "));
}

TEST_F(Haproxy, NamesThatWouldWriteConfigurationAreRefused) {
  for (const traffic::Route& route :
       std::vector<traffic::Route>{{"shop\n  bind :1", subject.listen(0)},
                                   {"shop x", subject.listen(0)},
                                   {"shop", "127.0.0.1:1\n"},
                                   {"shop", "127.0.0.1"},
                                   {"shop", "127.0.0.1:99999"},
                                   {"shop", subject.listen(0), {"a b"}},
                                   {"shop", subject.listen(0), {}, "/a b\n"}}) {
    const Status done = traffic().install({route});
    ASSERT_FALSE(done) << route.service << route.listen;
    EXPECT_EQ(done.error().fault, Fault::invalid);
  }
}

TEST_F(Haproxy, AManyDomainedRouteIsNoTooLongLine) {
  traffic::Route route{"shop", subject.listen(0)};
  for (int n = 0; n < 300; ++n)
    route.domains.push_back("host" + std::to_string(n) + ".example.test");
  const Status done = traffic().install({route});
  ASSERT_TRUE(done) << done.error().message();
  ASSERT_TRUE(traffic().shift("shop", {"r1", 20000}));
  EXPECT_EQ(traffic().look("shop")->active, (Backend{"r1", 20000}));
}

TEST(HaproxyFolder, APathLongerThanASocketsMayBeIsFine) {
  HaproxySubject subject(150);
  const Status done = subject.traffic().install({{"shop", subject.listen(0)}});
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_TRUE(subject.traffic().shift("shop", {"r1", 20000}));
}

}  // namespace
}  // namespace belay::contract
