// SPDX-License-Identifier: Apache-2.0
// Where things live: the file is found by walking up, state is never in the clone.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/file.hpp"

namespace belay::app {

using Getenv = std::map<std::string, std::string>;  // the process environment, as a value

Getenv process_environment();

// `named` (--file, BELAY_FILE) if given, else belay.yaml here or above, as git does. missing, with
// the remedy.
Result<Path> find_project_file(const std::optional<Path>& named, const Path& here);

struct Places {
  Path state;
  // Made where it is not there. Root's services run as others, who pass through to their releases.
  Status make_state() const;
  Path journal() const { return state / "journal"; }
  Path vault() const { return state / "vault"; }
  Path vault_key() const { return state / "vault.key"; }
  Path fingerprint_key() const { return state / "fingerprint.key"; }
  Path children() const { return state / "children"; }
  Path work() const { return state / "work"; }
  Path runs() const { return state / "runs"; }
  Path log_of(const std::string& run, const std::string& step) const;
  Path environments() const { return state / "environments"; }
  Path environment(const std::string& name) const { return environments() / name; }
  Path agent_lock() const { return state / "agent.lock"; }  // held by an agent at work
  Path backups() const { return state / "backups"; }
};

// /var/lib/belay/PROJECT for root, $XDG_STATE_HOME/belay/PROJECT otherwise, or `state:`.
Result<Places> places_of(const std::string& project, const std::string& state,
                         const Path& project_folder, const Getenv& env);

}  // namespace belay::app
