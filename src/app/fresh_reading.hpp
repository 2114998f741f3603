// SPDX-License-Identifier: Apache-2.0
// Reading a restore point in a process that has seen nothing of it: what is "verified" came back
// from the store, not from the memory of whoever wrote it.
#pragma once

#include "app/store.hpp"
#include "vault/vault.hpp"

namespace belay::app {

// The word that makes this program read a point and tell what it found. Not for people.
inline constexpr const char* reading_word = "read-point";

// In a child that is this very program; the secrets go through its standard input.
Result<vault::VerifyReport> read_in_child(const StoreRecipe& store, const Secret& key,
                                          const std::string& point, std::stop_token stop);
// The child's side: the request on standard input, the report on standard output. Exit status.
int answer_reading();

}  // namespace belay::app
