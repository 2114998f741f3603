// SPDX-License-Identifier: Apache-2.0
// Reading saved collections back from the store, every block and every document.
#pragma once

#include "vault/vault.hpp"

namespace belay::vault {

struct Reading {  // what came back of one collection
  std::uint64_t documents = 0, bytes = 0;
  std::string md5;
};

// `each` sees every document in order and may be empty.
Result<Reading> read_back(Vault& vault, const SavedCollection& saved, std::stop_token stop,
                          const std::function<void(std::uint64_t documents)>& each = {});

// Counts, bytes and hashes of all collections, compared with what the point says.
Result<VerifyReport> verify_point(Vault& vault, const Point& point, const OnProgress& progress,
                                  std::stop_token stop);

}  // namespace belay::vault
