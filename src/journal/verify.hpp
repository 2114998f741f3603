// SPDX-License-Identifier: Apache-2.0
// Recomputes the chain and the derived tables from the events, and says where they differ from
// what is stored. What it can and cannot show: docs/formats/journal.md, "Chain".
#pragma once

#include "base/sql.hpp"
#include "journal/journal.hpp"

namespace belay::journal {

Result<Verification> verify_all(sql::Connection& connection);

// A row of "SELECT id, run_id, seq, at, kind, version, key, body, hash FROM event ..."
Event event_of(const sql::Statement& row);
inline constexpr const char* event_columns =
    "id, run_id, seq, at, kind, version, key, body, hash, epoch";

}  // namespace belay::journal
