// SPDX-License-Identifier: Apache-2.0
#include "engine/runner.hpp"

#include "engine/drive.hpp"

namespace belay::engine {

Result<RunState> Runner::drive(const std::string& run, std::stop_token stop, DriveOptions options) {
  TRY_LET(auto claim, claims_.claim(run));
  std::stop_source either;
  const auto ring = [&either] { either.request_stop(); };
  const std::stop_callback asked(stop, ring);
  const std::stop_callback lost(claim->lost(), ring);
  Drive drive(journal_, steps_, world_, reporter_, claims_, run, either.get_token(),
              std::move(options));
  return drive.go(claims_.whoami());
}

}  // namespace belay::engine
