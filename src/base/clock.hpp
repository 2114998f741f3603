// SPDX-License-Identifier: Apache-2.0
// Time as a parameter, so that a wait of three days takes a millisecond in a test.
#pragma once

#include <stop_token>

#include "base/time.hpp"

namespace belay {

class Clock {
 public:
  virtual ~Clock() = default;
  // Wall clock: for due times and records. May jump.
  virtual TimePoint now() const = 0;
  // Goes on only forwards, also while the machine is suspended: for measuring.
  virtual Millis steady() const = 0;
  // False when the stop token ended the sleep early. Safe to call from many threads.
  virtual bool sleep(Millis duration, std::stop_token stop) = 0;
};

class SystemClock final : public Clock {
 public:
  TimePoint now() const override;
  Millis steady() const override;
  bool sleep(Millis duration, std::stop_token stop) override;
};

}  // namespace belay
