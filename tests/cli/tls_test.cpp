// SPDX-License-Identifier: Apache-2.0
// Certificates that do not hold, with the real program: at platforms, stores, the database, checks.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "base/json.hpp"
#include "base/text.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::cli {
namespace {

using belay::testing::CertificateWish;
using belay::testing::HttpServer;
using belay::testing::Identity;
using belay::testing::make_identity;

Identity new_authority() {
  CertificateWish wish;
  wish.name = "Company";
  wish.alternatives = {};
  wish.authority = true;
  return make_identity(wish);
}

Identity expired(const Identity& authority) {
  CertificateWish wish;
  wish.from = std::chrono::days(-20);
  wish.until = std::chrono::days(-2);
  return make_identity(wish, &authority);
}

Identity for_another(const Identity& authority) {
  CertificateWish wish;
  wish.name = "other.example.org";
  wish.alternatives = {"DNS:other.example.org"};
  return make_identity(wish, &authority);
}

Identity without_the_one_between(const Identity& authority) {
  CertificateWish wish;
  wish.name = "Between";
  wish.alternatives = {};
  wish.authority = true;
  const auto between = make_identity(wish, &authority);
  return make_identity({}, &between);
}

struct CertificatesOfAll : ::testing::Test {
  belay::testing::ScratchProject project;
  Identity authority = new_authority();

  CertificatesOfAll() { project.write("company.pem", authority.certificate); }

  // Everything that Belay connects to is this server.
  void everything_at(const std::string& url, const std::string& address, const std::string& tls) {
    project.write("belay.yaml", fmt::format(R"yaml(project: shop
state: ../state
tls: {0}
services:
  backend: {{ path: ., run: "true" }}
  frontend: {{ path: ., build: "true", run: "true" }}
database: {{ uri: "mongodb://{1}/shop?tls=true&serverSelectionTimeoutMS=300&connectTimeoutMS=300&socketTimeoutMS=300" }}
environments:
  production:
    services:
      backend: {{ target: railway, project: p, token: "${{SECRET}}", endpoint: "{2}/graphql/v2" }}
      frontend: {{ target: vercel, project: p, token: "${{SECRET}}", endpoint: "{2}", domains: [a.example.org] }}
    vault:
      store: s3:shop-backups
      s3: {{ key: "${{SECRET}}", secret: "${{SECRET}}", endpoint: "{2}", path_style: true }}
  staging:
    services:
      backend: {{ target: railway, project: p, token: "${{SECRET}}", endpoint: "{2}/graphql/v2" }}
      frontend: {{ target: vercel, project: p, token: "${{SECRET}}", endpoint: "{2}", domains: [a.example.org] }}
    vault:
      store: azblob:backups
      azblob: {{ account: shop, key: "${{SECRET}}", endpoint: "{2}/shop" }}
  checked:
    services:
      backend: {{ target: railway, project: p, token: "${{SECRET}}", endpoint: "{2}/graphql/v2" }}
      frontend: {{ target: vercel, project: p, token: "${{SECRET}}", endpoint: "{2}", domains: [a.example.org] }}
    checks: [{{ name: Page, url: "{2}/page" }}]
    vault: {{ store: "file:../vault" }}
)yaml",
                                            tls, address, url));
    project.commit("Change belay.yaml");
  }
  Finished belay(std::vector<std::string> words) const {
    return project.belay(std::move(words), {{"SECRET", "c2VjcmV0"}});
  }
  // What doctor found of each.
  std::map<std::string, std::string> findings() const {
    std::map<std::string, std::string> found;
    const auto said = belay({"doctor", "--json"});
    for (const auto& line : split(said.out, '\n')) {
      const auto json = parse_json(line);
      if (json) found[json->at("about").get<std::string>()] += json->at("found").get<std::string>();
    }
    return found;
  }
  void expect_refused_everywhere(const Identity& identity, const std::string& why) {
    HttpServer server(identity);
    everything_at(server.url(), server.address(), "{ ca: company.pem }");
    auto found = findings();
    for (const auto* about :
         {"production: backend", "production: frontend", "production: vault", "staging: vault"}) {
      EXPECT_NE(found[about].find(why), std::string::npos) << about << ": " << found[about];
      EXPECT_NE(found[about].find(server.address()), std::string::npos) << found[about];
    }
    EXPECT_NE(found["production: database"].find("certificate verify failed"), std::string::npos)
        << found["production: database"];
    const auto health = belay({"health", "--env", "checked"});
    EXPECT_NE(health.status, 0);
    EXPECT_NE(health.out.find(why), std::string::npos) << health.out << health.err;
    EXPECT_TRUE(server.asked().empty()) << server.asked().front().head;
  }
};

TEST_F(CertificatesOfAll, ForAnotherNameAreRefusedByAll) {
  expect_refused_everywhere(for_another(authority), "it is for other.example.org");
}

