// SPDX-License-Identifier: Apache-2.0
// What records promise, in a folder and in a store.
#include <gtest/gtest.h>

#include "app/stored_records.hpp"
#include "tests/fake/fake_storage.hpp"

namespace belay::app {
namespace {

using Names = std::vector<std::string>;
enum class Kept { in_a_folder, in_a_store };

class RecordsTest : public ::testing::TestWithParam<Kept> {
 protected:
  ScratchFolder scratch_ = ScratchFolder::make("belay-records").value();
  fake::FakeStorage store_;
  std::unique_ptr<Records> open() {
    if (GetParam() == Kept::in_a_folder) return make_records(scratch_.path() / "records");
    return make_stored_records(store_, "records/production/");
  }
};
INSTANTIATE_TEST_SUITE_P(Folder, RecordsTest, ::testing::Values(Kept::in_a_folder));
INSTANTIATE_TEST_SUITE_P(Store, RecordsTest, ::testing::Values(Kept::in_a_store));

TEST_P(RecordsTest, TheLastTextUnderANameIsWhatIsRead) {
  auto records = open();
  EXPECT_EQ(records->read("a/one.json").value(), std::nullopt);
  EXPECT_TRUE(records->names("a/")->empty());
  for (int i = 1; i <= 12; ++i) ASSERT_TRUE(records->write("a/one.json", std::to_string(i)));
  ASSERT_TRUE(records->write("a/two.json", ""));
  ASSERT_TRUE(records->write("ab/three.json", "x"));
  auto again = open();
  EXPECT_EQ(again->read("a/one.json").value(), "12");
  EXPECT_EQ(again->read("a/two.json").value(), "");
  EXPECT_EQ(again->names("a/").value(), (Names{"a/one.json", "a/two.json"}));
  ASSERT_TRUE(again->remove("a/one.json"));
  ASSERT_TRUE(again->remove("a/one.json"));
  EXPECT_EQ(again->read("a/one.json").value(), std::nullopt);
  EXPECT_EQ(again->names("a/").value(), Names{"a/two.json"});
}

TEST(StoredRecords, ADeathInAnyRequestLeavesTheOldTextOrTheNewOne) {
  for (int death = 1; death < 6; ++death) {
    for (const bool half : {false, true}) {
      fake::FakeStorage store;
      auto records = make_stored_records(store, "r/");
      ASSERT_TRUE(records->write("a", "old"));
      store.revive();
      store.die_at(death, half);
      const Status written = records->write("a", "new");
      store.revive();
      const auto text = records->read("a").value();
      EXPECT_TRUE(text == "new" || (text == "old" && !written)) << death << *text;
      ASSERT_TRUE(records->write("a", "newest"));
      EXPECT_EQ(records->read("a").value(), "newest");
    }
  }
}

TEST(StoredRecords, WhatIsNotOursIsRefused) {
  fake::FakeStorage store;
  ASSERT_TRUE(store.put("r/a/zzz", "x"));
  EXPECT_EQ(make_stored_records(store, "r/")->write("a", "y").error().fault, Fault::corrupt);
}

}  // namespace
}  // namespace belay::app
