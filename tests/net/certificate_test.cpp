// SPDX-License-Identifier: Apache-2.0
// Whose certificates hold, as the client tells it: with every sort of bad ones.
#include <gtest/gtest.h>

#include "base/file.hpp"
#include "net/http.hpp"
#include "tests/support/http_server.hpp"

namespace belay::net {
namespace {

using belay::testing::CertificateWish;
using belay::testing::HttpServer;
using belay::testing::Identity;
using belay::testing::make_identity;
using std::chrono::days;

CertificateWish authority(const std::string& name) {
  CertificateWish wish;
  wish.name = name;
  wish.alternatives = {};
  wish.authority = true;
  return wish;
}

struct Certificates : ::testing::Test {
  SystemClock clock;
  Identity root = make_identity(authority("Test Authority"));
  Trust trust{root.certificate};

  Result<Response> ask(HttpServer& server) {
    server.answer("/x?sig=s3cr3t", {{200, "ok"}});
    Request request;
    request.url = server.url() + "/x?sig=s3cr3t";
    request.headers = {{"authorization", "Bearer s3cr3t"}};
    return make_client(clock, trust)->send(request, {});
  }
  // What the client says of a server that has this identity; it must have sent nothing.
  std::string refusal(const Identity& identity) {
    HttpServer server(identity);
    const auto answer = ask(server);
    EXPECT_TRUE(server.asked().empty());
    if (answer) return "it was taken";
    EXPECT_EQ(answer.error().fault, Fault::refused);
    EXPECT_EQ(answer.error().effect, Effect::none);
    const auto text = answer.error().message();
    EXPECT_NE(text.find(server.address()), std::string::npos) << text;
    EXPECT_EQ(text.find("s3cr3t"), std::string::npos) << text;
    return text;
  }
  static void expect_says(const std::string& text, const std::vector<std::string>& words) {
    for (const auto& each : words) EXPECT_NE(text.find(each), std::string::npos) << text;
  }
};

TEST_F(Certificates, OfAnAuthorityThatIsNamedHold) {
  HttpServer server(make_identity({}, &root));
  const auto answer = ask(server);
  ASSERT_TRUE(answer.ok()) << answer.error().message();
  EXPECT_EQ(answer->body, "ok");
}

TEST_F(Certificates, OfAnotherNameAreRefusedWithTheNamesThatTheyAreFor) {
  CertificateWish wish;
  wish.name = "other.example.org";
  wish.alternatives = {"DNS:other.example.org", "DNS:*.example.net"};
  expect_says(refusal(make_identity(wish, &root)),
              {"it is for other.example.org, *.example.net, not for 127.0.0.1"});
}

TEST_F(Certificates, ThatHaveExpiredAreRefusedWithTheDay) {
  CertificateWish wish;
  wish.from = days(-20);
  wish.until = days(-2);
  const auto day = to_text(clock.now() - days(2)).substr(0, 10);
  expect_says(refusal(make_identity(wish, &root)), {"expired on " + day, "needs a new one"});
}

TEST_F(Certificates, OfTomorrowAreRefusedWithTheDay) {
  CertificateWish wish;
  wish.from = days(2);
  const auto day = to_text(clock.now() + days(2)).substr(0, 10);
  expect_says(refusal(make_identity(wish, &root)), {"holds from " + day + " on", "clock"});
}

TEST_F(Certificates, SignedByThemselvesAreRefusedWithTheWayToTrustThem) {
  expect_says(refusal(make_identity({})), {"self-signed", "tls: { ca: FILE }", "SSL_CERT_FILE"});
}

TEST_F(Certificates, OfAnUnknownAuthorityAreRefusedWithItsName) {
  const auto stranger = make_identity(authority("Stranger"));
  auto leaf = make_identity({}, &stranger);
  leaf.certificate += stranger.certificate;
  expect_says(refusal(leaf), {"Stranger, which nobody here knows, signed it", "tls: { ca: FILE }"});
}

TEST_F(Certificates, WithoutTheOneBetweenAreRefusedWithItsName) {
  const auto between = make_identity(authority("Between"), &root);
  auto leaf = make_identity({}, &between);
  expect_says(refusal(leaf),
              {"did not send the certificate that signed its own (Between)", "whole chain"});
  leaf.certificate += between.certificate;
  HttpServer whole(leaf);
  EXPECT_TRUE(ask(whole).ok());
}

TEST_F(Certificates, WhoseIssuerHasExpiredAreRefusedWithItsName) {
  auto wish = authority("Between");
  wish.from = days(-20);
  wish.until = days(-2);
  const auto between = make_identity(wish, &root);
  auto leaf = make_identity({}, &between);
  leaf.certificate += between.certificate;
  expect_says(refusal(leaf), {"the certificate of its issuer Between expired on"});
}

TEST_F(Certificates, AreLeftUncheckedAtOneEndpointOnlyAndThatIsToldEachTime) {
  CertificateWish wish;
  wish.name = "other.example.org";
  wish.alternatives = {};
  wish.from = days(-20);
  wish.until = days(-2);
  HttpServer odd(make_identity(wish));
  std::vector<std::string> told;
  trust.unchecked = {{odd.url(), "it moves next week"}};
  trust.tell = [&told](const auto& endpoint, const auto& because) {
    told.push_back(endpoint + ": " + because);
  };
  for (int i = 0; i < 2; ++i) {
    const auto answer = ask(odd);
    ASSERT_TRUE(answer.ok()) << answer.error().message();
  }
  EXPECT_EQ(told, (std::vector<std::string>(2, odd.url() + ": it moves next week")));
  EXPECT_NE(refusal(make_identity({})), "it was taken");  // the same host, another port
  EXPECT_EQ(told.size(), 2u);
}

TEST(Endpoints, AreSpelledInOneWay) {
  EXPECT_EQ(endpoint_of("HTTPS://Minio.Internal:443/bucket?x=1").value(), "https://minio.internal");
  EXPECT_EQ(endpoint_of("https://minio.internal:9000").value(), "https://minio.internal:9000");
  EXPECT_FALSE(endpoint_of("minio.internal").ok());
}

TEST(Authorities, AFileWithoutACertificateIsToldApartFromOneThatIsBroken) {
  const auto one = make_identity({}).certificate;
  EXPECT_TRUE(check_authorities("A note.\n" + one + one).ok());
  EXPECT_NE(check_authorities("none").error().message().find("no certificate"), std::string::npos);
  auto broken = one;
  broken.replace(broken.size() / 2, 8, "********");
  EXPECT_FALSE(check_authorities(one + broken).ok());
}

}  // namespace
}  // namespace belay::net
