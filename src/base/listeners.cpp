// SPDX-License-Identifier: Apache-2.0
#include "base/listeners.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <set>

#include "base/file.hpp"
#include "base/text.hpp"

namespace belay {

namespace {

namespace fs = std::filesystem;

// The words of a line, however many blanks are between them.
std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words = split(line, ' ');
  std::erase(words, "");
  return words;
}

// "socket:[4711]" for each listening socket on the port.
void add_sockets(const char* table, std::uint16_t port, std::set<std::string>& out) {
  const auto text = read_file(table);
  if (!text) return;
  const std::string ending = fmt::format(":{:04X}", port);
  for (const auto& line : split(*text, '\n')) {
    const auto words = words_of(line);
    constexpr std::size_t local = 1, state = 3, inode = 9;
    if (words.size() <= inode || words[state] != "0A" || !words[local].ends_with(ending)) continue;
    out.insert("socket:[" + words[inode] + "]");
  }
}

bool holds_one(const fs::path& process, const std::set<std::string>& sockets) {
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(process / "fd", code)) {
    std::error_code ignored;
    if (sockets.contains(fs::read_symlink(entry.path(), ignored).string())) return true;
  }
  return false;
}

Listener describe(pid_t pid) {
  Listener found;
  found.pid = pid;
  found.session = ::getsid(pid);
  if (auto name = read_file(fmt::format("/proc/{}/comm", pid), 4096)) found.program = trim(*name);
  return found;
}

union AnyAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

Result<socklen_t> fill(AnyAddress& out, const std::string& host, std::uint16_t port) {
  std::memset(&out, 0, sizeof out);
  const std::string text = host.empty() || host == "*" ? "0.0.0.0"
                           : host == "localhost"       ? "127.0.0.1"
                                                       : host;
  if (::inet_pton(AF_INET, text.c_str(), &out.v4.sin_addr) == 1) {
    out.v4.sin_family = AF_INET;
    out.v4.sin_port = htons(port);
    return socklen_t{sizeof out.v4};
  }
  if (::inet_pton(AF_INET6, text.c_str(), &out.v6.sin6_addr) == 1) {
    out.v6.sin6_family = AF_INET6;
    out.v6.sin6_port = htons(port);
    return socklen_t{sizeof out.v6};
  }
  return fail(Fault::invalid, fmt::format("\"{}\" is no IP address", host));
}

}  // namespace

std::vector<Listener> listeners(std::uint16_t port) {
  std::set<std::string> sockets;
  add_sockets("/proc/net/tcp", port, sockets);
  add_sockets("/proc/net/tcp6", port, sockets);
  std::vector<Listener> found;
  if (sockets.empty()) return found;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator("/proc", code)) {
    const std::string name = entry.path().filename().string();
    pid_t pid = 0;
    std::from_chars(name.data(), name.data() + name.size(), pid);
    if (pid > 0 && holds_one(entry.path(), sockets)) found.push_back(describe(pid));
  }
  if (found.empty()) found.push_back({});
  return found;
}

std::string holder_of(std::uint16_t port) {
  const auto found = listeners(port);
  if (found.empty()) return "nobody";
  if (found.front().pid == 0) return "a process of another user";
  return fmt::format("{} (process {})", found.front().program, found.front().pid);
}

Status can_listen(const std::string& host, std::uint16_t port) {
  AnyAddress address;
  TRY_LET(const socklen_t size, fill(address, host, port));
  Fd socket(::socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return errno_error(errno, "cannot make a socket");
  // Connections of an earlier server that still fade away are no obstacle to listening.
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.get(), &address.any, size) == 0) return {};
  const int code = errno;
  const std::string where = fmt::format("{}:{}", host, port);
  if (code == EADDRINUSE) {
    return fail(Fault::conflict, fmt::format("{} is taken by {}", where, holder_of(port)));
  }
  if (code == EACCES) {
    return fail(Fault::denied,
                fmt::format("only root may listen on {}; choose a port from 1024", where));
  }
  if (code == EADDRNOTAVAIL) {
    return fail(Fault::invalid, fmt::format("{} is no address of this machine", host));
  }
  return errno_error(code, "cannot listen on " + where);
}

bool answers(std::uint16_t port) {
  AnyAddress address;
  const auto size = fill(address, "127.0.0.1", port);
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!size || !socket) return false;
  if (::connect(socket.get(), &address.any, *size) == 0) return true;
  if (errno != EINPROGRESS) return false;
  pollfd waiting{socket.get(), POLLOUT, 0};
  if (::poll(&waiting, 1, 1000) != 1) return false;
  int code = 0;
  socklen_t length = sizeof code;
  return ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &code, &length) == 0 && code == 0;
}

}  // namespace belay
