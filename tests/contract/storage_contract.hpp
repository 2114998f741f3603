// SPDX-License-Identifier: Apache-2.0
// What every Storage promises. A provider's test instantiates it with a function that makes an
// empty store (and keeps alive what it lives in).
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "storage/storage.hpp"

namespace belay::contract {

using MakeStorage = std::shared_ptr<storage::Storage> (*)();

class StorageContract : public ::testing::TestWithParam<MakeStorage> {
 protected:
  std::shared_ptr<storage::Storage> store = GetParam()();
};

}  // namespace belay::contract
