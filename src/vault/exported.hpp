// SPDX-License-Identifier: Apache-2.0
// One restore point on its own, sealed as it is: out of a vault's store into another store, and
// into a vault. Format: docs/formats/vault.md, "Exported points".
#pragma once

#include "vault/vault.hpp"

namespace belay::vault {

// What reading this point needs, as it stands in `from`: the vault's keys, its blocks, and last its
// manifest. `to` then is a vault of one point, which opens with the same key. Nothing is opened
// here: read it back. `to` had no vault before; after a failure it is of no use. missing, corrupt.
Status export_point(storage::Storage& from, const Point& point, storage::Storage& to,
                    const OnProgress& progress, std::stop_token stop);

// Reads all of it first, and writes nothing when any of it is damaged (corrupt). Then it is in
// `to`, whole: each of its blocks was read there, and those that could not be were stored anew.
// Works between vaults of different keys, and again after a failure, which leaves blocks that prune
// removes. conflict: another point has its name there.
Result<Point> import_point(Vault& from, const std::string& name, Vault& to,
                           const OnProgress& progress, std::stop_token stop);

}  // namespace belay::vault
