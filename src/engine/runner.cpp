// SPDX-License-Identifier: Apache-2.0
#include "engine/runner.hpp"

#include "engine/drive.hpp"

namespace belay::engine {

Result<RunState> Runner::drive(const std::string& run, std::stop_token stop, DriveOptions options) {
  TRY_LET(auto claim, claims_.claim(run));
  Drive drive(journal_, steps_, world_, reporter_, claims_, run, std::move(stop),
              std::move(options));
  return drive.go(claims_.whoami());
}

}  // namespace belay::engine
