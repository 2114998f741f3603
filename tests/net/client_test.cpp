// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/hash.hpp"
#include "net/http.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_server.hpp"

namespace belay::net {
namespace {

using belay::testing::Answer;
using belay::testing::HttpServer;
using Trouble = Answer::Trouble;

struct Sending : ::testing::Test {
  SystemClock clock;
  std::unique_ptr<Client> client = make_client(clock);
  HttpServer server;
  std::stop_source stop;

  Result<Response> send(const std::string& method, const std::string& body = "") {
    Request request;
    request.url = server.url() + "/x";
    request.method = method;
    request.body = body;
    request.headers = {{"content-type", "text/plain"}};
    request.timeout = Millis(2000);
    return client->send(request, stop.get_token());
  }
};

TEST_F(Sending, AnyWholeAnswerIsAnAnswer) {
  server.answer("/x", {{200, "one", {{"X-Mark", "m"}}}, {302, ""}, {404, "no"}, {503, "later"}});
  const auto good = send("GET");
  ASSERT_TRUE(good.ok()) << good.error().message();
  EXPECT_EQ(good->body, "one");
  EXPECT_EQ(good->header("x-mark"), "m");
  EXPECT_EQ(good->header("x-none"), "");
  EXPECT_EQ(send("GET")->status, 302);
  EXPECT_EQ(send("GET")->status, 404);
  EXPECT_EQ(send("GET")->status, 503);
}

TEST_F(Sending, ABodyGoesOutAsItIsAndAnEmptyOneHasALength) {
  server.answer("/x", {{200, ""}});
  const std::string body("a\0b\r\n", 5);
  for (const char* method : {"PUT", "POST", "PATCH"}) {
    ASSERT_TRUE(send(method, body).ok());
    EXPECT_EQ(server.asked().back().method, method);
    EXPECT_EQ(server.asked().back().body, body);
  }
  for (const char* method : {"PUT", "POST"}) {
    ASSERT_TRUE(send(method).ok());
    EXPECT_NE(server.asked().back().head.find("Content-Length: 0"), std::string::npos) << method;
  }
}

TEST_F(Sending, ALargeBodyIsNotCopiedAndGoesOutAsItIs) {
  server.answer("/x", {{200, ""}});
  const std::string body(std::size_t{3} << 20, 'y');
  Request request;
  request.url = server.url() + "/x";
  request.method = "PUT";
  request.large_body = body;
  ASSERT_TRUE(client->send(request, {}).ok());
  EXPECT_TRUE(server.asked().back().body == body);
}

TEST_F(Sending, NobodyThereHasHadNoEffect) {
  Request request;
  request.url = "http://127.0.0.1:" + std::to_string(belay::testing::unused_port()) + "/";
  const auto answer = client->send(request, {});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().fault, Fault::unreachable);
  EXPECT_EQ(answer.error().effect, Effect::none);
}

TEST_F(Sending, AnAnswerThatIsLostOrHalfLeavesTheEffectUnknown) {
  for (const auto trouble :
       {Trouble::close, Trouble::cut, Trouble::wrong_length, Trouble::garbage, Trouble::hang}) {
    server.answer("/x", {{200, "a longer body", {}, Millis(0), trouble}});
    const auto answer = send("POST", "x");
    ASSERT_FALSE(answer.ok()) << static_cast<int>(trouble);
    EXPECT_EQ(answer.error().effect, Effect::unknown) << static_cast<int>(trouble);
    EXPECT_EQ(answer.error().fault, trouble == Trouble::hang ? Fault::timeout : Fault::unreachable);
  }
}

TEST_F(Sending, WhatCameOfAnAnswerThatWasCutIsHandedOver) {
  Request request;
  request.url = server.url() + "/x";
  Response unfinished;
  request.unfinished = &unfinished;
  server.answer("/x", {{206, "a longer body", {{"ETag", "\"1\""}}, Millis(0), Trouble::cut},
                       {200, "x", {}, Millis(0), Trouble::close}});
  ASSERT_FALSE(client->send(request, {}).ok());
  EXPECT_EQ(unfinished.status, 206);
  EXPECT_EQ(unfinished.header("etag"), "\"1\"");
  EXPECT_EQ(unfinished.body, "a long");
  unfinished = {};
  ASSERT_FALSE(client->send(request, {}).ok());
  EXPECT_EQ(unfinished.status, 0);
}

TEST_F(Sending, AnAnswerOverTheLimitIsRefused) {
  server.answer("/x", {{200, "x", {}, Millis(0), Trouble::endless}});
  const auto answer = send("GET");
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().fault, Fault::refused);
}

