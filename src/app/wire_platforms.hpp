// SPDX-License-Identifier: Apache-2.0
// Targets on platforms, from what belay.yaml says of a service there.
#pragma once

#include "app/machine.hpp"
#include "engine/site.hpp"

namespace belay::app {

// missing, naming the name, when a secret is not there. Both connect to nothing yet.
Result<std::unique_ptr<target::Target>> vercel_target(Desk& desk, Secrets& secrets,
                                                      const pipeline::Placement& placed,
                                                      const net::Trust& trust);
// `site` outlives it.
Result<std::unique_ptr<target::Target>> railway_target(Desk& desk, const engine::Site& site,
                                                       Secrets& secrets,
                                                       const pipeline::Placement& placed,
                                                       const net::Trust& trust);

}  // namespace belay::app
