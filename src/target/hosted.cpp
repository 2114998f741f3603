// SPDX-License-Identifier: Apache-2.0
#include "target/hosted.hpp"

namespace belay::target {

bool LongWait::pause(const std::stop_token& stop) const {
  using std::chrono::seconds;
  const Millis waited = clock_.steady() - begun_;
  const Millis next = waited < seconds(15)   ? seconds(1)
                      : waited < seconds(60) ? seconds(5)
                                             : seconds(15);
  return clock_.sleep(next, stop);
}

}  // namespace belay::target
