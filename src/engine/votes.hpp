// SPDX-License-Identifier: Apache-2.0
// Approvals where they meet the journal and real keys.
#pragma once

#include "base/world.hpp"
#include "engine/loaded.hpp"
#include "pipeline/decide.hpp"
#include "pipeline/policy.hpp"
#include "source/source.hpp"

namespace belay::engine {

// The pipeline's Verify, by ssh-keygen. What is no signature at all fits nothing.
Result<bool> verify_signature(const std::string& key, std::string_view bytes,
                              const std::string& signature);

// Opens the run's gate when that is what it does next, as its driver would: so whoever asks can
// sign at once.
Status open_gate(journal::Journal& journal, World& world, const std::string& run);
journal::NewEvent gate_opened(const pipeline::OpenGate& gate, World& world);

// Why the plan is no longer what there is ("main moved from a41d07c to b7710fe"); "" while it is.
// Without a source the ref is not looked at.
Result<std::string> why_changed(journal::Journal& journal, source::Source* source,
                                const pipeline::Plan& plan);

}  // namespace belay::engine
