// SPDX-License-Identifier: Apache-2.0
// Stands between a client and an HTTP server on loopback and misbehaves by plan: closes, loses the
// answer, cuts it in half, answers in the server's place. One connection a request.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/file.hpp"
#include "base/time.hpp"

namespace belay::testing {

struct HttpFault {
  enum class Action {
    close,       // the request never reaches the server
    lose_reply,  // the server has answered; the connection ends instead of the answer
    cut_reply,   // the same in the middle of the answer
    answer,      // `reply` is the answer; the server sees nothing
    slow,        // goes through, `late`
  };
  Action action = Action::close;
  std::string reply =
      {};  // "HTTP/1.1 503 Slow Down\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"
  // Of the answer's body this much arrives before it is cut; none: the half of the whole answer.
  std::optional<std::size_t> body_bytes = {};
  Millis late{0};
};

class HttpProxy {
 public:
  // The trouble of a request: which one it is (from 1 on, since the plan was made), and its head.
  using Plan = std::function<std::optional<HttpFault>(int nth, const std::string& head)>;

  explicit HttpProxy(int server_port);
  ~HttpProxy();
  HttpProxy(const HttpProxy&) = delete;
  HttpProxy& operator=(const HttpProxy&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // Replaces the plan and counts anew.
  void plan(Plan plan);
  int count() const;  // requests since the last plan()

 private:
  void accept_all(const std::stop_token& stop);
  void serve(const Fd& client);
  std::optional<HttpFault> next(const std::string& head);

  int server_port_ = 0, port_ = 0;
  Fd listening_;
  mutable std::mutex mutex_;
  Plan plan_;
  int count_ = 0;
  std::vector<std::jthread> serving_;
  std::jthread accepting_;
};

}  // namespace belay::testing
