// SPDX-License-Identifier: Apache-2.0
// What anybody can repeat from a run's plan and history alone: each vote, as if it were handed in
// now, and that the run has the gate its policy asks for and went through it.
#pragma once

#include "pipeline/gate.hpp"

namespace belay::pipeline {

struct Repeated {
  int votes = 0;
  int reviews = 0;                  // among them: on GitHub, without a signature
  std::vector<std::string> doubts;  // for people; empty: all of it holds
};

// Each vote is judged over again by judge_vote, against those before it, at its own time. The error
// is one of `verify`: this machine cannot tell.
Result<Repeated> repeat_votes(const Ballot& ballot, const Verify& verify);

// The votes; and no step from the lock on without a gate that the policy in the plan asks for, none
// passed unasked or with votes that do not carry it.
Result<Repeated> repeat_approval(const Plan& plan, const History& history, const std::string& run,
                                 const Verify& verify);

}  // namespace belay::pipeline
