// SPDX-License-Identifier: Apache-2.0
// The hash that chains each event to the one before. Its bytes: docs/formats/journal.md.
#pragma once

#include "base/hash.hpp"
#include "journal/journal.hpp"

namespace belay::journal {

// The run's number, from its text; 0 when the text is not one ("07", "x", "").
std::int64_t run_number(const std::string& run);

// `previous` is 32 bytes, all zero for the first event. `event.hash` takes no part.
std::string chained(const std::string& previous, const Event& event, std::int64_t epoch);
std::string chain_start();

}  // namespace belay::journal
