// SPDX-License-Identifier: Apache-2.0
#include "tests/fake/op_msg_proxy.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace belay::testing {
namespace {

constexpr std::int32_t op_reply = 1, op_query = 2004, op_msg = 2013;
constexpr std::size_t header_size = 16;
constexpr std::uint32_t more_to_come = 2;

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

bool read_all(int fd, char* to, std::size_t size) {
  while (size > 0) {
    const ssize_t got = ::recv(fd, to, size, 0);
    if (got <= 0) return false;
    to += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

bool write_all(int fd, const std::string& bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t put = ::send(fd, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (put <= 0) return false;
    done += static_cast<std::size_t>(put);
  }
  return true;
}

template <class T>
T number_at(const std::string& bytes, std::size_t at) {
  T out{};
  if (at + sizeof out <= bytes.size()) std::memcpy(&out, bytes.data() + at, sizeof out);
  return out;
}

template <class T>
void append(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::optional<std::string> read_message(int fd) {
  std::string message(header_size, '\0');
  if (!read_all(fd, message.data(), header_size)) return std::nullopt;
  const auto size = static_cast<std::size_t>(number_at<std::int32_t>(message, 0));
  if (size < header_size || size > 64U << 20) return std::nullopt;
  message.resize(size);
  if (!read_all(fd, message.data() + header_size, size - header_size)) return std::nullopt;
  return message;
}

std::int32_t opcode(const std::string& message) {
  return number_at<std::int32_t>(message, 12);
}

// The first key of the document at this offset: size, type, name.
std::string first_key(const std::string& message, std::size_t document) {
  const std::size_t name = document + 5;
  if (name >= message.size()) return {};
  return {message.c_str() + name};
}

// Where the command's document begins; sections of kind 1 may stand before it.
std::size_t body_of(const std::string& message) {
  if (opcode(message) == op_query)
    return header_size + 4 + std::strlen(message.c_str() + header_size + 4) + 1 + 8;
  std::size_t at = header_size + 4;
  while (at < message.size() && message[at] == 1)
    at += 1 + static_cast<std::size_t>(number_at<std::int32_t>(message, at + 1));
  return at + 1;
}

std::string command_of(const std::string& message) {
  if (opcode(message) != op_msg && opcode(message) != op_query) return {};
  std::string name = first_key(message, body_of(message));
  const bool greeting = name == "isMaster" || name == "ismaster";
  return greeting ? "hello" : name;
}

bool wants_reply(const std::string& message) {
  return opcode(message) != op_msg ||
         (number_at<std::uint32_t>(message, header_size) & more_to_come) == 0;
}

std::string answer_to(const std::string& message, const std::string& document) {
  std::string out;
  append<std::int32_t>(out, 0);
  append<std::int32_t>(out, 1);
  append<std::int32_t>(out, number_at<std::int32_t>(message, 4));
  if (opcode(message) == op_query) {
    append<std::int32_t>(out, op_reply);
    append<std::int32_t>(out, 8);  // flags: await capable
    append<std::int64_t>(out, 0);
    append<std::int32_t>(out, 0);
    append<std::int32_t>(out, 1);
  } else {
    append<std::int32_t>(out, op_msg);
    append<std::uint32_t>(out, 0);
    out.push_back('\0');
  }
  out += document;
  const auto size = static_cast<std::int32_t>(out.size());
  std::memcpy(out.data(), &size, sizeof size);
  return out;
}

}  // namespace

Result<std::unique_ptr<OpMsgProxy>> OpMsgProxy::start(int server_port) {
  std::unique_ptr<OpMsgProxy> proxy(new OpMsgProxy);
  proxy->server_port_ = server_port;
  proxy->listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (::bind(proxy->listener_, any, size) != 0 || ::listen(proxy->listener_, 64) != 0 ||
      ::getsockname(proxy->listener_, any, &size) != 0)
    return fail(Fault::internal, "the proxy cannot listen");
  proxy->port_ = ntohs(address.sin_port);
  proxy->acceptor_ = std::thread([it = proxy.get()] { it->accept_all(); });
  return proxy;
}

OpMsgProxy::~OpMsgProxy() {
  {
    const std::lock_guard lock(lock_);
    ending_ = true;
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  ended_.notify_all();
  ::shutdown(listener_, SHUT_RDWR);
  if (acceptor_.joinable()) acceptor_.join();
  for (auto& thread : threads_) thread.join();
  ::close(listener_);
}

void OpMsgProxy::plan(std::vector<ProxyFault> faults) {
  const std::lock_guard lock(lock_);
  faults_ = std::move(faults);
  counts_.clear();
  struck_ = 0;
}

int OpMsgProxy::count(const std::string& command) const {
  const std::lock_guard lock(lock_);
  const auto found = counts_.find(command);
  return found == counts_.end() ? 0 : found->second;
}

int OpMsgProxy::struck() const {
  const std::lock_guard lock(lock_);
  return struck_;
}

std::vector<ProxyFault> OpMsgProxy::faults_for(const std::string& command) {
  const std::lock_guard lock(lock_);
  const int number = ++counts_[command];
  std::vector<ProxyFault> out;
  for (const auto& fault : faults_) {
    if (fault.command != command || number < fault.nth) continue;
    if (fault.times == 0 || number < fault.nth + fault.times) out.push_back(fault);
  }
  struck_ += static_cast<int>(out.size());
  return out;
}

bool OpMsgProxy::wait(std::chrono::milliseconds time) {
  std::unique_lock lock(lock_);
  return !ended_.wait_for(lock, time, [this] { return ending_; });
}

void OpMsgProxy::keep(int fd, bool open) {
  const std::lock_guard lock(lock_);
  if (open) {
    open_.push_back(fd);
    if (ending_) ::shutdown(fd, SHUT_RDWR);
  } else {
    std::erase(open_, fd);
    ::close(fd);
  }
}

void OpMsgProxy::accept_all() {
  for (;;) {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    threads_.emplace_back([this, client] { serve(client); });
  }
}

void OpMsgProxy::serve(int client) {
  keep(client, true);
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  keep(server, true);
  const sockaddr_in address = loopback(server_port_);
  if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    converse(client, server);
  keep(server, false);
  keep(client, false);
}

void OpMsgProxy::converse(int client, int server) {
  using Action = ProxyFault::Action;
  while (const auto message = read_message(client)) {
    bool lose = false, cut = false;
    std::optional<std::string> answer;
    for (const auto& fault : faults_for(command_of(*message))) {
      switch (fault.action) {
        case Action::cut_before: return;
        case Action::cut_after: cut = true; break;
        case Action::lose_reply: lose = true; break;
        case Action::delay:
          if (!wait(fault.delay)) return;
          break;
        case Action::call: fault.hook(); break;
        case Action::answer: answer = answer_to(*message, fault.reply); break;
      }
    }
    if (answer) {
      if (!write_all(client, *answer)) return;
      continue;
    }
    if (!write_all(server, *message) || cut) return;
    if (!wants_reply(*message)) continue;
    const auto reply = read_message(server);
    if (!reply || lose || !write_all(client, *reply)) return;
  }
}

}  // namespace belay::testing
