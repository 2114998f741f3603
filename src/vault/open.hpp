// SPDX-License-Identifier: Apache-2.0
// Finding or making the keys of a vault: docs/formats/vault.md, "Keys".
#pragma once

#include "storage/storage.hpp"
#include "vault/keyring.hpp"

namespace belay::vault {

// The master key of the vault in `store`, which is created when the store is empty. denied: the
// wrong key; refused: a newer format; corrupt.
Result<Key> open_master(storage::Storage& store, const UserKey& user, Random& random);

// What opens the vault is locked for as long as what is put now.
Status keep_keys(storage::Storage& store);

}  // namespace belay::vault
