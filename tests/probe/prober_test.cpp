// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>

#include "probe/probe.hpp"
#include "tests/support/http_server.hpp"

namespace belay::probe {
namespace {

using testing::HttpServer;

class ProberTest : public ::testing::Test {
 protected:
  Sample run(const std::string& shell, Millis timeout = std::chrono::seconds(10)) {
    return prober_->command(shell, {{"GIVEN", "yes"}}, timeout, {});
  }
  SystemClock clock_;
  std::unique_ptr<Prober> prober_ = make_prober(clock_);
};

TEST_F(ProberTest, AnOpenPortIsGoodAndAClosedOneIsNot) {
  HttpServer server;
  EXPECT_TRUE(prober_->tcp(server.address(), Millis(2000), {}).good);
  EXPECT_TRUE(prober_->tcp("localhost:" + std::to_string(server.port()), Millis(2000), {}).good);
  const auto closed =
      prober_->tcp("127.0.0.1:" + std::to_string(testing::unused_port()), Millis(2000), {});
  EXPECT_FALSE(closed.good);
  EXPECT_FALSE(closed.text.empty());
}

TEST_F(ProberTest, WhatIsNoAddressIsBad) {
  for (const std::string address : {"", ":", "host", "host:", ":80", "host:0", "host:65536",
                                    "host:http", "host:80/path", "a b:80", "h\n:80", "user@h:80"}) {
    EXPECT_FALSE(prober_->tcp(address, Millis(500), {}).good) << address;
    EXPECT_FALSE(prober_->tls(address, 1, Millis(500), {}).good) << address;
  }
}

TEST_F(ProberTest, ACommandIsGoodByItsStatusOnly) {
  EXPECT_TRUE(run("echo fine").good);
  EXPECT_NE(run("echo fine").text.find("fine"), std::string::npos);
  const auto failed = run("echo no queue >&2; exit 7");
  EXPECT_FALSE(failed.good);
  EXPECT_NE(failed.text.find("status 7: no queue"), std::string::npos);
  EXPECT_FALSE(run("kill -9 $$").good);
  EXPECT_FALSE(run("/nonexistent/program").good);
  EXPECT_FALSE(run("   ").good);
}

TEST_F(ProberTest, ACommandThatHangsIsBadAtItsTimeout) {
  const auto sample = run("sleep 600", Millis(200));
  EXPECT_FALSE(sample.good);
  EXPECT_NE(sample.text.find("200ms"), std::string::npos) << sample.text;
}

TEST_F(ProberTest, ACommandSeesWhatItIsGivenAndNotOurSecrets) {
  setenv("BELAY_VAULT_KEY", "sentinel", 1);
  EXPECT_TRUE(run("test \"$GIVEN\" = yes && test -z \"$BELAY_VAULT_KEY\"").good);
  unsetenv("BELAY_VAULT_KEY");
}

TEST_F(ProberTest, ACommandThatFloodsIsBadAndItsTextIsShort) {
  const auto sample = run("yes | head -c 8000000");
  EXPECT_FALSE(sample.good);
  EXPECT_LT(sample.text.size(), 500U);
}

TEST_F(ProberTest, ACommandIsEndedByAStop) {
  std::stop_source stop;
  stop.request_stop();
  const auto sample = prober_->command("sleep 600", {}, std::chrono::seconds(60), stop.get_token());
  EXPECT_TRUE(sample.stopped);
  EXPECT_FALSE(sample.good);
}

}  // namespace
}  // namespace belay::probe
