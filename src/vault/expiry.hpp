// SPDX-License-Identifier: Apache-2.0
// Documents that an index lets expire.
#pragma once

#include "database/database.hpp"

namespace belay::vault {

// How many the server is about to remove once `index` is there; none: it is no such index, or the
// server cannot count.
std::optional<std::uint64_t> about_to_expire(database::Database& database,
                                             const database::Namespace& ns,
                                             const database::Bson& index, TimePoint now);

}  // namespace belay::vault
