// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/fake/fake_prober.hpp"
#include "tests/support/http_server.hpp"

namespace belay::probe {
namespace {

using pipeline::Check;
using std::chrono::seconds;

class Watch : public ::testing::Test {
 protected:
  Check check(const std::string& name, std::vector<Sample> samples, int fall = 1) {
    prober_.script(name, std::move(samples));
    Check made;
    made.name = name;
    made.url = name;
    made.fall = fall;
    return made;
  }
  WatchResult run(const std::vector<Check>& checks, Millis duration) {
    return watch(prober_, clock_, checks, around_, duration, options_);
  }
  static Sample good() { return FakeProber::good(Millis(10)); }
  static Sample bad(const std::string& text = "refused") { return FakeProber::bad(text); }

  FakeClock clock_;
  FakeProber prober_{&clock_};
  Surroundings around_;
  Options options_;
};

TEST_F(Watch, AMinuteOfGoodSamplesIsASuccessWithCounts) {
  const auto result = run({check("api", {good()}), check("front", {good()})}, seconds(60));
  ASSERT_TRUE(result.good) << result.message;
  EXPECT_GE(result.checks[0].good, 58);
  EXPECT_GE(result.checks[1].good, 58);
  EXPECT_GE(result.since_start, seconds(60));
  EXPECT_LT(result.since_start, seconds(61));
}

TEST_F(Watch, TheFirstFailedCheckEndsItWithTheEvidence) {
  std::vector<Sample> samples(20, good());
  samples.push_back(bad("expected json status = ok, got \"down\""));
  const auto result = run({check("front", {good()}), check("api", samples)}, seconds(600));
  EXPECT_FALSE(result.good);
  EXPECT_EQ(result.check, "api");
  EXPECT_NE(result.message.find("got \"down\""), std::string::npos);
  EXPECT_GE(result.since_start, seconds(20));
  EXPECT_LT(result.since_start, seconds(23));
}

TEST_F(Watch, FewerBadSamplesThanFallAreForgiven) {
  const auto result =
      run({check("api", {good(), bad(), bad(), good(), bad(), bad(), good()}, 3)}, seconds(30));
  EXPECT_TRUE(result.good) << result.message;
  EXPECT_EQ(result.checks[0].bad, 4);
}

TEST_F(Watch, FallBadSamplesInARowAreNot) {
  const auto result = run(
      {check("api", {good(), bad(), bad(), good(), bad(), bad(), bad(), good()}, 3)}, seconds(30));
  EXPECT_FALSE(result.good);
  EXPECT_EQ(result.checks[0].attempts, 7);
}

TEST_F(Watch, ABadRowAtTheEndIsFollowedUntilItIsDecided) {
  auto slow = check("api", {good(), bad("gone")}, 3);
  slow.interval = seconds(10);
  const auto failed = run({slow}, seconds(15));  // one bad sample within the time
  EXPECT_FALSE(failed.good);
  EXPECT_EQ(failed.check, "api");
  auto recovers = check("api", {good(), bad(), good()}, 3);
  recovers.interval = seconds(10);
  EXPECT_TRUE(run({recovers}, seconds(15)).good);
}

TEST_F(Watch, NoSampleAtAllIsAFailure) {
  const auto result = run({check("api", {good()})}, seconds(0));
  EXPECT_FALSE(result.good);
  EXPECT_EQ(result.check, "api");
  EXPECT_NE(result.message.find("not a single sample"), std::string::npos);
}

TEST_F(Watch, NoChecksAtAllIsAFailure) {
  const auto result = run({}, seconds(60));
  EXPECT_FALSE(result.good);
  EXPECT_FALSE(result.message.empty());
}

TEST_F(Watch, AStopIsNotASuccess) {
  std::stop_source stop;
  options_.stop = stop.get_token();
  clock_.on_sleep([&](Millis) { stop.request_stop(); });
  const auto result = run({check("api", {good()})}, seconds(60));
  EXPECT_FALSE(result.good);
  EXPECT_TRUE(result.stopped);
  EXPECT_TRUE(result.check.empty());
}

TEST_F(Watch, AWarningIsCountedAndDoesNotEndIt) {
  auto warns = check("slow", {bad()});
  warns.warn_only = true;
  const auto result = run({warns, check("api", {good()})}, seconds(10));
  EXPECT_TRUE(result.good) << result.message;
  EXPECT_EQ(result.checks[0].verdict, Verdict::warning);
  EXPECT_GT(result.checks[0].bad, 5);
}

TEST_F(Watch, APercentileCheckIsOneSampleARound) {
  auto slow = check("api", {FakeProber::good(Millis(50))});
  slow.percentile = Check::Percentile{95, Millis(40), 5};
  const auto result = run({slow}, seconds(10));
  EXPECT_FALSE(result.good);
  EXPECT_EQ(prober_.asked("api"), 5);
  EXPECT_NE(result.message.find("p95"), std::string::npos);
}

TEST_F(Watch, ARuleThatCannotDecideIsAFailureBeforeAnySample) {
  EXPECT_FALSE(run({check("api", {good()}, 0)}, seconds(10)).good);
  EXPECT_EQ(prober_.asked("api"), 0);
}

TEST_F(Watch, AFailureDoesNotWaitForAServerThatHangs) {
  SystemClock clock;
  testing::HttpServer server;
  server.answer("/hangs", {{200, "", {}, Millis(0), testing::Answer::Trouble::hang}});
  Check hangs;
  hangs.name = "hangs";
  hangs.url = server.url() + "/hangs";
  hangs.timeout = seconds(60);
  Check gone;
  gone.name = "gone";
  gone.url = server.url() + "/gone";
  ThreadExecutor executor;
  options_.side_by_side = &executor;
  const auto prober = make_prober(clock);
  const auto result = watch(*prober, clock, {hangs, gone}, around_, seconds(60), options_);
  EXPECT_FALSE(result.good);
  EXPECT_EQ(result.check, "gone");
  EXPECT_LT(result.since_start, seconds(20));
}

TEST_F(Watch, ItsJsonTellsTheEvidence) {
  const auto json = to_json(run({check("api", {bad("refused")})}, seconds(10)));
  EXPECT_EQ(json["good"], false);
  EXPECT_EQ(json["check"], "api");
  EXPECT_EQ(json["checks"][0]["status"], "FAIL");
  EXPECT_EQ(json["checks"][0]["attempts"], 1);
}

}  // namespace
}  // namespace belay::probe
