// SPDX-License-Identifier: Apache-2.0
// The approval gate of a run, from its plan, history and the time alone.
#pragma once

#include "pipeline/decide.hpp"
#include "pipeline/policy.hpp"

namespace belay::pipeline {

struct Gate {
  ApprovalRule rule;
  std::vector<Freeze> freeze = {};
};
// The args of its step: {"rule": approval rule, "freeze": windows}.
Json to_json(const Gate& gate);
// What a policy asks of this plan; nothing when that is no gate. Waits and freeze windows bind no
// rollback.
std::optional<Gate> gate_for(const Plan& plan, const Policy& policy);

// Passed, it yields who approved.
Next decide_gate(const Plan& plan, const Step& gate, const History& history, TimePoint now);

// The plan's gate counts reviews on GitHub, not signatures.
bool is_reviewed_on_github(const Plan& plan);

// invalid, with the remedy, when the reviewers of the plan's gate who have a key, without the one
// who asks, are too few.
Status can_be_passed(const Plan& plan);

// The policy that this run makes the recorded one: it went through its gate, or had none and was
// done. A policy that asks less than the one it was approved under (facts.policy_wanted) is taken
// when the run's gate asked no less than any of the former rules does.
Result<std::optional<Policy>> settled_policy(const Plan& plan, const History& history);

// What stands between a run with a passed gate and its lock: a freeze window that began meanwhile,
// or the time after which the approvals do not hold. Nothing: it may go on.
std::optional<Next> hold_at_lock(const Plan& plan, const History& history, TimePoint now);

// What a vote on this run is judged against. missing when no gate is open.
Result<Ballot> ballot_of(const Plan& plan, const History& history, const std::string& run);

// The votes as recorded, in order.
std::vector<Vote> votes_of(const History& history);

}  // namespace belay::pipeline
