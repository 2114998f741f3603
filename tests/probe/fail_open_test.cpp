// SPDX-License-Identifier: Apache-2.0
// Ways in which other checkers let a broken service pass. Each must fail here.
#include <gtest/gtest.h>

#include "tests/fake/fake_prober.hpp"
#include "tests/support/http_server.hpp"

namespace belay::probe {
namespace {

using pipeline::Check;
using testing::Answer;
using testing::HttpServer;

class FailOpen : public ::testing::Test {
 protected:
  Check check(const std::string& path = "/") {
    Check made;
    made.name = "api";
    made.url = server_.url();
    made.path = path;
    made.timeout = Millis(2000);
    return made;
  }
  HealthReport run(const std::vector<Check>& checks, const Options& options = {}) {
    return run_checks(*prober_, clock_, checks, {}, options);
  }
  bool passes(const Check& one) { return run({one}).checks.at(0).verdict == Verdict::pass; }

  SystemClock clock_;
  std::unique_ptr<Prober> prober_ = make_prober(clock_);
  HttpServer server_;
};

TEST_F(FailOpen, AMissingJsonMemberIsNotZeroAndNotNull) {
  server_.answer("/", {{200, R"({"other":1})"}});
  for (const Json& expected : {Json(0), Json(nullptr), Json(""), Json(false), Json::object()}) {
    auto one = check();
    one.json = {{"queue", expected}};
    EXPECT_FALSE(passes(one)) << expected.dump();
  }
}

TEST_F(FailOpen, ARefusedConnectionIsNotAFastAnswer) {
  auto one = check();
  one.url = "http://127.0.0.1:" + std::to_string(testing::unused_port());
  one.under = Millis(300);
  EXPECT_FALSE(passes(one));
  one.under.reset();
  one.percentile = Check::Percentile{95, Millis(2000), 20};
  EXPECT_FALSE(passes(one));
}

TEST_F(FailOpen, TheTimeDoesNotStopAtTheHeaders) {
  server_.answer("/", {{200, std::string(15, 'x'), {}, Millis(0), Answer::Trouble::drip}});
  auto one = check();
  one.under = Millis(150);
  EXPECT_FALSE(passes(one));
}

TEST_F(FailOpen, EverySampleHasAConnectionOfItsOwn) {
  server_.answer("/", {{200, "ok"}});
  auto one = check();
  one.rise = 3;
  one.interval = Millis(1);
  const auto report = run({one});
  ASSERT_STREQ(report.status(), "HEALTHY");
  EXPECT_GT(report.checks[0].last->phases->connect, 0);
}

TEST_F(FailOpen, NoAssertionsStillNeedA2xx) {
  server_.answer("/", {{500, "broken"}});
  EXPECT_FALSE(passes(check()));
}

TEST_F(FailOpen, NoChecksAreNotHealthy) {
  const auto report = run({});
  EXPECT_STREQ(report.status(), "UNHEALTHY");
  EXPECT_FALSE(report.message.empty());
  EXPECT_EQ(to_json(report)["health_status"], "UNHEALTHY");
  EXPECT_NE(to_table(report).find("no check"), std::string::npos);
}

TEST_F(FailOpen, APercentileWithoutSamplesDoesNotPass) {
  server_.answer("/", {{200, "ok"}});
  for (const auto& rule :
       {Check::Percentile{95, Millis(2000), 0}, Check::Percentile{95, Millis(2000), -5},
        Check::Percentile{0, Millis(2000), 5}, Check::Percentile{101, Millis(2000), 5},
        Check::Percentile{95, Millis(0), 5}}) {
    auto one = check();
    one.percentile = rule;
    EXPECT_FALSE(passes(one));
  }
}

TEST_F(FailOpen, ARuleOfZeroSamplesDoesNotPass) {
  server_.answer("/", {{200, "ok"}});
  auto one = check();
  one.rise = 0;
  EXPECT_FALSE(passes(one));
  one.rise = 1;
  one.fall = 0;
  EXPECT_FALSE(passes(one));
}

TEST_F(FailOpen, AnEarlyEndIsNotASuccess) {
  server_.answer("/", {{200, "ok"}});
  std::stop_source stop;
  stop.request_stop();
  Options options;
  options.stop = stop.get_token();
  EXPECT_STREQ(run({check()}, options).status(), "UNHEALTHY");
  auto warns = check();
  warns.warn_only = true;
  EXPECT_STREQ(run({warns}, options).status(), "UNHEALTHY");
  auto slow = check();
  slow.percentile = Check::Percentile{95, Millis(2000), 5};
  EXPECT_STREQ(run({slow}, options).status(), "UNHEALTHY");
  EXPECT_FALSE(watch(*prober_, clock_, {check()}, {}, Millis(1000), options).good);
}

TEST_F(FailOpen, AStopInTheMiddleOfARowIsNotASuccess) {
  FakeClock clock;
  FakeProber prober(&clock);
  prober.script("u", {FakeProber::good()});
  std::stop_source stop;
  clock.on_sleep([&](Millis) { stop.request_stop(); });
  auto one = check();
  one.url = "u";
  one.rise = 3;
  Options options;
  options.stop = stop.get_token();
  const auto report = run_checks(prober, clock, {one}, {}, options);
  EXPECT_STREQ(report.status(), "UNHEALTHY");
  EXPECT_NE(report.checks[0].message.find("stopped"), std::string::npos);
}

TEST_F(FailOpen, TrafficThatEndsInTheMiddleOfAWatchIsNotAPass) {
  FakeClock clock;
  FakeProber prober(&clock);
  prober.script("u", {FakeProber::good(), FakeProber::good(), FakeProber::bad("no values found")});
  auto one = check();
  one.url = "u";
  EXPECT_FALSE(watch(prober, clock, {one}, {}, std::chrono::seconds(60)).good);
}

TEST_F(FailOpen, AnExecutorThatRunsNothingDoesNotPass) {
  class Idle final : public Executor {
    void run_all(std::vector<std::function<void()>>) override {}
  };
  FakeClock clock;
  FakeProber prober(&clock);
  prober.script("u", {FakeProber::good()});
  Idle idle;
  Options options;
  options.side_by_side = &idle;
  auto one = check();
  one.url = "u";
  EXPECT_STREQ(run_checks(prober, clock, {one}, {}, options).status(), "UNHEALTHY");
}

TEST_F(FailOpen, ADatabaseCheckWithoutADatabaseDoesNotPass) {
  Check one;
  one.name = "database";
  one.kind = Check::Kind::database;
  EXPECT_FALSE(passes(one));
  one.query = {{"collection", "orders"}};
  EXPECT_FALSE(passes(one));
}

TEST_F(FailOpen, ACheckThatNamesNothingDoesNotPass) {
  for (const auto kind :
       {Check::Kind::http, Check::Kind::tcp, Check::Kind::tls, Check::Kind::command}) {
    Check one;
    one.name = "empty";
    one.kind = kind;
    EXPECT_FALSE(passes(one));
  }
}

TEST_F(FailOpen, TheFirstOfTwoOutcomesDoesNotDecideForTheRow) {
  server_.answer("/", {{200, "ok"}, {503, "no"}});
  auto one = check();
  one.rise = 2;
  one.interval = Millis(1);
  EXPECT_FALSE(passes(one));
}

TEST_F(FailOpen, A200WithTheWrongBodyDoesNotPass) {
  server_.answer("/", {{200, R"({"status":"error"})"}});
  auto one = check();
  one.json = {{"status", "ok"}};
  EXPECT_FALSE(passes(one));
}

}  // namespace
}  // namespace belay::probe
