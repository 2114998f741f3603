// SPDX-License-Identifier: Apache-2.0
// An HTTP server inside the test, on loopback and a free port, that answers by script: as a good
// server does, or slowly, never, cut off, with a wrong length, without end. TLS when given an
// identity. One connection, one answer. All threads end with the object.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/file.hpp"
#include "base/time.hpp"
#include "tests/support/certificate.hpp"

namespace belay::testing {

struct Answer {
  enum class Trouble {
    none,
    hang,          // reads the request, says nothing
    hang_in_body,  // headers and half of the body, then nothing
    cut,           // ends the connection in the middle of the body
    close,         // ends the connection without a word
    wrong_length,  // says more bytes than it sends
    endless,       // a body that does not end
    garbage,       // not HTTP
    drip,          // a byte of the body each 20 ms
  };
  int status = 200;
  std::string body = {};
  std::map<std::string, std::string> headers = {};
  Millis delay{0};
  Trouble trouble = Trouble::none;
};

struct Asked {
  std::string method, path, head, body;
};

class HttpServer {
 public:
  explicit HttpServer(std::optional<Identity> identity = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // The answers for a path, one a request; the last is repeated. Other paths: 404.
  void answer(const std::string& path, std::vector<Answer> answers);
  int port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string url() const { return (tls_ ? "https://" : "http://") + address(); }
  std::vector<Asked> asked() const;

 private:
  class Wire;
  void accept_all(const std::stop_token& stop);
  void serve(int fd, const std::stop_token& stop);
  Answer next_answer(const Asked& asked);
  void send(Wire& wire, const Answer& answer, const std::string& method,
            const std::stop_token& stop);

  bool tls_ = false;
  void* context_ = nullptr;  // SSL_CTX
  int port_ = 0;
  Fd listening_;
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<Answer>> answers_;
  std::vector<Asked> asked_;
  std::vector<std::jthread> serving_;
  std::jthread accepting_;
};

// A port of loopback where nobody listens.
int unused_port();

}  // namespace belay::testing
