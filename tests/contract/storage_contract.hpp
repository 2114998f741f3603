// SPDX-License-Identifier: Apache-2.0
// What every Storage promises. A provider's test instantiates it with a function that makes an
// empty store (and keeps alive what it lives in).
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "storage/storage.hpp"

namespace belay::contract {

using MakeStorage = std::shared_ptr<storage::Storage> (*)();

// A store at `name` in a folder of its own, kept as long as the store is.
template <class Make>
std::shared_ptr<storage::Storage> in_scratch(const Path& name, const Make& make) {
  struct Kept {
    ScratchFolder folder;
    std::unique_ptr<storage::Storage> store;
  };
  auto folder = ScratchFolder::make("belay-store");
  auto kept = std::make_shared<Kept>(Kept{std::move(folder).value(), nullptr});
  kept->store = make(kept->folder.path() / name);
  storage::Storage* const store = kept->store.get();
  return {std::move(kept), store};
}

class StorageContract : public ::testing::TestWithParam<MakeStorage> {
 protected:
  std::shared_ptr<storage::Storage> store = GetParam()();
};

}  // namespace belay::contract
