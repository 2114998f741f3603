// SPDX-License-Identifier: Apache-2.0
// Signing in to stores without a key of our own: the job's token against one that holds for a
// while.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "net/date.hpp"
#include "storage/aws_role.hpp"
#include "storage/azure_token.hpp"
#include "tests/storage/stores.hpp"
#include "tests/support/fake_world.hpp"
#include "tests/support/http_server.hpp"

namespace belay::storage {
namespace {

using belay::testing::Answer;
using belay::testing::HttpServer;

const std::string job_path = "/job?api-version=2.0&audience=api%3A%2F%2FAzureADTokenExchange";

std::string tokens_answer(const std::string& token, int seconds) {
  return Json{{"token_type", "Bearer"}, {"expires_in", seconds}, {"access_token", token}}.dump();
}

// GitHub and Microsoft Entra in one.
struct EntraSignIn : ::testing::Test {
  FakeClock clock{parse_time("2026-01-05T10:00:00Z").value()};
  SystemRandom random;
  HttpServer server;
  AzureRole role = of_github();

  AzureRole of_github() {
    AzureRole of{"the-tenant", "the-client", server.url() + "/", {}};
    of.identity = {Identity::From::github,
                   server.url() + "/job?api-version=2.0",
                   Secret("request-sentinel"),
                   {}};
    return of;
  }
  void SetUp() override {
    server.answer(job_path, {{200, R"({"value":"jwt-sentinel"})"}});
    server.answer("/the-tenant/oauth2/v2.0/token", {{200, tokens_answer("access-sentinel", 3600)}});
  }
  AzureToken sign_in() { return {role, belay::testing::impatience(), clock, random}; }
  static void expect_no_secret(const std::string& text) {
    for (const char* secret : {"request-sentinel", "jwt-sentinel", "access-sentinel"})
      EXPECT_EQ(text.find(secret), std::string::npos) << text;
  }
};

TEST_F(EntraSignIn, AJobsTokenIsExchangedForOneOfStorage) {
  EXPECT_EQ(sign_in().get().value().reveal(), "access-sentinel");
  const auto asked = server.asked();
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_EQ(asked[0].method, "GET");
  EXPECT_NE(asked[0].head.find("uthorization: Bearer request-sentinel"), std::string::npos);
  EXPECT_EQ(asked[1].method, "POST");
  EXPECT_NE(asked[1].head.find("application/x-www-form-urlencoded"), std::string::npos);
  EXPECT_EQ(asked[1].body,
            "client_assertion=jwt-sentinel&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A"
            "client-assertion-type%3Ajwt-bearer&client_id=the-client&grant_type=client_credentials&"
            "scope=https%3A%2F%2Fstorage.azure.com%2F.default");
}

TEST_F(EntraSignIn, AFilesTokenIsReadAnewEachTime) {
  const auto folder = ScratchFolder::make("belay-identity").value();
  role.identity = {Identity::From::file, "", {}, folder.path() / "token"};
  auto token = sign_in();
  EXPECT_EQ(token.get().error().fault, Fault::missing);
  ASSERT_TRUE(write_file(role.identity.file, " first\n"));
  ASSERT_TRUE(token.get().ok());
  EXPECT_NE(server.asked().back().body.find("client_assertion=first&"), std::string::npos);
  ASSERT_TRUE(write_file(role.identity.file, "second\n"));
  clock.advance(std::chrono::hours(1));
  ASSERT_TRUE(token.get().ok());
  EXPECT_NE(server.asked().back().body.find("client_assertion=second&"), std::string::npos);
}

TEST_F(EntraSignIn, ItIsRenewedBeforeItEndsAndTheOldOneUsedWhereThereIsNoNew) {
  server.answer(
      "/the-tenant/oauth2/v2.0/token",
      {{200, tokens_answer("one", 3600)}, {200, tokens_answer("two", 3600)}, {400, "{}"}});
  auto token = sign_in();
  EXPECT_EQ(token.get().value().reveal(), "one");
  clock.advance(std::chrono::minutes(47));
  EXPECT_EQ(token.get().value().reveal(), "one");
  clock.advance(std::chrono::minutes(2));
  EXPECT_EQ(token.get().value().reveal(), "two");
  clock.advance(std::chrono::minutes(50));
  EXPECT_EQ(token.get().value().reveal(), "two");
  clock.advance(std::chrono::minutes(11));
  EXPECT_EQ(token.get().error().fault, Fault::denied);
}

TEST_F(EntraSignIn, WhatEntraSaysIsToldWithoutASecret) {
  server.answer(
      "/the-tenant/oauth2/v2.0/token",
      {{401, R"({"error":"invalid_client","error_description":)"
             R"("AADSTS700213: No matching federated identity record found.\r\nTrace"})"}});
  const auto denied = sign_in().get().error();
  EXPECT_EQ(denied.fault, Fault::denied);
  EXPECT_NE(denied.message().find("the client the-client of the tenant the-tenant: 401 "
                                  "invalid_client: AADSTS700213: No matching federated"),
            std::string::npos)
      << denied.message();
  expect_no_secret(denied.message());
  for (const auto& [status, body] :
       std::vector<std::pair<int, std::string>>{{200, "{}"},
                                                {200, "no json"},
                                                {200, R"({"access_token":"access-sentinel"})"},
                                                {200, R"({"access_token":7,"expires_in":1})"}}) {
    server.answer("/the-tenant/oauth2/v2.0/token", {{status, body}});
    const auto odd = sign_in().get();
    ASSERT_FALSE(odd.ok()) << body;
    expect_no_secret(odd.error().message());
  }
}

TEST_F(EntraSignIn, AJobWithoutTheRightIsToldWhichItNeeds) {
  for (const auto& answer : {Answer{403, "no"}, Answer{200, R"({"value":7})"}, Answer{200, "[]"}}) {
    server.answer(job_path, {answer});
    const auto denied = sign_in().get().error();
    EXPECT_EQ(denied.fault, Fault::denied);
    EXPECT_NE(denied.message().find("permissions: { id-token: write }"), std::string::npos);
    expect_no_secret(denied.message());
  }
}

TEST_F(EntraSignIn, ATokenGoesNowhereInTheOpen) {
  role.identity.url = "http://example.org/job";
  EXPECT_EQ(sign_in().get().error().fault, Fault::invalid);
  role = of_github();
  role.authority = "http://login.example.org";
  const auto refused = sign_in().get().error();
  EXPECT_EQ(refused.fault, Fault::invalid);
  EXPECT_NE(refused.message().find("over https:// only"), std::string::npos);
}

TEST_F(EntraSignIn, ALostOrLateAnswerIsAskedForAgain) {
  const auto close = Answer{200, "", {}, Millis(0), Answer::Trouble::close};
  server.answer(job_path, {close, {503, ""}, {200, R"({"value":"jwt-sentinel"})"}});
  server.answer("/the-tenant/oauth2/v2.0/token",
                {close, {429, ""}, {200, tokens_answer("access-sentinel", 3600)}});
  EXPECT_EQ(sign_in().get().value().reveal(), "access-sentinel");
}

// A token as Azurite checks it: who gave it, for whom, until when; not its signature.
std::string unsigned_token(TimePoint now) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
  const auto part = [](const Json& json) {
    auto text = base64(json.dump());
    std::replace(text.begin(), text.end(), '+', '-');
    std::replace(text.begin(), text.end(), '/', '_');
    text.erase(text.find_last_not_of('=') + 1);
    return text;
  };
  return part({{"alg", "HS256"}, {"typ", "JWT"}}) + "." +
         part({{"aud", "https://storage.azure.com"},
               {"iss", "https://sts.windows.net/the-tenant/"},
               {"iat", seconds - 10},
               {"nbf", seconds - 10},
               {"exp", seconds + 3600}}) +
         ".c2lnbmF0dXJl";
}

TEST(AzureWithAnIdentity, StoresByItsTokenAndGetsANewOneWhenItIsNotTaken) {
  SystemClock clock;
  SystemRandom random;
  HttpServer entra;
  entra.answer("/job?audience=api%3A%2F%2FAzureADTokenExchange", {{200, R"({"value":"jwt"})"}});
  entra.answer("/t/oauth2/v2.0/token", {{200, tokens_answer("stale.token.sentinel", 3600)},
                                        {200, tokens_answer(unsigned_token(clock.now()), 3600)}});
  auto config = belay::testing::azure_oauth_server().config;
  config.key = {};
  config.role = {
      "t", "c", entra.url(), {Identity::From::github, entra.url() + "/job", Secret("r"), {}}};
  const auto store = make_azure(config, clock, random).value();
  const auto put = store->put("name", "x");
  ASSERT_TRUE(put.ok()) << put.error().message();
  EXPECT_EQ(store->get("name").value(), "x");
  EXPECT_EQ(store->list("").value().size(), 1U);
  EXPECT_TRUE(store->remove("name").ok());
  EXPECT_EQ(entra.asked().size(), 4U);  // twice both
}

TEST(S3WithAnIdentity, StoresByTheKeysOfARole) {
  SystemClock clock;
  SystemRandom random;
  auto server = belay::testing::s3_server();
  HttpServer sts;
  sts.answer("/job?audience=sts.amazonaws.com", {{200, R"({"value":"jwt"})"}});
  const auto until = clock.now() + std::chrono::hours(1);
  sts.answer("/", {{200, belay::testing::sts_answer(server.role_key, until)}});
  server.config.key = {};
  server.config.role = {
      server.role, sts.url() + "/", {Identity::From::github, sts.url() + "/job", Secret("r"), {}}};
  const auto store = make_s3(server.config, clock, random).value();
  const auto put = store->put("name", "x");
  ASSERT_TRUE(put.ok()) << put.error().message();
  EXPECT_EQ(store->get("name").value(), "x");
  EXPECT_EQ(store->list("").value().size(), 1U);
  EXPECT_EQ(sts.asked().size(), 2U);
}

struct StsSignIn : ::testing::Test {
  FakeClock clock{parse_time("2026-01-05T10:00:00Z").value()};
  SystemRandom random;
  HttpServer server;
  AwsRole role{"arn:aws:iam::1:role/belay",
               server.url() + "/",
               {Identity::From::github, server.url() + "/job", Secret("request-sentinel"), {}}};

