// SPDX-License-Identifier: Apache-2.0
// One saved collection, base and delta merged, one block of each in memory.
#pragma once

#include "vault/blocks.hpp"

namespace belay::vault {

std::unique_ptr<DocumentReader> make_reader(const Blocks& blocks,
                                            const SavedCollection& collection);

}  // namespace belay::vault
