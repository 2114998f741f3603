// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/vault/rewind_world.hpp"

namespace belay::vault::testing {
namespace {

TEST(Rewind, BringsDocumentsIndexesOptionsAndViewsBackByteForByte) {
  World world;
  good_shop(world.database);
  const auto good = everything(world.database);
  const auto point = world.take();
  bad_migration(world.database);
  auto report = world.rewind(point);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(difference(good, everything(world.database)), "");
  EXPECT_EQ(report->salvage, "salvage-1");
}

}  // namespace
}  // namespace belay::vault::testing
