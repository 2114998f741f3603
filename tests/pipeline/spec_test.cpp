// SPDX-License-Identifier: Apache-2.0
#include "pipeline/spec.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/text.hpp"

namespace belay::pipeline {
namespace {

std::string read_whole(const std::string& path) {
  std::ifstream file(std::string(BELAY_SOURCE_DIR) + "/" + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string report_of(const std::string& text) {
  const auto parsed = parse_spec(text);
  if (parsed.spec) return "no complaint\n";
  return report("belay.yaml", parsed.complaints);
}

Spec must_parse(const std::string& text) {
  auto parsed = parse_spec(text);
  if (!parsed.spec) {
    ADD_FAILURE() << report("belay.yaml", parsed.complaints);
    return {};
  }
  return std::move(*parsed.spec);
}

// "==== name", the file, "----", the report; one after the other.
TEST(Spec, ComplaintsAreWordForWord) {
  const std::string path = "tests/pipeline/complaints.golden";
  const auto whole = read_whole(path);
  std::string accepted = whole.substr(0, whole.find("==== "));
  int cases = 0;
  for (auto at = whole.find("==== "); at != std::string::npos;) {
    const auto next = whole.find("\n==== ", at);
    const auto block = whole.substr(at, next == std::string::npos ? next : next + 1 - at);
    const auto name_end = block.find('\n') + 1, split_at = block.find("----\n");
    ASSERT_NE(split_at, std::string::npos) << block;
    const auto yaml = block.substr(name_end, split_at - name_end);
    const auto found = report_of(yaml);
    if (std::getenv("BELAY_ACCEPT") == nullptr) {
      EXPECT_EQ(found, block.substr(split_at + 5)) << block.substr(0, name_end);
    }
    accepted += block.substr(0, split_at + 5) + found;
    ++cases;
    at = next == std::string::npos ? next : next + 1;
  }
  EXPECT_GT(cases, 30);
  if (std::getenv("BELAY_ACCEPT") != nullptr) {
    std::ofstream(std::string(BELAY_SOURCE_DIR) + "/" + path) << accepted;
  }
}

TEST(Spec, TheExampleIsReadWithoutComplaint) {
  const auto spec = must_parse(read_whole("examples/belay.yaml"));
  EXPECT_EQ(spec.project, "shop");
  ASSERT_EQ(spec.services.size(), 3U);
  EXPECT_EQ(spec.services[0].name, "backend");
  EXPECT_EQ(spec.services[1].needs, std::vector<std::string>{"backend"});
  EXPECT_EQ(spec.services[1].check->path, "/");
  EXPECT_EQ(spec.services[2].kind, Service::Kind::worker);
  EXPECT_EQ(spec.test_in, "backend");
  ASSERT_EQ(spec.people.size(), 3U);
  EXPECT_EQ(spec.people[0].keys.size(), 2U);
  EXPECT_EQ(spec.people[2].keys.size(), 1U);
  const auto* production = spec.environment("production");
  ASSERT_NE(production, nullptr);
  EXPECT_EQ(production->approvals.required, 2);
  EXPECT_EQ(production->approvals.wait, std::chrono::minutes(5));
  EXPECT_EQ(production->freeze.at(0).zone, "Europe/Paris");
  EXPECT_EQ(production->services.at(2).target, Placement::Target::command);
  EXPECT_EQ(production->checks.size(), 11U);
  EXPECT_EQ(production->rollback.approvals->self_approval, true);
  EXPECT_EQ(production->notify.at(0).run, "./ops/announce");
  const auto* staging = spec.environment("staging");
  ASSERT_NE(staging, nullptr);
  EXPECT_EQ(staging->tag, "staging");
  EXPECT_EQ(staging->strategy, Strategy::all_at_once);
  EXPECT_EQ(staging->approvals.required, 0);
  EXPECT_EQ(staging->vault->key->text, "file:/etc/belay/staging.key");
}

TEST(Spec, ChecksOfTheExampleSayWhatIsAsked) {
  const auto spec = must_parse(read_whole("examples/belay.yaml"));
  const auto& checks = spec.environment("production")->checks;
  EXPECT_EQ(checks[0].json, Json({{"status", "ok"}}));
  EXPECT_EQ(checks[0].rise, 2);
  EXPECT_EQ(checks[1].kind, Check::Kind::database);
  EXPECT_TRUE(checks[1].query.is_null());
  EXPECT_EQ(checks[2].query["filter"], Json({{"active", true}}));
  EXPECT_EQ(Json::parse(checks[3].send_body)["email"], "check@example.org");
  EXPECT_EQ(checks[3].send_headers.at("Content-Type"), "application/json");
  EXPECT_EQ(checks[4].under, std::chrono::seconds(3));
  EXPECT_EQ(checks[5].percentile->limit, std::chrono::seconds(2));
  EXPECT_EQ(checks[5].percentile->samples, 20);
  EXPECT_TRUE(checks[5].warn_only);
  EXPECT_EQ(checks[6].percentile->rank, 99);
  EXPECT_EQ(checks[8].kind, Check::Kind::tls);
  EXPECT_EQ(checks[8].url, "shop.example.org:443");
  EXPECT_EQ(checks[10].run, "./ops/nightly-ran");
}

TEST(Spec, ADatabaseAndAVaultAloneAreAProject) {
  const auto spec =
      must_parse("project: shop\ndatabase: { uri: ${MONGODB_URI} }\nvault: { key: ${K} }\n");
  EXPECT_TRUE(spec.environments.empty());
  EXPECT_EQ(spec.database->uri.names(), std::vector<std::string>{"MONGODB_URI"});
  EXPECT_EQ(spec.vault.key->text, "${K}");
}

TEST(Spec, AMigrationRunsInTheOnlyServiceWhenNoneIsNamed) {
  const auto spec = must_parse(
      "project: a\nservices: { web: { run: a, check: / } }\n"
      "database: { uri: ${U}, migrate: echo x }\n"
      "environments: { p: { services: { web: { listen: \":80\" } } } }\n");
  EXPECT_EQ(migration_of(spec, "p")->in, "web");
}

TEST(Spec, TheTestRunsAsTheUserOfTheServiceWhoseFolderItTestsElseOfTheFirstOnThisHost) {
  const auto user = [](const std::string& test, const std::string& placed) {
    const auto spec = must_parse(
        "project: a\nservices:\n"
        "  web: { path: web, run: a, check: /, user: wendy }\n"
        "  api: { path: api, run: a, check: /, user: albert }\n"
        "  far: { path: far, run: a, kind: worker, user: frida }\n"
        "test: " +
        test + "\nenvironments: { p: { services: {" + placed + "} } }\n");
    return user_of_test(spec, spec.environments.front());
  };
  const std::string web = R"( web: { listen: ":80" },)", api = R"( api: { listen: ":81" })";
  const std::string far = R"( far: { target: command, activate: a },)";
  EXPECT_EQ(user("{ run: t, in: api }", web + api), "albert");
  EXPECT_EQ(user("{ run: t, in: api/ }", web + api), "albert");
  EXPECT_EQ(user("t", web + api), "wendy");
  EXPECT_EQ(user("{ run: t, in: far }", far + web), "wendy") << "those on this host come first";
  EXPECT_EQ(user("{ run: t, in: far }", far), "frida");
  EXPECT_EQ(user("t", R"( web: { listen: ":80", user: paul })"), "paul") << "its place says more";
}

TEST(Spec, AnEnvironmentsDatabaseHasWhatTheProjectSaysOfMigrationAndNameButNotItsUser) {
  const auto spec = must_parse(
      "project: a\nservices: { web: { run: a, check: / } }\n"
      "database: { uri: ${U}, env: DB, migrate: { run: ./m, limit: 5m } }\n"
      "environments:\n"
      "  p: { services: { web: { listen: \":80\" } } }\n"
      "  s: { services: { web: { listen: \":81\" } }, database: { uri: ${S} } }\n"
      "  t: { services: { web: { listen: \":82\" } }, database: { uri: ${T}, migrate: ./t } }\n");
  EXPECT_EQ(database_of(spec, "p")->uri.text, "${U}");
  EXPECT_EQ(database_of(spec, "s")->uri.text, "${S}");
  EXPECT_EQ(database_of(spec, "s")->env, "DB");
  EXPECT_EQ(migration_of(spec, "s")->run, "./m");
  EXPECT_EQ(migration_of(spec, "s")->limit, std::chrono::minutes(5));
  EXPECT_EQ(migration_of(spec, "s")->in, "web");
  EXPECT_FALSE(migration_of(spec, "s")->uri);
  EXPECT_EQ(migration_of(spec, "t")->run, "./t");
}

TEST(Spec, ReferencesStandWithoutQuotesInBraces) {
  const auto spec = must_parse(
      "project: a\nservices: { a: { run: \"./a ${PORT}\", check: /, env: { A: ${X}, B: ${Y}/z } } "
      "}\n"
      "environments: { p: { services: { a: { listen: \":80\" } } } }\n");
  EXPECT_EQ(spec.services[0].env.at("A").text, "${X}");
  EXPECT_EQ(spec.services[0].env.at("B").text, "${Y}/z");
  EXPECT_EQ(spec.services[0].run, "./a ${PORT}");
}

TEST(Spec, OwnKeysAreFreeAnywhere) {
  must_parse(
      "project: a\nx-team: { a: [1, { b: c }] }\nservices: { x-all: 1, a: { x-b: 1, run: a, check: "
      "/ } }\n"
      "environments: { x-e: 1, p: { x-c: 1, services: { a: { listen: \":80\", x-d: 1 } } } }\n");
}

TEST(Spec, HeadersThatBeginWithXAreNotOwnKeys) {
  const auto spec = must_parse(
      "project: a\nservices: { a: { run: a, check: { headers: { x-ready: 1 } } } }\n"
      "environments: { p: { services: { a: { listen: \":80\" } } } }\n");
  EXPECT_EQ(spec.services[0].check->headers.at("x-ready"), "1");
}

TEST(Spec, AFileOfMoreThanAMegabyteIsRefused) {
  const auto parsed = parse_spec("project: a\n#" + std::string(1U << 20, 'x'));
  ASSERT_EQ(parsed.complaints.size(), 1U);
  EXPECT_EQ(parsed.complaints[0].text, "the file has 1.0 MB; at most 1 MiB is read");
}

TEST(Spec, DeepNestingIsRefusedAndNotKept) {
  std::string deep = "project: a\nx-a: ";
  for (int i = 0; i < 40; ++i) deep += "[";
  for (int i = 0; i < 40; ++i) deep += "]";
  const auto parsed = parse_spec(deep + "\n");
  ASSERT_FALSE(parsed.complaints.empty());
  EXPECT_EQ(parsed.complaints[0].text, "nested more than 32 levels deep");
  EXPECT_FALSE(parse_spec("a: " + std::string(100000, '[')).complaints.empty());
  EXPECT_FALSE(parse_spec("a: " + std::string(100000, '{')).complaints.empty());
}

TEST(Spec, AnAliasBombIsRefusedQuickly) {
  std::string bomb = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 40; ++i) {
    const auto before = std::to_string(i - 1), here = std::to_string(i);
    bomb += "a" + here + ": &a" + here + " [*a" + before + ", *a" + before + "]\n";
  }
  const auto parsed = parse_spec(bomb);
  ASSERT_FALSE(parsed.complaints.empty());
  EXPECT_EQ(parsed.complaints[0].text, "anchors (&name) are not read here; write the value out");
}

TEST(Spec, BytesThatAreNotUtf8AreRefusedWithTheirPlace) {
  const auto parsed = parse_spec("project: a\nstate: \xC3(\n");
  ASSERT_EQ(parsed.complaints.size(), 1U);
  EXPECT_EQ(to_text("belay.yaml", parsed.complaints[0]), "belay.yaml:2:8  this is not UTF-8 text");
}

TEST(Template, DollarsAndReferences) {
  const Template text{"$$a ${B} $c ${service.web.url}/x $${D}"};
  EXPECT_EQ(text.names(), (std::vector<std::string>{"B", "service.web.url"}));
  EXPECT_FALSE(text.literal());
  const auto filled =
      text.filled([](const std::string& name) { return std::optional("<" + name + ">"); });
  ASSERT_TRUE(filled);
  EXPECT_EQ(*filled, "$a <B> $c <service.web.url>/x ${D}");
  const auto missing = text.filled([](const std::string&) { return std::optional<std::string>(); });
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().fault, Fault::missing);
  EXPECT_TRUE(Template{"$5 and $$"}.literal());
}

}  // namespace
}  // namespace belay::pipeline
