// SPDX-License-Identifier: Apache-2.0
#include "traffic/haproxy_admin.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/text.hpp"

namespace belay::traffic {

namespace {

constexpr int answer_limit_millis = 10'000;

// A Unix socket's path holds 107 bytes; ours may be longer. Through the folder's descriptor it is
// always short.
Result<Fd> connect_in(const Path& folder) {
  Fd place(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!place) return errno_error(errno, "cannot open " + folder.string());
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return errno_error(errno, "cannot make a socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = fmt::format("/proc/self/fd/{}/admin.sock", place.get());
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const void* raw = &address;
  if (::connect(socket.get(), static_cast<const sockaddr*>(raw), sizeof address) != 0) {
    return errno_error(errno, "the proxy does not answer");
  }
  return socket;
}

Result<std::string> read_answer(const Fd& socket) {
  std::string answer;
  char buffer[16384];
  for (;;) {
    pollfd waiting{socket.get(), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, answer_limit_millis);
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return unknown_effect(Fault::timeout, "the proxy does not answer in time");
    const ssize_t n = ::read(socket.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return unknown_effect(Fault::unreachable, "the proxy went away while it answered");
    if (n == 0) break;
    answer.append(buffer, static_cast<std::size_t>(n));
  }
  // Every answer ends with an empty line; without one it died in the middle.
  if (answer.empty()) return unknown_effect(Fault::unreachable, "the proxy went away");
  return answer;
}

std::vector<Row> rows(const std::string& text, char separator) {
  std::vector<std::string> names;
  std::vector<Row> out;
  for (const auto& line : split(text, '\n')) {
    if (line.starts_with("# ")) {
      names = split(std::string_view(line).substr(2), separator);
      continue;
    }
    const auto values = split(line, separator);
    if (names.empty() || values.size() < 2) continue;
    Row row;
    for (std::size_t i = 0; i < names.size() && i < values.size(); ++i) row[names[i]] = values[i];
    out.push_back(std::move(row));
  }
  return out;
}

std::string text_of(const Row& row, const std::string& name) {
  const auto found = row.find(name);
  return found == row.end() ? "" : found->second;
}

}  // namespace

std::vector<Row> rows_of_stat(const std::string& csv) {
  return rows(csv, ',');
}

std::vector<Row> rows_of_servers(const std::string& text) {
  return rows(text, ' ');
}

std::int64_t number_of(const Row& row, const std::string& name) {
  const std::string text = text_of(row, name);
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Result<std::string> Admin::ask_once(const std::string& command) const {
  TRY_LET(const Fd socket, connect_in(folder_));
  const std::string line = command + "\n";
  if (::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(line.size())) {
    return unknown_effect(Fault::unreachable, "the proxy went away");
  }
  return read_answer(socket);
}

// Every command of ours may be repeated.
Result<std::string> Admin::ask(const std::string& command, Millis patience) const {
  const Millis end = clock_.steady() + patience;
  for (;;) {
    auto answer = ask_once(command);
    if (answer || clock_.steady() >= end) {
      if (answer) return answer;
      Error error = std::move(answer).error();
      error.fault = error.fault == Fault::timeout ? Fault::timeout : Fault::unreachable;
      error.text += "; its log and `belay doctor` say more";
      return error;
    }
    clock_.sleep(Millis(50), {});
  }
}

Status Admin::order(const std::string& command) const {
  TRY_LET(const std::string answer, ask(command));
  if (trim(answer).empty()) return {};
  return fail(Fault::refused, fmt::format("the proxy refuses \"{}\": {}", command, trim(answer)));
}

Result<std::map<std::string, Server>> Admin::servers(const std::string& backend) const {
  std::map<std::string, Server> found;
  TRY_LET(const std::string states, ask("show servers state " + backend));
  for (const auto& row : rows_of_servers(states)) {
    constexpr std::int64_t from_configuration = 0x04;  // says where maintenance came from
    constexpr std::int64_t maintenance = 0x01 | 0x02;
    const std::int64_t admin = number_of(row, "srv_admin_state") & ~from_configuration;
    Server server;
    server.ready = admin == 0 && number_of(row, "srv_op_state") == 2;
    server.maintained = (admin & maintenance) != 0;
    server.port = static_cast<std::uint16_t>(number_of(row, "srv_port"));
    found[text_of(row, "srv_name")] = server;
  }
  TRY_LET(const std::string stat, ask("show stat " + backend + " 4 -1"));
  for (const auto& row : rows_of_stat(stat)) {
    const auto server = found.find(text_of(row, "svname"));
    if (server == found.end()) continue;
    server->second.in_flight = static_cast<int>(number_of(row, "scur") + number_of(row, "qcur"));
    server->second.errors_5xx = static_cast<std::uint64_t>(number_of(row, "hrsp_5xx"));
  }
  if (found.empty()) return fail(Fault::missing, "the proxy knows no " + backend);
  return found;
}

Result<std::map<std::string, int>> Admin::waiting() const {
  TRY_LET(const std::string text, ask("belay waiting"));
  std::map<std::string, int> found;
  for (const auto& line : split(text, '\n')) {
    const auto words = split(line, ' ');
    if (words.size() == 2) found[words[0]] = std::atoi(words[1].c_str());
  }
  return found;
}

Result<std::string> Admin::description(Millis patience) const {
  TRY_LET(const std::string text, ask("show info", patience));
  constexpr std::string_view label = "description: ";
  for (const auto& line : split(text, '\n')) {
    if (line.starts_with(label))
      return std::string(trim(std::string_view(line).substr(label.size())));
  }
  return std::string();
}

}  // namespace belay::traffic
