// SPDX-License-Identifier: Apache-2.0
// What is asked of a release, and that nothing passes because nothing was asked.
#include "engine/health.hpp"
#include "engine/steps/steps.hpp"
#include "tests/engine/shop.hpp"
#include "tests/fake/fake_prober.hpp"

namespace belay::engine::testing {
namespace {

pipeline::Spec spec_of(const std::string& text) {
  auto parsed = pipeline::parse_spec(text);
  EXPECT_TRUE(parsed.spec) << pipeline::report("belay.yaml", parsed.complaints);
  return parsed.spec.value_or(pipeline::Spec{});
}

std::string text_with(const std::string& environment) {
  return R"(
project: shop
services:
  backend: { run: ./backend, check: { path: /api/health, rise: 2 } }
  frontend: { run: ./frontend, check: / }
  mailer: { kind: worker, run: ./mailer }
environments:
  production:
)" + environment;
}

const std::string placed = R"(
    services:
      backend: { target: host, listen: "127.0.0.1:8080" }
      frontend: { target: host, listen: "127.0.0.1:8081" }
      mailer: { target: host }
)";

struct CheckTest : ::testing::Test {
  ScratchFolder scratch = ScratchFolder::make("belay-check").value();
  FakeWorld world;
  probe::FakeProber prober{&world.clock};
  fake::FakeDatabase database{{"shop"}};
  fake::FakeTarget backend{false}, frontend{false};
  Site site;

  Result<Json> check_unseen() {
    site.targets = {{"backend", &backend}, {"frontend", &frontend}};
    const pipeline::Plan plan;
    const pipeline::History history;
    Listener listener;
    auto seam = world.world();
    auto step = work("check");
    step.args["unseen"] = true;
    return make_check(site)->perform(
        {"7", plan, step, history, "run-7.check.1", 1, Json::object(), {}, seam, listener});
  }
  void use(const std::string& environment) {
    site.present = spec_of(text_with(environment));
    site.environment = "production";
    site.clock = &world.clock;
    site.prober = &prober;
    site.database = &database;
    site.database_name = "shop";
    site.reports = scratch.path();
    site.expand = [](const std::string& text) -> Result<std::string> {
      const auto at = text.find("${SECRET}");
      if (at == std::string::npos) return text;
      return text.substr(0, at) + "a\"b\\c\nd" + text.substr(at + 9);
    };
  }
  std::vector<pipeline::Check> checks() {
    auto all = checks_of(site, "");
    EXPECT_TRUE(all) << (all ? "" : all.error().message());
    return all ? *all : std::vector<pipeline::Check>{};
  }
};

TEST_F(CheckTest, WithoutChecksTheReadinessOfTheServicesIsAsked) {
  use(placed);
  site.present.services[1].check.reset();
  const auto all = checks();
  ASSERT_EQ(all.size(), 2u) << "a worker has no address";
  EXPECT_EQ(all[0].name, "readiness of backend");
  EXPECT_EQ(all[0].path, "/api/health");
  EXPECT_EQ(all[0].rise, 2);
  EXPECT_EQ(all[0].service, "backend");
  EXPECT_EQ(all[1].kind, pipeline::Check::Kind::tcp);
  EXPECT_EQ(all[1].service, "frontend");
}

const std::string on_platforms = R"(
    services:
      backend: { target: railway, project: p, token: "${A}" }
      frontend: { target: vercel, project: p, token: "${A}", domains: [shop.example.org] }
)";

TEST_F(CheckTest, OnAPlatformTheReadinessIsAskedWhereCustomersAre) {
  use(on_platforms);
  const auto all = checks();
  ASSERT_EQ(all.size(), 1u) << "the backend has no domain";
  EXPECT_EQ(all[0].service, "frontend");
  EXPECT_EQ(site.url_of("frontend"), "https://shop.example.org");
  site.present.services[1].check.reset();
  EXPECT_TRUE(checks().empty());
}

// There is still the release before it, or nothing.
TEST_F(CheckTest, OnAPlatformNothingIsAskedBeforeItIsLive) {
  use(on_platforms);
  const auto said = check_unseen();
  ASSERT_TRUE(said) << said.error().message();
  EXPECT_EQ(said->at("summary"), "on the platform, asked once they are live");
  EXPECT_EQ(prober.asked("https://shop.example.org"), 0);
}

TEST_F(CheckTest, WhereAPlatformShowsAVersionUnseenItIsAskedThere) {
  use(on_platforms);
  frontend.shows = target::Preview{"https://frontend-7.example.org", {{"x-bypass", "secret"}}};
  prober.script("https://frontend-7.example.org", {probe::FakeProber::good()});
  const auto said = check_unseen();
  ASSERT_TRUE(said) << said.error().message();
  EXPECT_EQ(prober.asked("https://frontend-7.example.org"), 1);
  EXPECT_EQ(prober.asked("https://shop.example.org"), 0);
  prober.script("https://frontend-7.example.org", {probe::FakeProber::bad("401")});
  EXPECT_FALSE(check_unseen());
}

