// SPDX-License-Identifier: Apache-2.0
// Where a rewind goes to: a restore point, or the state that a salvage remembers.
#pragma once

#include <memory>

#include "vault/salvage.hpp"

namespace belay::vault {

struct Want {  // one collection of the goal
  database::Namespace ns;
  std::optional<database::Collection> facts;  // none: it shall not be there
  bool sparse = false;                        // only the documents of changes() are meant
  std::uint64_t documents = 0;                // when not sparse
};

class Goal {
 public:
  virtual ~Goal() = default;
  std::vector<Want> wants;
  bool only_named = false;  // collections that are not named stay as they are
  std::string kind, of;     // as the salvage's index says it
  // All documents of a collection that is not sparse, in the collection's order.
  virtual Result<std::unique_ptr<DocumentReader>> documents(const database::Namespace& ns) = 0;
  // For a sparse collection: entries whose live version is what shall be there.
  virtual Result<EntryReader> changes(const database::Namespace& ns) = 0;
};

// Both keep references to their arguments.
std::unique_ptr<Goal> goal_of(Vault& vault, const Point& point);
std::unique_ptr<Goal> goal_before(Vault& vault, const SalvageIndex& salvage);

}  // namespace belay::vault
