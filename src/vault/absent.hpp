// SPDX-License-Identifier: Apache-2.0
// The vault of a project that has none yet: to look into it needs no key, and makes none.
#pragma once

#include "vault/vault.hpp"

namespace belay::vault {

// Has no points and no sealed objects. Everything that would write is refused: a vault is made,
// with its key, when the first restore point is about to be taken.
std::unique_ptr<Vault> make_absent_vault(std::string where);

}  // namespace belay::vault
