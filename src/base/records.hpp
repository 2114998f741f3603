// SPDX-License-Identifier: Apache-2.0
// Small texts that change, by name ("backend/prod-20261123-101500.json"): what a provider must know
// later of what it made. In a folder, or wherever several machines find them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"

namespace belay {

class Records {
 public:
  virtual ~Records() = default;
  virtual Result<std::optional<std::string>> read(const std::string& name) = 0;
  // In the place of what was there; durable when it returns. Of two at once, one is left.
  virtual Status write(const std::string& name, std::string_view text) = 0;
  virtual Status remove(const std::string& name) = 0;  // fine when there is none
  // Names that begin with `prefix`, which ends with '/', in byte order.
  virtual Result<std::vector<std::string>> names(const std::string& prefix) = 0;
  virtual std::string where() const = 0;  // for messages: a name is behind it, after a '/'
};

// Files of this folder, 0600; names with '/' are in folders within it.
std::unique_ptr<Records> make_records(Path folder);

}  // namespace belay
