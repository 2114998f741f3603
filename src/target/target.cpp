// SPDX-License-Identifier: Apache-2.0
#include "target/target.hpp"

namespace belay::target {

const char* to_string(Phase phase) {
  switch (phase) {
    case Phase::absent: return "absent";
    case Phase::preparing: return "preparing";
    case Phase::prepared: return "prepared";
    case Phase::starting: return "starting";
    case Phase::running: return "running";
    case Phase::failed: return "failed";
    case Phase::unknown: return "unknown";
  }
  return "unknown";
}

}  // namespace belay::target