TEST_F(Sending, AStopEndsItAtOnce) {
  server.answer("/x", {{200, "x", {}, Millis(0), Trouble::hang}});
  std::jthread stopping([this] {
    belay::eventually([this] { return !server.asked().empty(); });
    stop.request_stop();
  });
  const auto answer = send("GET");
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().fault, Fault::cancelled);
}

TEST_F(Sending, ACertificateThatDoesNotHoldIsRefusedBeforeAByteIsSent) {
  HttpServer imposter(belay::testing::make_identity({}));
  Request request;
  request.url = imposter.url() + "/secret-path";
  const auto answer = client->send(request, {});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().fault, Fault::refused);
  EXPECT_EQ(answer.error().effect, Effect::none);
  EXPECT_NE(answer.error().message().find("certificate"), std::string::npos);
  EXPECT_TRUE(imposter.asked().empty());
}

TEST_F(Sending, WhatIsAskedForIsNotInTheError) {
  Request request;
  request.url = "http://127.0.0.1:" + std::to_string(belay::testing::unused_port()) +
                "/hooks/s3cr3t?sig=s3cr3t";
  const auto answer = client->send(request, {});
  EXPECT_EQ(answer.error().message().find("s3cr3t"), std::string::npos);
  EXPECT_NE(answer.error().message().find("127.0.0.1"), std::string::npos);
}

TEST_F(Sending, WhatTheServerSaysBackOfASecretIsHiddenWhereverAMessageIsCut) {
  const Secret secret("long-enough-to-be-one");
  server.answer("/x", {{403, "{\"message\": \"no " + secret.reveal() + "\"}"},
                       {200, base64("a" + secret.reveal()), {{"Content-Type", "text/xml"}}},
                       {200, secret.reveal(), {{"Content-Type", "application/octet-stream"}}}});
  Request request;
  request.url = server.url() + "/x";
  request.secrets = {secret};
  EXPECT_EQ(client->send(request, {})->body, "{\"message\": \"no ***\"}");
  EXPECT_NE(client->send(request, {})->body.find("***"), std::string::npos);
  EXPECT_EQ(client->send(request, {})->body, secret.reveal()) << "what was put is what is got";
}

// Answers "ok" to every request of a connection, and counts connections.
class Keeping {
 public:
  Keeping() : listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    auto* any = reinterpret_cast<sockaddr*>(&at);
    EXPECT_EQ(::bind(listening_.get(), any, size), 0);
    EXPECT_EQ(::listen(listening_.get(), 16), 0);
    EXPECT_EQ(::getsockname(listening_.get(), any, &size), 0);
    port_ = ntohs(at.sin_port);
    accepting_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
  }
  ~Keeping() {
    accepting_.request_stop();
    ::shutdown(listening_.get(), SHUT_RDWR);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }
  int connections() const { return connections_; }

 private:
  void accept_all(const std::stop_token& stop) {
    std::vector<std::jthread> serving;
    while (!stop.stop_requested()) {
      const int fd = ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      ++connections_;
      serving.emplace_back([fd] { serve(Fd(fd)); });
    }
  }
  static void serve(const Fd& client) {
    std::string text;
    char bytes[4096];
    for (ssize_t n = 0; (n = ::recv(client.get(), bytes, sizeof bytes, 0)) > 0;) {
      text.append(bytes, static_cast<std::size_t>(n));
      for (auto end = text.find("\r\n\r\n"); end != std::string::npos;
           end = text.find("\r\n\r\n")) {
        text.erase(0, end + 4);
        const std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        ::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      }
    }
  }

  Fd listening_;
  int port_ = 0;
  std::atomic<int> connections_{0};
  std::jthread accepting_;
};

TEST_F(Sending, AConnectionIsKeptForWhatMayGoOutTwiceAndNotForWhatMayNot) {
  const Keeping keeping;
  Request request;
  request.url = keeping.url();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(client->send(request, {}).ok());
  EXPECT_EQ(keeping.connections(), 1);
  request.method = "POST";
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(client->send(request, {}).ok());
  EXPECT_EQ(keeping.connections(), 4);
  client.reset();  // its connection ends before the server waits for that
}

}  // namespace
}  // namespace belay::net
