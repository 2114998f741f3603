// SPDX-License-Identifier: Apache-2.0
// The variables of a project at Vercel: a deployment has those that the project has for production
// when it is made. What belay.yaml does not name is left alone.
#pragma once

#include "target/vercel_api.hpp"

namespace belay::target {

Result<VariableNames> compare_variables(VercelApi& api, const Environment& wanted,
                                        const std::stop_token& stop);
// Until the project shows them, where it shows values. Twice changes nothing more. conflict: one of
// them, with another value, is another environment's, too.
Status set_variables(VercelApi& api, const Environment& wanted, Clock& clock,
                     const std::stop_token& stop);

}  // namespace belay::target
