// SPDX-License-Identifier: Apache-2.0
// Whether an answer is what was expected. An assertion on something absent fails.
#pragma once

#include "net/call.hpp"
#include "probe/sample.hpp"

namespace belay::probe {

// "" when it is, else the first thing that is not, in words.
std::string disagreement(const net::Reply& reply, const Expectation& expected);

}  // namespace belay::probe
