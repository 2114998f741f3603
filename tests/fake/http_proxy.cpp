// SPDX-License-Identifier: Apache-2.0
#include "tests/fake/http_proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.hpp"

namespace belay::testing {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(static_cast<std::uint16_t>(port));
  return at;
}

Fd listen_anywhere(int& port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto at = loopback(0);
  socklen_t size = sizeof at;
  auto* any = reinterpret_cast<sockaddr*>(&at);
  const bool ok = ::bind(fd.get(), any, size) == 0 && ::listen(fd.get(), 64) == 0 &&
                  ::getsockname(fd.get(), any, &size) == 0;
  if (!ok) std::abort();
  port = ntohs(at.sin_port);
  return fd;
}

Fd connect_to(int port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto at = loopback(port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) return Fd();
  return fd;
}

bool put(const Fd& fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

// More bytes; empty at the end.
std::string take(const Fd& fd) {
  std::string bytes(65536, '\0');
  const auto n = ::recv(fd.get(), bytes.data(), bytes.size(), 0);
  bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return bytes;
}

std::size_t length_in(const std::string& head) {
  for (const auto& line : split(head, '\n')) {
    if (line.size() > 15 && std::equal(line.begin(), line.begin() + 15, "content-length:",
                                       [](char a, char b) { return (a | 0x20) == (b | 0x20); }))
      return std::stoul(line.substr(15));
  }
  return 0;
}

// Head (with its empty line) and body; an empty head when the client went away.
std::pair<std::string, std::string> request_from(const Fd& client) {
  std::string text;
  std::size_t end = std::string::npos;
  while ((end = text.find("\r\n\r\n")) == std::string::npos) {
    const auto more = take(client);
    if (more.empty()) return {};
    text += more;
  }
  std::string head = text.substr(0, end + 4), body = text.substr(end + 4);
  for (const auto length = length_in(head); body.size() < length;) {
    const auto more = take(client);
    if (more.empty()) return {};
    body += more;
  }
  return {head, body};
}

std::size_t cut_of(const HttpFault& fault, const std::string& answer) {
  if (!fault.body_bytes) return answer.size() / 2;
  return std::min(answer.find("\r\n\r\n") + 4 + *fault.body_bytes, answer.size() - 1);
}

}  // namespace

HttpProxy::HttpProxy(int server_port) : server_port_(server_port) {
  listening_ = listen_anywhere(port_);
  accepting_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
}

HttpProxy::~HttpProxy() {
  accepting_.request_stop();
  ::shutdown(listening_.get(), SHUT_RDWR);
}

void HttpProxy::plan(Plan plan) {
  const std::lock_guard guard(mutex_);
  plan_ = std::move(plan);
  count_ = 0;
}

int HttpProxy::count() const {
  const std::lock_guard guard(mutex_);
  return count_;
}

std::optional<HttpFault> HttpProxy::next(const std::string& head) {
  const std::lock_guard guard(mutex_);
  ++count_;
  return plan_ ? plan_(count_, head) : std::nullopt;
}

void HttpProxy::accept_all(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const int fd = ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    serving_.emplace_back([this, fd] { serve(Fd(fd)); });
  }
  serving_.clear();
}

void HttpProxy::serve(const Fd& client) {
  auto [head, body] = request_from(client);
  if (head.empty()) return;
  const auto fault = next(head);
  if (fault && fault->action == HttpFault::Action::close) return;
  if (fault && fault->action == HttpFault::Action::answer) {
    put(client, fault->reply);
    return;
  }
  if (fault) std::this_thread::sleep_for(fault->late);
  const Fd server = connect_to(server_port_);
  if (!server) return;
  head.insert(head.size() - 2, "Connection: close\r\n");
  if (!put(server, head) || !put(server, body)) return;
  std::string answer;
  for (auto more = take(server); !more.empty(); more = take(server)) answer += more;
  if (fault && fault->action == HttpFault::Action::lose_reply) return;
  if (fault && fault->action == HttpFault::Action::cut_reply) answer.resize(cut_of(*fault, answer));
  put(client, answer);
}

}  // namespace belay::testing
