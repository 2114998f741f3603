// SPDX-License-Identifier: Apache-2.0
// The approval gate of a run, from its plan, history and the time: opened, waiting, passed or refused.
#pragma once

#include "pipeline/decide.hpp"

namespace belay::pipeline {

// The gate's args: {"rule": approval rule, "freeze": windows}.
Next decide_gate(const Plan& plan, const Step& gate, const History& history, TimePoint now);

}  // namespace belay::pipeline
