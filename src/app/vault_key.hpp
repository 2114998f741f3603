// SPDX-License-Identifier: Apache-2.0
// The vault's key: the one that belay.yaml names, else a file in the state folder.
#pragma once

#include <optional>

#include "app/machine.hpp"
#include "app/secrets.hpp"
#include "pipeline/plan.hpp"
#include "storage/storage.hpp"

namespace belay::app {

// None: belay.yaml names no key, and neither key nor vault are made yet. missing: the vault in
// `store` was made with a key of ours that is gone.
Result<std::optional<Secret>> vault_key(const Desk& desk, const pipeline::Vault& vault,
                                        storage::Storage& store, Secrets& secrets);

// Whether the environment's vault was made; looking makes none. Asks the store.
Result<bool> vault_is_made(Desk& desk, const std::string& environment);

struct FreshKey {  // to be shown once: only whoever made it has one
  Path path;
  Secret key;
};

// Makes the key of a vault that is about to be made. None where belay.yaml names the key, or key or
// vault are there. Two at once: one makes it.
Result<std::optional<FreshKey>> make_vault_key(Desk& desk, const pipeline::Spec& present,
                                               const std::string& environment,
                                               const std::string& folder);

// The same before a run is driven that takes a restore point; none for other runs.
Result<std::optional<FreshKey>> make_vault_key(Desk& desk, const pipeline::Plan& plan);

}  // namespace belay::app
