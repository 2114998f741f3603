// SPDX-License-Identifier: Apache-2.0
// Approvals where they meet the journal and real keys.
#pragma once

#include "engine/loaded.hpp"
#include "pipeline/policy.hpp"

namespace belay::engine {

// The pipeline's Verify, by ssh-keygen. What is no signature at all fits nothing.
Result<bool> verify_signature(const std::string& key, std::string_view bytes,
                              const std::string& signature);

}  // namespace belay::engine
