// SPDX-License-Identifier: Apache-2.0
// Waits for a condition instead of for a time.
#pragma once

#include <signal.h>

#include <chrono>
#include <thread>

#include "base/file.hpp"

namespace belay {

// True as soon as the condition holds; false when it does not within `limit`.
template <class Condition>
bool eventually(Condition condition, std::chrono::milliseconds limit = std::chrono::seconds(20)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

// Whether a process still runs; one that waits to be reaped does not.
inline bool alive(pid_t pid) {
  if (::kill(pid, 0) != 0) return false;
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  if (!stat) return false;
  const auto bracket = stat->rfind(')');
  return bracket != std::string::npos && (*stat)[bracket + 2] != 'Z' && (*stat)[bracket + 2] != 'X';
}

}  // namespace belay
