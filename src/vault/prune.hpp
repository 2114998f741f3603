// SPDX-License-Identifier: Apache-2.0
// Removing blocks that nothing references.
#pragma once

#include <unordered_set>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "storage/storage.hpp"
#include "vault/vault.hpp"

namespace belay::vault {

// The blocks that all manifests and sealed objects reference, read anew from the store.
using Mark = std::function<Result<std::unordered_set<std::string>>()>;

// Frees nothing while a writer holds a lease. Killed anywhere, it is simply run again.
Result<Freed> prune_blocks(storage::Storage& store, Clock& clock, Random& random, const Mark& mark);

}  // namespace belay::vault
