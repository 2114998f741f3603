// SPDX-License-Identifier: Apache-2.0
// What is kept beside restore points in a vault's store, sealed with the vault's key: the journal
// that machines share, and who drives its runs. Prune does not look at it.
#pragma once

#include <memory>

#include "base/random.hpp"
#include "base/secret.hpp"
#include "storage/storage.hpp"

namespace belay::vault {

// The store under the same names, each content sealed and bound to its name. `store` and `random`
// outlive it. put() says conflict for what others wrote only: of two that write the same, one wins,
// and an answer that was lost is looked for. Makes the vault when the store is empty; a wrong key
// is refused as open_vault() does. Safe from many threads.
Result<std::unique_ptr<storage::Storage>> open_sealed_store(storage::Storage& store,
                                                            const Secret& key, Random& random);

}  // namespace belay::vault
