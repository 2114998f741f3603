// SPDX-License-Identifier: Apache-2.0
// What an environment needs between runs. Needs no secrets: services have theirs in their release.
#pragma once

#include <string>
#include <vector>

#include "app/machine.hpp"

namespace belay::app {

// After a reboot, or when a supervisor was killed: what was live is live again, the proxy with its
// saved state first. From what the state folder holds alone: a belay.yaml that cannot be read does
// not keep an application down. Fine at any time; what runs is left alone. On failure the rest was
// still tried.
Status revive(const Places& places, World& world);
// The state folder alone, by a file whose other parts may have faults.
Result<Places> places_despite_faults(const std::optional<Path>& named, const Path& here,
                                     const Getenv& env);

// Stops running versions that are neither live nor within `keep_warm` of being so. While a run of
// this environment is not finished nothing is stopped: it may need them. What was stopped, for
// people. Fine at any time.
Result<std::vector<std::string>> stop_the_cold(Desk& desk, const std::string& environment);

}  // namespace belay::app
