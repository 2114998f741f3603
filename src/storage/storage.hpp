// SPDX-License-Identifier: Apache-2.0
// Named objects, written once. Names are "a/b/c" of letters, digits, '-', '_', '.'.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"

namespace belay::storage {

struct Object {
  std::string name;
  std::uint64_t bytes = 0;
};

class Storage {
 public:
  virtual ~Storage() = default;
  // Durable when it returns; readers see all or nothing. conflict when the name is taken (the
  // content is never replaced); after an unknown effect get() tells. Safe to repeat: a conflict
  // then means that it is there.
  virtual Status put(const std::string& name, std::string_view content) = 0;
  // missing when there is no such object.
  virtual Result<std::string> get(const std::string& name) = 0;
  // `count` bytes of it from `from` on: fewer where it ends before, none beyond its end. missing
  // as get().
  virtual Result<std::string> get_part(const std::string& name, std::uint64_t from,
                                       std::uint64_t count);
  // All objects whose name begins with `prefix`, in byte order of their names.
  virtual Result<std::vector<Object>> list(const std::string& prefix) = 0;
  // Fine when it is not there.
  virtual Status remove(const std::string& name) = 0;
  virtual Result<bool> exists(const std::string& name) = 0;
  // For messages: "file:/var/lib/belay/shop/vault".
  virtual std::string where() const = 0;
};

// A folder (created, 0700; objects 0600).
std::unique_ptr<Storage> make_local(const Path& folder);

}  // namespace belay::storage
