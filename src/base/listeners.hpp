// SPDX-License-Identifier: Apache-2.0
// Who listens on a TCP port of this machine, as far as the kernel lets us see.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace belay {

struct Listener {
  pid_t pid = 0;        // 0: not visible to this user
  pid_t session = 0;    // of that process
  std::string program;  // "nginx", "" when not visible
};

std::vector<Listener> listeners(std::uint16_t port);
// "nginx (process 812)", "a process of another user", "nobody".
std::string holder_of(std::uint16_t port);

// Whether one could listen there now: conflict names the holder; denied and invalid (no address of
// this machine) as the kernel says. `host` is an IPv4 or IPv6 address, "" or "*" for every one.
Status can_listen(const std::string& host, std::uint16_t port);
// Whether 127.0.0.1:port accepts connections.
bool answers(std::uint16_t port);

}  // namespace belay