  void SetUp() override {
    server.answer("/job?audience=sts.amazonaws.com", {{200, R"({"value":"jwt-sentinel"})"}});
  }
  AwsRoleKeys sign_in() { return {role, belay::testing::impatience(), clock, random}; }
  static Answer keys(const std::string& id, const std::string& until) {
    const auto xml =
        belay::testing::sts_answer({id, Secret("s"), Secret("t")}, parse_time(until).value());
    return {200, xml, {{"Date", "Mon, 05 Jan 2026 12:00:00 GMT"}}};
  }
};

TEST_F(StsSignIn, AJobsTokenIsExchangedForKeysThatAreRenewedByTheirOwnTime) {
  server.answer("/", {keys("one", "2026-01-05T12:15:00Z"), keys("two", "2026-01-05T13:00:00Z")});
  auto role_keys = sign_in();
  const auto one = role_keys.get().value();
  EXPECT_EQ(one.id, "one");
  EXPECT_EQ(one.secret.reveal(), "s");
  EXPECT_EQ(one.session.reveal(), "t");
  EXPECT_EQ(server.asked()[1].body,
            "Action=AssumeRoleWithWebIdentity&DurationSeconds=3600&RoleArn=arn%3Aaws%3Aiam%3A%3A1"
            "%3Arole%2Fbelay&RoleSessionName=belay&Version=2011-06-15&WebIdentityToken="
            "jwt-sentinel");
  clock.advance(std::chrono::minutes(11));
  EXPECT_EQ(role_keys.get().value().id, "one");
  clock.advance(std::chrono::minutes(2));
  EXPECT_EQ(role_keys.get().value().id, "two");
}

TEST_F(StsSignIn, WhatStsSaysIsToldWithoutASecret) {
  server.answer("/", {{403,
                       "<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not authorized to "
                       "perform sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>"}});
  const auto denied = sign_in().get().error();
  EXPECT_EQ(denied.fault, Fault::denied);
  EXPECT_NE(denied.message().find("role arn:aws:iam::1:role/belay: 403 AccessDenied: Not auth"),
            std::string::npos)
      << denied.message();
  EXPECT_EQ(denied.message().find("sentinel"), std::string::npos);
}

}  // namespace
}  // namespace belay::storage
