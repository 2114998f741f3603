// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "probe/probe.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_server.hpp"

namespace belay::probe {
namespace {

using testing::Answer;
using testing::HttpServer;
using Trouble = Answer::Trouble;

class Http : public ::testing::Test {
 protected:
  Sample ask(const std::string& path, const Expectation& expected = {}) {
    HttpRequest request;
    request.url = server_.url() + path;
    request.timeout = timeout_;
    return prober_->http(request, expected, stop_.get_token());
  }
  Sample ask_json(const std::string& body, const Json& expected) {
    server_.answer("/j", {{200, body}});
    Expectation wanted;
    wanted.json = expected;
    return ask("/j", wanted);
  }

  SystemClock clock_;
  std::unique_ptr<Prober> prober_ = make_prober(clock_);
  HttpServer server_;
  std::stop_source stop_;
  Millis timeout_{5000};
};

TEST_F(Http, A2xxIsGoodAndHasMeasuredPhasesInOrder) {
  server_.answer("/", {{200, "hello", {}, Millis(50)}});
  const auto sample = ask("/");
  ASSERT_TRUE(sample.good) << sample.text;
  EXPECT_EQ(sample.http_status, 200);
  ASSERT_TRUE(sample.phases.has_value());
  const auto& phases = *sample.phases;
  EXPECT_GT(phases.connect, 0);
  EXPECT_LE(phases.connect, phases.pretransfer);
  EXPECT_LE(phases.pretransfer, phases.starttransfer);
  EXPECT_GE(phases.starttransfer, 0.04);
  EXPECT_LE(phases.starttransfer, phases.total);
  EXPECT_GE(sample.took, Millis(40));
}

TEST_F(Http, OtherStatusesAreBadUnlessExpected) {
  for (const int status : {199 + 105, 400, 404, 500, 503}) {
    server_.answer("/", {{status, "x"}});
    EXPECT_FALSE(ask("/").good) << status;
    Expectation expected;
    expected.status = status;
    EXPECT_TRUE(ask("/", expected).good) << status;
  }
  Expectation created;
  created.status = 201;
  server_.answer("/", {{200, "x"}});
  EXPECT_FALSE(ask("/", created).good);
}

TEST_F(Http, ARedirectIsAStatusAndIsNotFollowed) {
  server_.answer("/", {{301, "", {{"Location", server_.url() + "/there"}}}});
  server_.answer("/there", {{200, "ok"}});
  const auto sample = ask("/");
  EXPECT_FALSE(sample.good);
  EXPECT_EQ(sample.http_status, 301);
  EXPECT_NE(sample.text.find("not followed"), std::string::npos);
  EXPECT_EQ(server_.asked().size(), 1U);
}

TEST_F(Http, ABodyMustHoldTheText) {
  server_.answer("/", {{200, "<h1>Shop</h1>"}});
  Expectation expected;
  expected.body = "Shop";
  EXPECT_TRUE(ask("/", expected).good);
  expected.body = "shop";
  EXPECT_FALSE(ask("/", expected).good);
}

TEST_F(Http, HeadersAreComparedByNameInAnyCaseAndByWholeValue) {
  server_.answer("/", {{200, "", {{"X-Release", "prod-1"}, {"Content-Type", "text/html"}}}});
  Expectation expected;
  expected.headers = {{"x-RELEASE", "prod-1"}};
  EXPECT_TRUE(ask("/", expected).good);
  expected.headers = {{"X-Release", "prod"}};
  EXPECT_FALSE(ask("/", expected).good);
  expected.headers = {{"X-Missing", ""}};
  EXPECT_FALSE(ask("/", expected).good);
}

TEST_F(Http, JsonMembersAreFoundByDottedPath) {
  const std::string body = R"({"status":"ok","db":{"up":true,"lag":3},"list":[{"a":1}],"x.y":5})";
  EXPECT_TRUE(ask_json(body, {{"status", "ok"}}).good);
  EXPECT_TRUE(ask_json(body, {{"db.up", true}, {"db.lag", 3}}).good);
  EXPECT_TRUE(ask_json(body, {{"list.0.a", 1}}).good);
  EXPECT_TRUE(ask_json(body, {{"x.y", 5}}).good);
  EXPECT_TRUE(ask_json(body, {{"db", {{"up", true}, {"lag", 3}}}}).good);
}

TEST_F(Http, JsonThatDiffersInValueOrTypeIsBad) {
  const std::string body = R"({"status":"down","n":"3","flag":1,"none":null})";
  EXPECT_NE(ask_json(body, {{"status", "ok"}}).text.find("got \"down\""), std::string::npos);
  EXPECT_FALSE(ask_json(body, {{"n", 3}}).good);
  EXPECT_FALSE(ask_json(body, {{"flag", true}}).good);
  EXPECT_FALSE(ask_json(body, {{"none", 0}}).good);
  EXPECT_FALSE(ask_json(body, {{"none", ""}}).good);
  EXPECT_FALSE(ask_json(body, {{"status.deeper", "ok"}}).good);
}

TEST_F(Http, ABodyThatIsNotJsonIsBad) {
  for (const std::string body : {"", "ok", "{\"status\":\"ok\"", "{\"status\":\"ok\"} trailing",
                                 "<html>{\"status\":\"ok\"}</html>", "null", "[]"}) {
    EXPECT_FALSE(ask_json(body, {{"status", "ok"}}).good) << body;
  }
}

TEST_F(Http, VeryDeepJsonIsSurvived) {
  const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
  EXPECT_FALSE(ask_json("{\"a\":" + deep + "}", {{"a", 1}}).good);
}

TEST_F(Http, TheAnswersTextIsShownShortAndPrintable) {
  const auto sample =
      ask_json("{\"status\":\"\\u001b[31m" + std::string(5000, 'x') + "\"}", {{"status", "ok"}});
  EXPECT_FALSE(sample.good);
  EXPECT_LT(sample.text.size(), 200U);
  EXPECT_EQ(sample.text.find('\x1b'), std::string::npos);
}

TEST_F(Http, AnAnswerOverTheLimitOfTimeIsBad) {
  server_.answer("/", {{200, "ok", {}, Millis(120)}});
  Expectation expected;
  expected.under = Millis(100);
  EXPECT_FALSE(ask("/", expected).good);
  expected.under = Millis(4000);
  EXPECT_TRUE(ask("/", expected).good);
}

TEST_F(Http, TheLimitCountsTheWholeBodyNotTheHeadersOnly) {
  server_.answer("/", {{200, "0123456789", {}, Millis(0), Trouble::drip}});
  Expectation expected;
  expected.under = Millis(100);
  EXPECT_FALSE(ask("/", expected).good);
}

TEST_F(Http, AServerThatHangsIsBadAtTheTimeout) {
  timeout_ = Millis(200);
  for (const auto trouble : {Trouble::hang, Trouble::hang_in_body}) {
    server_.answer("/", {{200, "half of this", {}, Millis(0), trouble}});
    const auto sample = ask("/");
    EXPECT_FALSE(sample.good);
    EXPECT_FALSE(sample.stopped);
    EXPECT_NE(sample.text.find("200ms"), std::string::npos) << sample.text;
  }
}

TEST_F(Http, CutShortWrongAndForeignAnswersAreBad) {
  for (const auto trouble :
       {Trouble::cut, Trouble::close, Trouble::wrong_length, Trouble::garbage}) {
    server_.answer("/", {{200, "a body that is long enough to be cut", {}, Millis(0), trouble}});
    const auto sample = ask("/");
    EXPECT_FALSE(sample.good) << static_cast<int>(trouble);
    EXPECT_FALSE(sample.text.empty());
  }
}

TEST_F(Http, ABodyOfAMebibyteIsReadAndOneByteMoreIsNot) {
  server_.answer("/", {{200, std::string(1 << 20, 'x')}});
  EXPECT_TRUE(ask("/").good);
  server_.answer("/", {{200, std::string((1 << 20) + 1, 'x')}});
  EXPECT_NE(ask("/").text.find("1 MiB"), std::string::npos);
  server_.answer("/", {{200, "", {}, Millis(0), Trouble::endless}});
  EXPECT_NE(ask("/").text.find("1 MiB"), std::string::npos);
}

TEST_F(Http, MethodHeadersAndBodyAreSent) {
  server_.answer("/login", {{200, "ok"}});
  HttpRequest request;
  request.url = server_.url() + "/login";
  request.method = "POST";
  request.body = "{\"user\":\"amina\"}";
  request.headers = {{"Content-Type", "application/json"}};
  ASSERT_TRUE(prober_->http(request, {}, {}).good);
  const auto asked = server_.asked().at(0);
  EXPECT_EQ(asked.method, "POST");
  EXPECT_EQ(asked.body, request.body);
  EXPECT_NE(asked.head.find("Content-Type: application/json"), std::string::npos);
}

TEST_F(Http, AHeadRequestNeedsNoBody) {
  server_.answer("/", {{200, "a body that a HEAD answer leaves out"}});
  HttpRequest request;
  request.url = server_.url() + "/";
  request.method = "HEAD";
  const auto sample = prober_->http(request, {}, {});
  EXPECT_TRUE(sample.good) << sample.text;
}

TEST_F(Http, ConnectToAsksThatAddressForTheUrlsHost) {
  server_.answer("/", {{200, "ok"}});
  HttpRequest request;
  request.url = "http://shop.example.org/";
  request.connect_to = server_.address();
  const auto sample = prober_->http(request, {}, {});
  ASSERT_TRUE(sample.good) << sample.text;
  EXPECT_NE(server_.asked().at(0).head.find("Host: shop.example.org\r\n"), std::string::npos);
}

TEST_F(Http, AProxyOfTheEnvironmentDoesNotAnswerForLoopback) {
  setenv("http_proxy", "http://127.0.0.1:9", 1);
  server_.answer("/", {{200, "ok"}});
  const auto sample = ask("/");
  unsetenv("http_proxy");
  EXPECT_TRUE(sample.good) << sample.text;
}

TEST_F(Http, WhatCannotBeAskedIsABadSampleThatSaysWhy) {
  for (const std::string url : {"", "ftp://127.0.0.1/", "file:///etc/passwd", "http://", "nonsense",
                                "http://127.0.0.1/\r\nX: y", "gopher://127.0.0.1:1/"}) {
    HttpRequest request;
    request.url = url;
    const auto sample = prober_->http(request, {}, {});
    EXPECT_FALSE(sample.good) << url;
    EXPECT_FALSE(sample.text.empty()) << url;
  }
  HttpRequest request;
  request.url = server_.url() + "/";
  request.headers = {{"X-A", "b\r\nX-Evil: 1"}};
  EXPECT_FALSE(prober_->http(request, {}, {}).good);
  request.headers = {};
  request.method = "GET / HTTP/1.1\r\nX: ";
  EXPECT_FALSE(prober_->http(request, {}, {}).good);
  request.method = "GET";
  request.timeout = Millis(0);
  EXPECT_FALSE(prober_->http(request, {}, {}).good);
  EXPECT_TRUE(server_.asked().empty());
}

TEST_F(Http, AStopEndsTheWaitAtOnceAndSaysNothingAboutTheService) {
  server_.answer("/", {{200, "", {}, Millis(0), Trouble::hang}});
  timeout_ = std::chrono::seconds(60);
  const auto start = clock_.steady();
  std::jthread stopper([this] {
    (void)eventually([this] { return !server_.asked().empty(); });
    stop_.request_stop();
  });
  const auto sample = ask("/");
  EXPECT_TRUE(sample.stopped);
  EXPECT_FALSE(sample.good);
  EXPECT_LT(clock_.steady() - start, std::chrono::seconds(30));
}

}  // namespace
}  // namespace belay::probe
