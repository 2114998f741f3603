// SPDX-License-Identifier: Apache-2.0
#include "tests/support/http_load.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "base/file.hpp"
#include "base/hash.hpp"

namespace belay::load {

namespace {

using SteadyClock = std::chrono::steady_clock;

Fd connected(std::uint16_t port, Millis patience) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patience);
  const timeval limit{seconds.count(), 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const void* raw = &address;
  if (::connect(socket.get(), static_cast<const sockaddr*>(raw), sizeof address) != 0) return Fd();
  return socket;
}

struct Reply {
  std::string failure;  // "" when it is whole
  int status = 0;
  bool close = false;
  std::string body;
};

std::string field(const std::string& head, const std::string& name) {
  const auto at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const auto from = at + name.size() + 4;
  return head.substr(from, head.find("\r\n", from) - from);
}

std::string lower_names(std::string head) {
  std::transform(head.begin(), head.end(), head.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return head;
}

Reply read_reply(int socket) {
  Reply reply;
  std::string text;
  std::size_t head_end = std::string::npos, wanted = 0;
  char buffer[16384];
  while (head_end == std::string::npos || text.size() < wanted) {
    const ssize_t n = ::recv(socket, buffer, sizeof buffer, 0);
    if (n <= 0) {
      const char* how = n == 0 ? "closed" : errno == EAGAIN ? "no answer in time" : "reset";
      reply.failure =
          fmt::format("{} {}", how, text.empty() ? "before the answer" : "in the answer");
      return reply;
    }
    text.append(buffer, static_cast<std::size_t>(n));
    if (head_end != std::string::npos || (head_end = text.find("\r\n\r\n")) == std::string::npos)
      continue;
    const std::string head = lower_names(text.substr(0, head_end + 2));
    reply.status = std::atoi(text.substr(9, 3).c_str());
    reply.close = field(head, "connection") == "close";
    wanted =
        head_end + 4 + static_cast<std::size_t>(std::atol(field(head, "content-length").c_str()));
  }
  reply.body = text.substr(head_end + 4);
  if (reply.status != 200) reply.failure = fmt::format("status {}", reply.status);
  return reply;
}

std::string request_text(const LoadPlan& plan, const std::string& body) {
  return fmt::format("{} {} HTTP/1.1\r\nHost: 127.0.0.1\r\n{}Connection: {}\r\n\r\n{}",
                     body.empty() ? "GET" : "POST", plan.path,
                     body.empty() ? "" : fmt::format("Content-Length: {}\r\n", body.size()),
                     plan.keep_alive ? "keep-alive" : "close", body);
}

bool sent(int socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

std::string LoadResult::text() const {
  std::string out =
      fmt::format("{} served, {} failed, slowest {} ms", served, failed, slowest.count());
  for (const auto& [release, count] : by_release) out += fmt::format("; {}: {}", release, count);
  for (const auto& [failure, count] : failures) out += fmt::format("; {} x {}", count, failure);
  return out;
}

HttpLoad::HttpLoad(LoadPlan plan) : plan_(std::move(plan)) {
  for (int n = 0; n < plan_.clients; ++n) threads_.emplace_back([this, n] { customer(n); });
}

HttpLoad::~HttpLoad() {
  stop();
}

void HttpLoad::note(const std::string& failure, const std::string& release, Millis took) {
  std::lock_guard guard(lock_);
  result_.slowest = std::max(result_.slowest, took);
  if (failure.empty()) {
    ++result_.served;
    ++result_.by_release[release];
    result_.last_release = release;
  } else {
    ++result_.failed;
    ++result_.failures[failure];
  }
}

void HttpLoad::customer(int number) {
  Fd socket;
  for (std::uint64_t n = 0; !stopped_; ++n) {
    if (plan_.requests > 0 && begun_.fetch_add(1) >= plan_.requests) return;
    std::string body;
    if (plan_.post_every > 0 && n % static_cast<unsigned>(plan_.post_every) == 2) {
      body = fmt::format("{} {} ", number, n);
      body.resize(std::max(plan_.body, body.size()), 'x');
    }
    const auto begin = SteadyClock::now();
    if (!socket) socket = connected(plan_.port, plan_.patience);
    Reply reply;
    if (!socket) {
      reply.failure = "cannot connect";
    } else if (!sent(socket.get(), request_text(plan_, body))) {
      reply.failure = "closed while sending";
    } else {
      reply = read_reply(socket.get());
    }
    const auto took = std::chrono::duration_cast<Millis>(SteadyClock::now() - begin);
    const std::string release = reply.body.substr(0, reply.body.find(' '));
    if (reply.failure.empty() && !body.empty() &&
        reply.body.find(sha256_hex(body)) == std::string::npos) {
      reply.failure = "an answer to another body";
    }
    note(reply.failure, release, took);
    if (!plan_.keep_alive || reply.close || !reply.failure.empty()) socket.reset();
    if (!reply.failure.empty())
      std::this_thread::sleep_for(Millis(5));  // a dead server is not hammered
  }
}

LoadResult HttpLoad::so_far() const {
  std::lock_guard guard(lock_);
  return result_;
}

LoadResult HttpLoad::wait() {
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  return so_far();
}

LoadResult HttpLoad::stop() {
  stopped_ = true;
  return wait();
}

}  // namespace belay::load
