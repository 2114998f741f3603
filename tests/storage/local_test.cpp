// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "tests/contract/storage_contract.hpp"
#include "tests/fake/fake_storage.hpp"

namespace belay::contract {
namespace {

std::shared_ptr<storage::Storage> make_fake() {
  return std::make_shared<fake::FakeStorage>();
}

std::shared_ptr<storage::Storage> make_local_store() {
  return in_scratch("vault", storage::make_local);
}

INSTANTIATE_TEST_SUITE_P(Fake, StorageContract, ::testing::Values(&make_fake));
INSTANTIATE_TEST_SUITE_P(Local, StorageContract, ::testing::Values(&make_local_store));

mode_t mode_of(const Path& path) {
  struct stat facts {};
  EXPECT_EQ(::stat(path.c_str(), &facts), 0) << path;
  return facts.st_mode & 0777;
}

struct LocalStore : ::testing::Test {
  ScratchFolder scratch = ScratchFolder::make("belay-store").value();
  Path folder = scratch.path() / "deep" / "vault";
  std::unique_ptr<storage::Storage> store = storage::make_local(folder);
};

TEST_F(LocalStore, FoldersAndObjectsAreTheOwnersAlone) {
  ASSERT_TRUE(store->put("blocks/ab/abcd", "x").ok());
  EXPECT_EQ(mode_of(folder), 0700u);
  EXPECT_EQ(mode_of(folder / "blocks/ab"), 0700u);
  EXPECT_EQ(mode_of(folder / "blocks/ab/abcd"), 0600u);
}

TEST_F(LocalStore, HalfWrittenObjectsAreNeverSeen) {
  ASSERT_TRUE(store->put("a", "x").ok());
  std::ofstream(folder / ".incoming" / "999-1") << "half";
  EXPECT_EQ(store->list("").value().size(), 1u);
}

TEST_F(LocalStore, ALeftoverOfAKilledWriterDoesNotStandInTheWay) {
  ASSERT_TRUE(store->put("first", "x").ok());
  const std::string pid = std::to_string(::getpid());
  for (int i = 0; i < 5000; ++i)
    std::ofstream(folder / ".incoming" / (pid + "-" + std::to_string(i))) << "half";
  ASSERT_TRUE(store->put("a", "whole").ok());
  EXPECT_EQ(store->get("a").value(), "whole");
}

TEST_F(LocalStore, NothingIsCreatedByReading) {
  EXPECT_TRUE(store->list("points/").value().empty());
  EXPECT_FALSE(store->exists("config").value());
  EXPECT_FALSE(std::filesystem::exists(folder));
}

TEST_F(LocalStore, AFileInTheWayIsNamed) {
  std::ofstream(scratch.path() / "deep") << "a file";
  auto put = store->put("a", "x");
  ASSERT_FALSE(put.ok());
  EXPECT_NE(put.error().message().find((scratch.path() / "deep").string()), std::string::npos);
}

TEST_F(LocalStore, AFullDiskLeavesNothingBehind) {
  struct rlimit_guard {
    rlimit_guard() {
      ::getrlimit(RLIMIT_FSIZE, &before);
      rlimit small{100, before.rlim_max};
      ::signal(SIGXFSZ, SIG_IGN);
      ::setrlimit(RLIMIT_FSIZE, &small);
    }
    ~rlimit_guard() { ::setrlimit(RLIMIT_FSIZE, &before); }
    rlimit before{};
  };
  ASSERT_TRUE(store->put("small", "x").ok());
  {
    const rlimit_guard guard;
    auto put = store->put("big", std::string(1000, 'x'));
    ASSERT_FALSE(put.ok());
    EXPECT_EQ(put.error().effect, Effect::none);
  }
  EXPECT_FALSE(store->exists("big").value());
  EXPECT_TRUE(std::filesystem::is_empty(folder / ".incoming"));
  EXPECT_TRUE(store->put("big", std::string(1000, 'x')).ok());
}

TEST_F(LocalStore, AFolderGivenWithATrailingSlashIsTheSameFolder) {
  ASSERT_TRUE(store->put("a/b", "x").ok());
  auto again = storage::make_local(folder.string() + "/");
  ASSERT_EQ(again->list("a/").value().size(), 1u);
  EXPECT_EQ(again->list("a/").value().front().name, "a/b");
  EXPECT_EQ(again->where(), "file:" + folder.string());
}

}  // namespace
}  // namespace belay::contract
