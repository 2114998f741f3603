// SPDX-License-Identifier: Apache-2.0
// What a run that reached its environment's lock may do about others in its way. Only by asking
// them, in their own journals: nobody takes a lock from a run.
#pragma once

#include <optional>
#include <string>

#include "journal/journal.hpp"

namespace belay::engine {

// The deploy that holds the lock of `environment`, asked to stop and to take back what it changed
// (once). None: nobody holds it, or the holder is no deploy: that is waited for. Safe to repeat.
Result<std::optional<std::string>> ask_deploy_to_stop(journal::Journal& journal,
                                                      const std::string& environment,
                                                      const std::string& because);

// Ends the older deploys of `environment` that wait at the lock as well, with nothing changed.
// One that has the lock by now is left alone. Safe to repeat.
Status supersede_waiting(journal::Journal& journal, const std::string& environment,
                         const std::string& run);

}  // namespace belay::engine
