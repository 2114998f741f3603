// SPDX-License-Identifier: Apache-2.0
// Restore points as runs take, find and outlive them.
#pragma once

#include "engine/site.hpp"
#include "vault/backup.hpp"

namespace belay::engine {

// What tells a run from those of all other journals: the hash of its first event.
Result<std::string> origin_of(journal::Journal& journal, const std::string& run);

// "ID:HASH" of the journal's last event, for a manifest; empty: there is none yet.
Result<std::string> anchor_of(journal::Journal& journal);

// Taken, committed, and then read, decrypted and counted once more by a process that has seen
// nothing of it. A point that does not come back is removed, and the error names it.
Result<vault::Point> take_verified_point(const Site& site, database::Database& database,
                                         const vault::BackupRequest& request,
                                         const vault::OnProgress& progress, std::stop_token stop);

// What the arguments of a rewind mean, seen to be whose it must be and to fit this environment.
// "{run}" in a name stands for `run`; "of" says which run's it is, else it was named by hand.
Result<vault::Point> point_meant(const Site& site, const Json& args, const std::string& run);
Result<std::string> salvage_meant(const Site& site, const Json& args, const std::string& run);

// After a verified new point, never before one: points and salvages of this environment that have
// outlived the environment's `keep`. Those that a release or an open run could need stay. How many
// were removed.
Result<int> apply_retention(const Site& site, const vault::Point& fresh);

}  // namespace belay::engine
