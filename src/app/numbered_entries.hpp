// SPDX-License-Identifier: Apache-2.0
// One thing in a store that never writes over what it has: each version of it is an object of its
// own, "PREFIX00000042", of which the highest number counts. Two who write the same number: one
// gets it.
#pragma once

#include "storage/storage.hpp"

namespace belay::app {

class NumberedEntries {
 public:
  NumberedEntries(storage::Storage& store, std::string prefix)
      : store_(store), prefix_(std::move(prefix)) {}

  // Those that are there, in order. corrupt: something else is there, too.
  Result<std::vector<std::int64_t>> numbers();
  struct Entry {
    std::int64_t number = 0;
    std::string text;
  };
  // Nothing: there is none.
  Result<std::optional<Entry>> latest();
  // conflict: somebody else was first.
  Status put(std::int64_t number, std::string_view text);
  Status remove(std::int64_t number);
  // One that stays is older than what counts: nobody reads it.
  void remove_below(std::int64_t number, const std::vector<std::int64_t>& all);
  std::string name(std::int64_t number) const;

 private:
  storage::Storage& store_;
  std::string prefix_;
};

}  // namespace belay::app
