// SPDX-License-Identifier: Apache-2.0
// The approval gate of a run, from its plan, history and the time alone.
#pragma once

#include "pipeline/decide.hpp"
#include "pipeline/policy.hpp"

namespace belay::pipeline {

// The gate's args: {"rule": approval rule, "freeze": windows}. Passed, it yields who approved.
Next decide_gate(const Plan& plan, const Step& gate, const History& history, TimePoint now);

// What a vote on this run is judged against. missing when no gate is open.
Result<Ballot> ballot_of(const Plan& plan, const History& history, const std::string& run);

// The votes as recorded, in order.
std::vector<Vote> votes_of(const History& history);

}  // namespace belay::pipeline
