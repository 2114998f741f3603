// SPDX-License-Identifier: Apache-2.0
// What a store is to lock, and for how long.
#pragma once

#include <functional>
#include <string>

#include "base/time.hpp"

namespace belay::storage {

struct Lock {
  Millis time{0};  // what is put can be removed by nobody for so long; 0: nothing is locked
  std::function<bool(const std::string& name)> covers = {};  // empty: every object

  bool holds(const std::string& name) const {
    return time > Millis(0) && (!covers || covers(name));
  }
  // A quarter longer than asked for: so what is used again need not be locked anew each time.
  TimePoint until(TimePoint now) const {
    return std::chrono::ceil<std::chrono::seconds>(now + time + time / 4);
  }
};

}  // namespace belay::storage
