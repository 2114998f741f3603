// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/fake/fake_prober.hpp"
#include "tests/support/http_server.hpp"

namespace belay::probe {
namespace {

using pipeline::Check;
using std::chrono::seconds;

const auto good = FakeProber::good;
const auto bad = [](const std::string& text = "connection refused") {
  return FakeProber::bad(text);
};

Check http_check(const std::string& name, const std::string& url) {
  Check check;
  check.name = name;
  check.url = url;
  return check;
}

class Health : public ::testing::Test {
 protected:
  CheckResult one(const Check& check) { return all({check}).checks.at(0); }
  HealthReport all(const std::vector<Check>& checks) {
    return run_checks(prober_, clock_, checks, around_, options_);
  }
  Check scripted(std::vector<Sample> samples, int rise = 1, int fall = 1) {
    prober_.script("u", std::move(samples));
    auto check = http_check("api", "u");
    check.rise = rise;
    check.fall = fall;
    return check;
  }
  Check percentile(std::vector<Sample> samples, int rank, Millis limit, int count) {
    auto check = scripted(std::move(samples));
    check.percentile = Check::Percentile{rank, limit, count};
    return check;
  }

  FakeClock clock_;
  FakeProber prober_{&clock_};
  Surroundings around_;
  Options options_;
};

TEST_F(Health, OneGoodSampleOfAnOrdinaryCheckIsHealthy) {
  const auto report = all({scripted({good(Millis(10))})});
  EXPECT_STREQ(report.status(), "HEALTHY");
  EXPECT_EQ(report.checks[0].attempts, 1);
  EXPECT_EQ(clock_.slept(), Millis(0));
}

TEST_F(Health, RiseNeedsGoodSamplesInARow) {
  const auto result = one(
      scripted({good(Millis(1)), bad(), good(Millis(1)), good(Millis(1)), good(Millis(1))}, 3, 3));
  EXPECT_EQ(result.verdict, Verdict::pass);
  EXPECT_EQ(result.attempts, 5);
  EXPECT_EQ(clock_.slept(), seconds(4));
  EXPECT_NE(result.message.find("after 1 bad"), std::string::npos);
}

TEST_F(Health, FallNeedsBadSamplesInARow) {
  const auto result =
      one(scripted({bad(), good(Millis(1)), bad(), bad("refused, again"), good(Millis(1))}, 2, 2));
  EXPECT_EQ(result.verdict, Verdict::fail);
  EXPECT_EQ(result.attempts, 4);
  EXPECT_NE(result.message.find("refused, again"), std::string::npos);
}

TEST_F(Health, AServiceThatComesAndGoesIsDecidedAsAFailure) {
  std::vector<Sample> flapping;
  for (int i = 0; i < 500; ++i) flapping.push_back(i % 2 == 0 ? good(Millis(1)) : bad());
  const auto result = one(scripted(std::move(flapping), 2, 2));
  EXPECT_EQ(result.verdict, Verdict::fail);
  EXPECT_NE(result.message.find("undecided"), std::string::npos);
  EXPECT_LT(result.attempts, 50);
}

TEST_F(Health, WarningsDegradeAndFailuresOutweighThem) {
  prober_.script("good", {good(Millis(1))});
  auto warns = http_check("slow", "bad");
  warns.warn_only = true;
  EXPECT_STREQ(all({http_check("a", "good"), warns}).status(), "DEGRADED");
  EXPECT_STREQ(all({http_check("a", "good"), warns, http_check("b", "bad")}).status(), "UNHEALTHY");
}

TEST_F(Health, ThePercentileIsTheExactOrderStatistic) {
  std::vector<Sample> samples;
  for (int i = 20; i >= 1; --i) samples.push_back(good(Millis(100 * i)));  // 2000 .. 100 ms
  EXPECT_DOUBLE_EQ(*one(percentile(samples, 95, seconds(2), 20)).percentile, 1.9);
  EXPECT_DOUBLE_EQ(*one(percentile(samples, 50, seconds(2), 20)).percentile, 1.0);
  EXPECT_DOUBLE_EQ(*one(percentile(samples, 100, seconds(9), 20)).percentile, 2.0);
  EXPECT_DOUBLE_EQ(*one(percentile(samples, 1, seconds(2), 20)).percentile, 0.1);
}

TEST_F(Health, ThePercentileMustBeUnderTheLimitNotAtIt) {
  std::vector<Sample> samples(18, good(Millis(10)));
  samples.push_back(good(seconds(2)));
  samples.push_back(good(seconds(2)));
  EXPECT_EQ(one(percentile(samples, 95, seconds(2), 20)).verdict, Verdict::fail);
  samples[18] = good(Millis(1999));
  EXPECT_EQ(one(percentile(samples, 95, seconds(2), 20)).verdict, Verdict::pass);
}

TEST_F(Health, OneFailedSampleFailsThePercentile) {
  std::vector<Sample> samples(19, good(Millis(10)));
  samples.push_back(bad());
  const auto result = one(percentile(samples, 50, seconds(2), 20));
  EXPECT_EQ(result.verdict, Verdict::fail);
  EXPECT_FALSE(result.percentile.has_value());
  EXPECT_NE(result.message.find("20 of 20"), std::string::npos);
}

TEST_F(Health, APercentileTakesAllItsSamplesWithoutWaiting) {
  EXPECT_EQ(one(percentile({good(Millis(3))}, 95, seconds(2), 20)).attempts, 20);
  EXPECT_EQ(prober_.asked("u"), 20);
  EXPECT_EQ(clock_.slept(), Millis(0));
}

TEST_F(Health, ServicesAreResolvedAndPathsJoined) {
  around_.resolve = [](const std::string& service) -> Result<Place> {
    if (service == "backend") return Place{"http://127.0.0.1:8080", ""};
    return fail(Fault::missing, "nothing of " + service + " is live");
  };
  prober_.script("http://127.0.0.1:8080/api/health", {good(Millis(1))});
  prober_.script("127.0.0.1:8080", {good(Millis(1))});
  Check check;
  check.name = "api";
  check.service = "backend";
  check.path = "/api/health";
  EXPECT_EQ(one(check).verdict, Verdict::pass);
  check.kind = Check::Kind::tcp;
  EXPECT_EQ(one(check).verdict, Verdict::pass);
  check.service = "frontend";
  EXPECT_NE(one(check).message.find("nothing of frontend is live"), std::string::npos);
}

TEST_F(Health, TlsAndTcpTakeAddressesOutOfUrls) {
  prober_.script("shop.example.org:443", {good(Millis(1))});
  prober_.script("shop.example.org:8443", {good(Millis(1))});
  prober_.script("[::1]:443", {good(Millis(1))});
  auto check = http_check("certificate", "");
  check.kind = Check::Kind::tls;
  for (const char* url :
       {"shop.example.org", "shop.example.org:443", "https://shop.example.org/x",
        "https://shop.example.org:8443/", "https://user:pw@shop.example.org", "https://[::1]/"}) {
    check.url = url;
    EXPECT_EQ(one(check).verdict, Verdict::pass) << url;
  }
}

TEST_F(Health, TheDatabaseIsPingedAndQueried) {
  Check check;
  check.name = "database";
  check.kind = Check::Kind::database;
  EXPECT_EQ(one(check).verdict, Verdict::fail);  // none is configured
  around_.ping = [](Millis) -> Status { return {}; };
  EXPECT_EQ(one(check).verdict, Verdict::pass);
  around_.ping = [](Millis) -> Status { return fail(Fault::unreachable, "no primary"); };
  EXPECT_EQ(one(check).message, "no primary");

  std::uint64_t there = 0;
  around_.matching = [&](const Json&, Millis) -> Result<std::uint64_t> { return there; };
  check.query = {{"collection", "orders"}, {"filter", Json::object()}};
  EXPECT_EQ(one(check).verdict, Verdict::fail);
  there = 1;
  EXPECT_EQ(one(check).verdict, Verdict::pass);
  check.query["at_least"] = 2;
  EXPECT_EQ(one(check).verdict, Verdict::fail);
  for (const Json& wrong : {Json("two"), Json(-1), Json(nullptr), Json(1.5)}) {
    check.query["at_least"] = wrong;
    EXPECT_EQ(one(check).verdict, Verdict::fail) << wrong.dump();
  }
  check.query = Json::object();
  EXPECT_EQ(one(check).verdict, Verdict::fail);
}

TEST_F(Health, ASlowCommandIsHeldToItsLimit) {
  prober_.script("true", {good(Millis(300))});
  Check check;
  check.name = "queue";
  check.kind = Check::Kind::command;
  check.run = "true";
  check.under = Millis(300);
  EXPECT_EQ(one(check).verdict, Verdict::fail);
  check.under = Millis(301);
  EXPECT_EQ(one(check).verdict, Verdict::pass);
}

TEST_F(Health, TheReportHasTheNamesThatReadersKnow) {
  SystemClock clock;
  testing::HttpServer server;
  server.answer("/api/health", {{200, R"({"status":"ok"})"}});
  auto check = http_check("API health", server.url());
  check.path = "/api/health";
  check.json = {{"status", "ok"}};
  auto slow = http_check("frontend", server.url() + "/none");
  slow.warn_only = true;
  options_.environment = {{"name", "production"}};
  const auto prober = make_prober(clock);
  const auto report = to_json(run_checks(*prober, clock, {check, slow}, around_, options_));
  EXPECT_EQ(report["health_status"], "DEGRADED");
  EXPECT_EQ(report["environment"]["name"], "production");
  EXPECT_EQ(report["summary"],
            (Json{{"total_checks", 2}, {"passed", 1}, {"failed", 0}, {"warnings", 1}}));
  EXPECT_TRUE(parse_time(report["timestamp"].get<std::string>()).ok());
  const auto& first = report["checks"][0];
  EXPECT_EQ(first["check"], "API health");
  EXPECT_EQ(first["status"], "PASS");
  EXPECT_EQ(first["attempts"], 1);
  EXPECT_TRUE(first["message"].is_string());
  EXPECT_TRUE(first["duration_ms"].is_number_integer());
  for (const char* phase : {"time_namelookup", "time_connect", "time_appconnect",
                            "time_pretransfer", "time_starttransfer", "time_total"}) {
    EXPECT_TRUE(first["phases"].contains(phase)) << phase;
  }
  EXPECT_EQ(report["checks"][1]["status"], "WARNING");
  EXPECT_EQ(report["checks"][1]["http_status"], 404);
}

TEST_F(Health, TheTableHasALineACheckAndNoControlCharacters) {
  prober_.script("u", {bad("\x1b[2J evil \n second line")});
  const auto table = to_table(all({http_check("api\x07", "u"), http_check("longer name", "v")}));
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 3);
  EXPECT_EQ(table.find('\x1b'), std::string::npos);
  EXPECT_EQ(table.find('\x07'), std::string::npos);
  EXPECT_NE(table.find("UNHEALTHY: 0 passed, 2 failed, 0 warnings"), std::string::npos);
}

TEST_F(Health, ChecksRunSideBySideOnTheExecutor) {
  SystemClock clock;
  testing::HttpServer server;
  server.answer("/", {{200, "ok", {}, Millis(300)}});
  const std::vector<Check> checks(8, http_check("api", server.url() + "/"));
  ThreadExecutor executor;
  options_.side_by_side = &executor;
  const auto prober = make_prober(clock);
  const auto start = clock.steady();
  EXPECT_STREQ(run_checks(*prober, clock, checks, around_, options_).status(), "HEALTHY");
  EXPECT_LT(clock.steady() - start, Millis(8 * 300));
}

TEST_F(Health, ReadyMeansRiseGoodSamplesAfterAnyNumberOfBadOnes) {
  std::vector<Sample> starting(30, bad());
  starting.insert(starting.end(), {good(Millis(1)), bad(), good(Millis(1)), good(Millis(1))});
  const auto check = scripted(std::move(starting), 2, 1);
  const auto result = wait_until_ready(prober_, clock_, check, around_, seconds(60), options_);
  EXPECT_EQ(result.verdict, Verdict::pass);
  EXPECT_EQ(result.attempts, 34);
}

TEST_F(Health, NeverReadyIsAFailureAtTheLimitWithTheLastReason) {
  const auto result =
      wait_until_ready(prober_, clock_, scripted({bad("no module express")}), around_, seconds(30));
  EXPECT_EQ(result.verdict, Verdict::fail);
  EXPECT_NE(result.message.find("no module express"), std::string::npos);
  EXPECT_GE(clock_.steady(), seconds(30));
  EXPECT_LT(clock_.steady(), seconds(33));
}

}  // namespace
}  // namespace belay::probe
