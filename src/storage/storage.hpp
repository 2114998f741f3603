// SPDX-License-Identifier: Apache-2.0
// Named objects, written once. Names are "a/b/c" of letters, digits, '-', '_', '.'.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace belay::storage {

struct Object {
  std::string name;
  std::uint64_t bytes = 0;
};

// Of a store that locks what is put into it: until its date nobody can remove it or write over it
// for good, whatever keys they have. Readers may be shown something else meanwhile: then what is
// locked is hidden below.
class Locking {
 public:
  virtual ~Locking() = default;
  // The date of what readers are shown; none: it has none, or it is past. missing.
  virtual Result<std::optional<TimePoint>> until(const std::string& name) = 0;
  // Locked for the store's time from now on, at least. missing. Fine twice.
  virtual Status keep(const std::string& name) = 0;
  // Names under which something locked is hidden: others removed it, or wrote over it.
  virtual Result<std::vector<std::string>> hidden() = 0;
  // Takes away what hides it. Fine when nothing does.
  virtual Status uncover(const std::string& name) = 0;
  // refused: nothing can be locked there; says what to change. denied: it may not be asked.
  virtual Status check() = 0;
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
  // Fine when it is not there. busy: it is locked, and says until when.
  virtual Status remove(const std::string& name) = 0;
  virtual Result<bool> exists(const std::string& name) = 0;
  // None: nothing is locked here.
  virtual Locking* locking() { return nullptr; }
  // For messages: "file:/var/lib/belay/shop/vault".
  virtual std::string where() const = 0;
};

// A folder (created, 0700; objects 0600).
std::unique_ptr<Storage> make_local(const Path& folder);

// One file (created, 0600, with the first object): what is handed on, or kept elsewhere. Reading
// makes none. corrupt: the file is there, and is no such archive.
std::unique_ptr<Storage> make_archive(const Path& file);

}  // namespace belay::storage