TEST_F(CheckTest, ChecksThatAreWrittenAreTheOnesAsked) {
  use(placed + R"(    checks: [{ name: Home, service: frontend, path: / }])");
  const auto all = checks();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].name, "Home");
}

TEST_F(CheckTest, WhereNothingCanBeAskedThereIsNoCheckAndNoPretence) {
  use(R"(
    services:
      mailer: { target: host }
)");
  EXPECT_TRUE(checks().empty());
}

TEST_F(CheckTest, AStepThatHasNothingToAskSaysSo) {
  use(R"(
    services:
      mailer: { target: host }
)");
  const pipeline::Plan plan;
  const pipeline::History history;
  Listener listener;
  auto seam = world.world();
  for (const auto& kind : {make_check(site), make_watch(site)}) {
    const auto step = work("check");
    const auto said = kind->perform(
        {"7", plan, step, history, "run-7.check.1", 1, Json::object(), {}, seam, listener});
    ASSERT_TRUE(said) << said.error().message();
    EXPECT_EQ(said->at("summary").get<std::string>().substr(0, 18), "nothing is checked");
  }
}

TEST_F(CheckTest, ASecretInAJsonBodyIsEscapedAndElsewhereLeftAsItIs) {
  use(placed + R"(
    checks:
      - { name: In, service: backend, path: /login, method: POST,
          send: { json: { user: check, password: "x${SECRET}", deep: [{ "again": "${SECRET}" }] } } }
      - { name: Plain, service: backend, path: /login, method: POST,
          send: { body: "password=${SECRET}" } }
)");
  const auto all = checks();
  ASSERT_EQ(all.size(), 2u);
  const auto body = Json::parse(all[0].send_body, nullptr, false);
  ASSERT_FALSE(body.is_discarded()) << all[0].send_body;
  EXPECT_EQ(body["password"], "xa\"b\\c\nd");
  EXPECT_EQ(body["deep"][0]["again"], "a\"b\\c\nd");
  EXPECT_EQ(body["user"], "check");
  EXPECT_EQ(all[1].send_body, "password=a\"b\\c\nd");
}

TEST_F(CheckTest, TheDatabaseIsAskedOverAConnectionWithTheChecksTimeout) {
  use(placed);
  std::vector<Millis> limits;
  site.database_within = [&](Millis limit) -> Result<database::Database*> {
    limits.push_back(limit);
    return &database;
  };
  const auto around = surroundings(site, "", false);
  EXPECT_TRUE(around.ping(Millis(700)).ok());
  EXPECT_TRUE(around.matching({{"collection", "users"}}, Millis(900)).ok());
  EXPECT_EQ(limits, (std::vector<Millis>{Millis(700), Millis(900)}));
}

TEST_F(CheckTest, ADatabaseThatAnswersTooLateIsNoPass) {
  use(placed);
  database.on_call = [&](const std::string&) { world.clock.advance(Millis(2000)); };
  const auto around = surroundings(site, "", false);
  const auto ping = around.ping(Millis(1500));
  ASSERT_FALSE(ping);
  EXPECT_EQ(ping.error().message(), "the database answered after 2.0 s; the limit is 1500ms");
  EXPECT_FALSE(around.matching({{"collection", "users"}}, Millis(1500)));
  EXPECT_TRUE(around.ping(Millis(2500)).ok());
}

TEST(LastWords, OfAVersionThatCrashesAgainAndAgainAreSaidOnce) {
  std::string log;
  for (const char* second : {"48", "49", "50"}) {
    const std::string stamp = "2026-11-25_21:26:" + std::string(second) + ".12345 ";
    log += stamp + "starting\n" + stamp + "KeyError: 'MONGODB_URI'\n";
  }
  EXPECT_EQ(last_words(log), "starting\nKeyError: 'MONGODB_URI'");
  std::string many;
  for (int i = 0; i < 30; ++i) many += "line " + std::to_string(i) + "\n";
  EXPECT_EQ(last_words(many).substr(0, 8), "line 20\n");
  EXPECT_EQ(last_words(""), "");
}

TEST(CheckStep, WithoutChecksABadReleaseIsStillFoundByItsReadinessAndTakenBack) {
  Setting setting;
  setting.checks = false;
  setting.bad = second_release;
  Shop shop(setting);
  const auto run = shop.create(shop.deploy_plan());
  EXPECT_EQ(shop.finish(run), "rolled_back");
  EXPECT_EQ(shop.active("backend"), first_release);
  EXPECT_NE(shop.load(run).history.steps.at("watch").error.find("readiness of backend"),
            std::string::npos);
}

}  // namespace
}  // namespace belay::engine::testing
