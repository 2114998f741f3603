// SPDX-License-Identifier: Apache-2.0
#include "engine/children_elsewhere.hpp"

#include <algorithm>

namespace belay::engine {

void ChildrenElsewhere::begun_elsewhere(const std::string& attempt_key) {
  const std::lock_guard lock(mutex_);
  attempts_.insert(attempt_key);
}

// A step's children are named with its attempt's key, or with more behind it.
bool ChildrenElsewhere::is_elsewhere(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(attempts_.begin(), attempts_.end(), [&key](const std::string& attempt) {
    return key.starts_with(attempt) && (key.size() == attempt.size() || key[attempt.size()] == '.');
  });
}

Result<ChildStatus> ChildrenElsewhere::look(const std::string& key) {
  TRY_LET(auto status, here_.look(key));
  if (status.state == ChildState::absent && is_elsewhere(key)) status.state = ChildState::unknown;
  return status;
}

}  // namespace belay::engine
