// SPDX-License-Identifier: Apache-2.0
// What plans have in common: how steps follow each other, and the gate and the lock before all that
// touches anything.
#pragma once

#include "app/plan_steps.hpp"

namespace belay::app {

using Ids = std::vector<std::string>;

// Adds a step after the last one and returns its id as the next one's predecessor.
Ids then(std::vector<pipeline::Step>& list, pipeline::Step step, Ids after);
pipeline::Step changing(std::string id, std::string kind, std::string title, std::string undo);

// The gate, when the policy asks for one; returns what must be done before the lock.
Ids add_gate(pipeline::Plan& plan, const pipeline::Policy& policy, Ids after);
// The lock, and the recheck behind it.
void add_lock(pipeline::Plan& plan, const pipeline::EnvironmentSpec& env, Ids after);

}  // namespace belay::app
