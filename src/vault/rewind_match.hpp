// SPDX-License-Identifier: Apache-2.0
// Which live collection is which collection of the goal: by UUID, then by name.
#pragma once

#include "vault/rewind_goal.hpp"

namespace belay::vault {

struct Pair {
  const Want* want = nullptr;  // none: the goal does not know it
  std::optional<database::Collection> live;
};

// Every want that shall be there, and every live collection that shall not. Pure.
Result<std::vector<Pair>> match(const Goal& goal, const database::Catalogue& live);

}  // namespace belay::vault
