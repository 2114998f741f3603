// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/storage_contract.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <thread>

namespace belay::contract {

TEST_P(StorageContract, WhatIsPutComesBackByteForByte) {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += static_cast<char>(i % 256);
  ASSERT_TRUE(store->put("a/b/c.1_2-3", bytes).ok());
  auto back = store->get("a/b/c.1_2-3");
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_EQ(back.value(), bytes);
  EXPECT_TRUE(store->exists("a/b/c.1_2-3").value());
}

TEST_P(StorageContract, AnEmptyAndALargeObjectComeBack) {
  ASSERT_TRUE(store->put("empty", "").ok());
  EXPECT_EQ(store->get("empty").value(), "");
  const std::string large(std::size_t{17} << 20, 'x');
  ASSERT_TRUE(store->put("large", large).ok());
  EXPECT_TRUE(store->get("large").value() == large);
}

TEST_P(StorageContract, PartsOfAnObjectComeBackUpToItsEnd) {
  ASSERT_TRUE(store->put("ten", "0123456789").ok());
  ASSERT_TRUE(store->put("empty", "").ok());
  const auto part = [this](const char* name, std::uint64_t from, std::uint64_t count) {
    auto bytes = store->get_part(name, from, count);
    EXPECT_TRUE(bytes.ok()) << bytes.error().message();
    return bytes ? *bytes : std::string("?");
  };
  constexpr auto all = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(part("ten", 0, 3), "012");
  EXPECT_EQ(part("ten", 4, 1), "4");
  EXPECT_EQ(part("ten", 7, 100), "789");
  EXPECT_EQ(part("ten", 9, all), "9");
  EXPECT_EQ(part("ten", 0, all), "0123456789");
  EXPECT_EQ(part("ten", 3, 0), "");
  EXPECT_EQ(part("ten", 10, 1), "");
  EXPECT_EQ(part("ten", all, all), "");
  EXPECT_EQ(part("empty", 0, 5), "");
  EXPECT_EQ(part("empty", 3, 0), "");
  EXPECT_EQ(store->get_part("none", 0, 0).error().fault, Fault::missing);
  EXPECT_EQ(store->get_part("none", 3, 5).error().fault, Fault::missing);
}

TEST_P(StorageContract, ATakenNameIsAConflictAndTheContentStays) {
  ASSERT_TRUE(store->put("name", "first").ok());
  auto again = store->put("name", "second");
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().fault, Fault::conflict);
  EXPECT_EQ(store->get("name").value(), "first");
}

TEST_P(StorageContract, WhatIsNotThereIsMissing) {
  auto got = store->get("no/such");
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().fault, Fault::missing);
  EXPECT_FALSE(store->exists("no/such").value());
  EXPECT_TRUE(store->list("no/").value().empty());
  EXPECT_TRUE(store->remove("no/such").ok());
}

TEST_P(StorageContract, ListGivesNamesWithThePrefixInByteOrderWithSizes) {
  for (const char* name :
       {"points/b", "points/a", "points-old", "points/a.b/c", "blocks/aa/1", "points/a-b"}) {
    ASSERT_TRUE(store->put(name, name).ok());
  }
  auto found = store->list("points/");
  ASSERT_TRUE(found.ok());
  std::vector<std::string> names;
  for (const auto& object : found.value()) {
    names.push_back(object.name);
    EXPECT_EQ(object.bytes, object.name.size());
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"points/a", "points/a-b", "points/a.b/c", "points/b"}));
  EXPECT_EQ(store->list("points/a").value().size(), 3u);
  EXPECT_EQ(store->list("").value().size(), 6u);
}

TEST_P(StorageContract, WhatIsRemovedIsGoneAndItsNameIsFree) {
  ASSERT_TRUE(store->put("x/y", "1").ok());
  ASSERT_TRUE(store->remove("x/y").ok());
  ASSERT_TRUE(store->remove("x/y").ok());
  EXPECT_FALSE(store->exists("x/y").value());
  ASSERT_TRUE(store->put("x/y", "2").ok());
  EXPECT_EQ(store->get("x/y").value(), "2");
}

TEST_P(StorageContract, NamesThatCouldLeaveTheStoreAreInvalid) {
  for (const char* name : {"", "/etc/passwd", "../x", "a/../x", "a//b", "a/", "a b", "a\nb",
                           ".hidden", "a/.hidden", "a\\b", "\xc3\xa4"}) {
    auto put = store->put(name, "x");
    ASSERT_FALSE(put.ok()) << name;
    EXPECT_EQ(put.error().fault, Fault::invalid) << name;
    auto got = store->get(name);
    ASSERT_FALSE(got.ok()) << name;
    EXPECT_EQ(got.error().fault, Fault::invalid) << name;
  }
}

TEST_P(StorageContract, OfManyWritersOfOneNameExactlyOneWins) {
  for (int round = 0; round < 20; ++round) {
    const std::string name = "race/" + std::to_string(round);
    std::atomic<int> wins{0}, conflicts{0};
    std::vector<std::string> winners(4);
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < winners.size(); ++i) {
        threads.emplace_back([&, i] {
          auto put = store->put(name, std::string(1000, static_cast<char>('a' + i)));
          if (put) winners[i] = std::string(1000, static_cast<char>('a' + i));
          if (put) ++wins;
          if (!put && put.error().fault == Fault::conflict) ++conflicts;
        });
      }
    }
    EXPECT_EQ(wins, 1);
    EXPECT_EQ(conflicts, 3);
    const std::string content = store->get(name).value();
    EXPECT_NE(std::find(winners.begin(), winners.end(), content), winners.end());
  }
}

TEST_P(StorageContract, WhereIsForPeople) {
  EXPECT_NE(store->where().find(':'), std::string::npos);
}

}  // namespace belay::contract
