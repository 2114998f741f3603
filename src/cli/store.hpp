// SPDX-License-Identifier: Apache-2.0
// What the commands on restore points share: database and vault opened, a bar for long reading.
#pragma once

#include "cli/session.hpp"

namespace belay::cli {

struct Store {
  Opened opened;
  std::unique_ptr<app::Works> works;
  vault::Vault& vault() const { return *works->site.vault; }
};

// invalid: belay.yaml has no database.
Result<Store> open_store(Session& session, const Args& args);
// A restore point is about to be taken: a new vault gets its key, which is shown once.
Result<Store> open_store_to_write(Session& session, const Args& args);

vault::OnProgress bar(const Session& session);
void end_bar(const Session& session);

// "exact at 2026-11-23T10:15:00.000Z", "FUZZY (why)".
std::string instant_for_people(const vault::Point& point);

}  // namespace belay::cli
