// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"

#include <ctime>

#include <condition_variable>
#include <mutex>

namespace belay {

TimePoint SystemClock::now() const {
  return std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now());
}

Millis SystemClock::steady() const {
  timespec at{};
  clock_gettime(CLOCK_BOOTTIME, &at);
  return Millis(at.tv_sec * 1000 + at.tv_nsec / 1'000'000);
}

bool SystemClock::sleep(Millis duration, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, duration, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace belay
