// SPDX-License-Identifier: Apache-2.0
// What a data half of a way back would cost, as it stands in the plan: whoever approves it reads
// the same as whoever asks for it. An estimate, and so no part of the digest.
#pragma once

#include "app/machine.hpp"
#include "app/plan_steps.hpp"

namespace belay::app {

// {"goal", "instant", "estimate", "collections": [...], "more", "reverted", "removed",
// "brought_back"}. missing, naming it, when there is no such restore point or salvage.
Result<Json> preview_of(Desk& desk, const std::string& environment, const DataPlan& data);

}  // namespace belay::app
