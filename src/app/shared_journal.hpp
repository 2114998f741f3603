// SPDX-License-Identifier: Apache-2.0
// `journal: store`: the journal and the claims on its runs live in the vault's store, sealed with
// its key, for machines that are thrown away.
#pragma once

#include <memory>

#include "app/run_lease.hpp"
#include "app/secrets.hpp"
#include "app/store.hpp"
#include "base/world.hpp"
#include "engine/runner.hpp"
#include "journal/journal.hpp"

namespace belay::app {

struct Desk;

// Owns what the journal is kept in.
struct SharedPlace {
  std::shared_ptr<Secrets> secrets;
  std::unique_ptr<storage::Storage> store, sealed;
  std::unique_ptr<journal::Ledger> ledger;
};

// None: the vault is not made yet, and whoever only looks makes none. missing, naming it, when a
// secret is not there.
Result<std::unique_ptr<SharedPlace>> open_shared_place(Desk& desk, bool make);

// Claims of `here`, with a lease beside each that other machines see. Both outlive it.
std::unique_ptr<engine::Claims> make_shared_claims(std::unique_ptr<engine::Claims> here,
                                                   storage::Storage& sealed, World& world,
                                                   std::string machine, LeaseTimes times = {});

// The name of this state folder among machines, made when it is first asked for.
Result<std::string> machine_name(const Path& state, Random& random);

}  // namespace belay::app
