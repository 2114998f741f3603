// SPDX-License-Identifier: Apache-2.0
// What our HAProxy is to do. It is kept inside its configuration file, as comments, so that one
// rename commits both: what a restart will do, and what we know about it.
#pragma once

#include <map>

#include "base/json.hpp"
#include "traffic/traffic.hpp"

namespace belay::traffic {

constexpr int slot_count = 6;  // versions a service may have at the proxy at once

inline std::string slot_name(int slot) {
  return "slot" + std::to_string(slot);
}

struct Lane {                    // one service at the proxy
  std::map<int, Backend> slots;  // the versions it was pointed at, by slot
  int active = -1;               // -1: nobody
  int last = -1;                 // the slot given out last: the next one comes after it
};

struct Record {
  std::vector<Route> routes;
  std::map<std::string, Lane> lanes;  // one a route

  const Route* find(const std::string& service) const;
};

std::string to_comment(const Record& record);
// missing when the text holds none.
Result<Record> from_comment(const std::string& configuration);

// Services and how long each request waits, in milliseconds: HAProxy's map file.
using Fence = std::map<std::string, std::int64_t>;
std::string to_map_file(const Fence& fence);
Fence from_map_file(const std::string& text);

}  // namespace belay::traffic
