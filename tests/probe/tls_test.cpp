// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.hpp"
#include "probe/probe.hpp"
#include "tests/support/http_server.hpp"

namespace belay::probe {
namespace {

using testing::CertificateWish;
using testing::HttpServer;
using testing::Identity;
using testing::make_identity;

class Tls : public ::testing::Test {
 protected:
  void SetUp() override { trust(authority_); }
  void TearDown() override { unsetenv("SSL_CERT_FILE"); }

  void trust(const Identity& identity) {
    const auto file = scratch_.path() / "authorities.pem";
    ASSERT_TRUE(write_file(file, identity.certificate).ok());
    setenv("SSL_CERT_FILE", file.c_str(), 1);
  }
  static Identity make_authority() {
    CertificateWish wish;
    wish.name = "Test Authority";
    wish.alternatives = {};
    wish.authority = true;
    wish.until = std::chrono::days(3650);
    return make_identity(wish);
  }
  Sample facts(const Identity& identity, int days = 14) {
    HttpServer server(identity);
    return prober_->tls(server.address(), days, Millis(5000), {});
  }

  ScratchFolder scratch_ = ScratchFolder::make("tls-test").value();
  SystemClock clock_;
  std::unique_ptr<Prober> prober_ = make_prober(clock_);
  Identity authority_ = make_authority();
};

TEST_F(Tls, AGoodCertificateTellsItsFacts) {
  const auto sample = facts(make_identity({}, &authority_));
  ASSERT_TRUE(sample.good) << sample.text;
  ASSERT_TRUE(sample.certificate.has_value());
  const auto& seen = *sample.certificate;
  EXPECT_EQ(seen.subject, "CN = localhost");
  EXPECT_EQ(seen.issuer, "CN = Test Authority");
  EXPECT_TRUE(seen.name_matches);
  EXPECT_TRUE(seen.chain_valid);
  EXPECT_FALSE(seen.self_signed);
  EXPECT_TRUE(seen.problem.empty());
  EXPECT_NEAR(std::chrono::duration<double>(seen.not_after - clock_.now()).count() / 86400, 90, 1);
  ASSERT_TRUE(sample.phases.has_value());
  EXPECT_GT(sample.phases->appconnect, 0);
}

TEST_F(Tls, TooFewDaysLeftIsBad) {
  CertificateWish wish;
  wish.until = std::chrono::days(10);
  const auto identity = make_identity(wish, &authority_);
  EXPECT_FALSE(facts(identity, 14).good);
  EXPECT_TRUE(facts(identity, 5).good);
}

TEST_F(Tls, AnExpiredCertificateIsBadAndItsFactsAreStillTold) {
  CertificateWish wish;
  wish.from = std::chrono::days(-20);
  wish.until = std::chrono::days(-2);
  const auto sample = facts(make_identity(wish, &authority_), -1000);
  EXPECT_FALSE(sample.good);
  EXPECT_NE(sample.text.find("expired"), std::string::npos) << sample.text;
  ASSERT_TRUE(sample.certificate.has_value());
  EXPECT_FALSE(sample.certificate->chain_valid);
  EXPECT_LT(sample.certificate->not_after, clock_.now());
}

TEST_F(Tls, ACertificateOfTomorrowIsBad) {
  CertificateWish wish;
  wish.from = std::chrono::days(2);
  EXPECT_FALSE(facts(make_identity(wish, &authority_)).good);
}

TEST_F(Tls, ASelfSignedCertificateIsReportedAsOne) {
  const auto sample = facts(make_identity({}));
  EXPECT_FALSE(sample.good);
  ASSERT_TRUE(sample.certificate.has_value());
  EXPECT_TRUE(sample.certificate->self_signed);
  EXPECT_FALSE(sample.certificate->chain_valid);
  EXPECT_NE(sample.text.find("self"), std::string::npos) << sample.text;
}

TEST_F(Tls, ACertificateForAnotherNameIsBad) {
  CertificateWish wish;
  wish.name = "other.example.org";
  wish.alternatives = {"DNS:other.example.org"};
  const auto sample = facts(make_identity(wish, &authority_));
  EXPECT_FALSE(sample.good);
  ASSERT_TRUE(sample.certificate.has_value());
  EXPECT_TRUE(sample.certificate->chain_valid);
  EXPECT_FALSE(sample.certificate->name_matches);
  EXPECT_NE(sample.text.find("127.0.0.1"), std::string::npos) << sample.text;
}

TEST_F(Tls, AWeakKeyIsBadThoughTheChainIsTrusted) {
  CertificateWish wish;
  wish.rsa_bits = 1024;
  EXPECT_FALSE(facts(make_identity(wish, &authority_)).good);
  wish.rsa_bits = 2048;
  EXPECT_TRUE(facts(make_identity(wish, &authority_)).good);
}

TEST_F(Tls, ASha1SignatureIsBadThoughTheChainIsTrusted) {
  CertificateWish wish;
  wish.sha1 = true;
  EXPECT_FALSE(facts(make_identity(wish, &authority_)).good);
}

TEST_F(Tls, AnIssuerThatEndsFirstIsWhatCounts) {
  CertificateWish wish;
  wish.name = "Between";
  wish.alternatives = {};
  wish.authority = true;
  wish.until = std::chrono::days(5);
  const auto between = make_identity(wish, &authority_);
  auto leaf = make_identity({}, &between);
  leaf.certificate += between.certificate;
  const auto sample = facts(leaf, 14);
  EXPECT_FALSE(sample.good);
  ASSERT_TRUE(sample.certificate.has_value());
  EXPECT_TRUE(sample.certificate->chain_valid) << sample.text;
  EXPECT_LT(sample.certificate->chain_ends, sample.certificate->not_after);
  EXPECT_TRUE(facts(leaf, 2).good);
}

TEST_F(Tls, AMissingIssuerIsBad) {
  CertificateWish wish;
  wish.name = "Between";
  wish.alternatives = {};
  wish.authority = true;
  const auto between = make_identity(wish, &authority_);
  EXPECT_FALSE(facts(make_identity({}, &between)).good);  // its certificate is not sent
}

TEST_F(Tls, AServerWithoutTlsIsBad) {
  HttpServer plain;
  const auto sample = prober_->tls(plain.address(), 14, Millis(2000), {});
  EXPECT_FALSE(sample.good);
  EXPECT_FALSE(sample.text.empty());
}

TEST_F(Tls, AnHttpsRequestChecksTheChainAndReportsIt) {
  HttpServer server(make_identity({}, &authority_));
  server.answer("/", {{200, "ok"}});
  HttpRequest request;
  request.url = server.url() + "/";
  const auto sample = prober_->http(request, {}, {});
  ASSERT_TRUE(sample.good) << sample.text;
  ASSERT_TRUE(sample.certificate.has_value());
  EXPECT_TRUE(sample.certificate->chain_valid);
  EXPECT_GE(sample.phases->appconnect, sample.phases->connect);

  HttpServer stranger(make_identity({}));
  stranger.answer("/", {{200, "ok"}});
  request.url = stranger.url() + "/";
  const auto refused = prober_->http(request, {}, {});
  EXPECT_FALSE(refused.good);
  EXPECT_TRUE(refused.certificate.has_value());
  EXPECT_TRUE(stranger.asked().empty());
}

}  // namespace
}  // namespace belay::probe
