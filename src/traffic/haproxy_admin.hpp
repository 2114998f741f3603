// SPDX-License-Identifier: Apache-2.0
// HAProxy's admin socket: one command a connection, an answer as text.
#pragma once

#include <map>

#include "base/clock.hpp"
#include "traffic/traffic.hpp"

namespace belay::traffic {

using Row = std::map<std::string, std::string>;  // by the header's names, which differ by version

std::vector<Row> rows_of_stat(const std::string& csv);
std::vector<Row> rows_of_servers(const std::string& text);
std::int64_t number_of(const Row& row, const std::string& name);  // 0 when it is not there

struct Server {
  bool ready = false;       // gets new requests
  bool maintained = false;  // gets nothing at all
  std::uint16_t port = 0;
  int in_flight = 0;
  std::uint64_t errors_5xx = 0;
};

class Admin {
 public:
  Admin(Path folder, Clock& clock) : folder_(std::move(folder)), clock_(clock) {}

  // Tries again while nobody listens: after a crash the proxy is back within a second or two.
  // unreachable when it stays away for `patience`.
  Result<std::string> ask(const std::string& command,
                          Millis patience = std::chrono::seconds(8)) const;
  // As ask(), and any answer at all is a refusal: HAProxy says nothing when it obeys.
  Status order(const std::string& command) const;

  // By slot's name.
  Result<std::map<std::string, Server>> servers(const std::string& backend) const;
  Result<std::map<std::string, int>> waiting() const;  // by service
  Result<std::string> description(Millis patience) const;

 private:
  Result<std::string> ask_once(const std::string& command) const;

  Path folder_;
  Clock& clock_;
};

}  // namespace belay::traffic