TEST_F(CertificatesOfAll, ExpiredAreRefusedByAll) {
  expect_refused_everywhere(expired(authority), "it expired on ");
}

TEST_F(CertificatesOfAll, SelfSignedAreRefusedByAll) {
  expect_refused_everywhere(make_identity({}), "nobody known here signed it");
}

TEST_F(CertificatesOfAll, WithoutTheOneBetweenAreRefusedByAll) {
  expect_refused_everywhere(without_the_one_between(authority),
                            "did not send the certificate that signed its own (Between)");
}

TEST_F(CertificatesOfAll, OfTheCompanysAuthorityAreTakenByAllWhenItIsNamed) {
  HttpServer server(make_identity({}, &authority));
  server.answer("/page", {{200, "ok"}});
  everything_at(server.url(), server.address(), "{ ca: company.pem }");
  const auto said = belay({"doctor"});
  EXPECT_EQ(said.err.find("not checked"), std::string::npos) << said.err;
  std::string asked;
  for (const auto& each : server.asked()) asked += each.path + "\n";
  for (const auto* path : {"/graphql/v2", "/v9/projects/p", "/shop-backups", "/shop/backups"})
    EXPECT_NE(asked.find(path), std::string::npos) << path << " is not among\n" << asked;
  const auto health = belay({"health", "--env", "checked"});
  EXPECT_NE(health.out.find("Page"), std::string::npos) << health.out;
  EXPECT_EQ(health.out.find("certificate"), std::string::npos) << health.out;
}

TEST_F(CertificatesOfAll, AreUncheckedAtTheEndpointThatIsNamedAndTheReasonIsToldByEachCommand) {
  HttpServer server(expired(authority));
  server.answer("/page", {{200, "ok"}});
  const auto tls = fmt::format(
      "{{ unchecked: [{{ endpoint: \"{}\", because: it moves next week }}] }}", server.url());
  everything_at(server.url(), server.address(), tls);
  const auto reason =
      fmt::format("certificates of {} are not checked: it moves next week", server.url());
  const auto doctor = belay({"doctor"});
  EXPECT_NE(doctor.out.find(reason), std::string::npos) << doctor.out;
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"doctor"}, {"health", "--env", "checked"}, {"backup", "list", "--env", "staging"}}) {
    const auto said = belay(words);
    const auto at = said.err.find("warning: " + reason);
    EXPECT_NE(at, std::string::npos) << words.front() << ": " << said.out << said.err;
    EXPECT_EQ(said.err.find(reason, at + 10), std::string::npos) << "twice: " << said.err;
  }
  EXPECT_FALSE(server.asked().empty());
  // It is one thing that reviewers agree to.
  const auto plan = belay({"plan", "--env", "production"});
  EXPECT_NE(plan.out.find("!! " + reason), std::string::npos) << plan.out << plan.err;
}

TEST_F(CertificatesOfAll, AConnectionStringSwitchesNoCheckOff) {
  HttpServer server(expired(authority));
  for (const auto* option :
       {"tlsInsecure", "tlsAllowInvalidCertificates", "tlsAllowInvalidHostnames"}) {
    everything_at(server.url(), server.address(), "{ ca: company.pem }");
    auto text = read_file(project.folder() / "belay.yaml").value();
    text.replace(text.find("tls=true"), 8, fmt::format("tls=true&{}=true", option));
    project.write("belay.yaml", text);
    auto found = findings();
    for (const auto* words : {"switches the check of certificates off", "tlsCAFile"})
      EXPECT_NE(found["production: database"].find(words), std::string::npos)
          << found["production: database"];
    const auto rest = text.substr(text.find("services:"));
    project.write("belay.yaml",
                  fmt::format("project: shop\nstate: ../state\ntls: {{ unchecked: [{{ endpoint: "
                              "\"mongodb://{}\", because: it moves next week }}] }}\n{}",
                              server.address(), rest));
    const auto said = belay({"doctor"});
    EXPECT_EQ(said.out.find("switches the check"), std::string::npos) << said.out;
    EXPECT_NE(said.err.find("are not checked: it moves next week"), std::string::npos) << said.err;
  }
}

TEST_F(CertificatesOfAll, AFileOfAuthoritiesThatIsNotThereIsNamed) {
  everything_at("https://127.0.0.1:1", "127.0.0.1:1", "{ ca: nowhere.pem }");
  EXPECT_NE(findings()["tls"].find("nowhere.pem"), std::string::npos);
  const auto said = belay({"health", "--env", "checked"});
  EXPECT_EQ(said.status, 2);
  EXPECT_NE(said.err.find("tls.ca"), std::string::npos) << said.err;
}

}  // namespace
}  // namespace belay::cli
