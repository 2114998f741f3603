// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/sql.hpp"
#include "tests/contract/storage_contract.hpp"

namespace belay::contract {
namespace {

std::shared_ptr<storage::Storage> make_archive_store() {
  return in_scratch("deep/one.backup", storage::make_archive);
}

INSTANTIATE_TEST_SUITE_P(Archive, StorageContract, ::testing::Values(&make_archive_store));

struct ArchiveStore : ::testing::Test {
  ScratchFolder scratch = ScratchFolder::make("belay-store").value();
  Path file = scratch.path() / "one.backup";
  std::unique_ptr<storage::Storage> store = storage::make_archive(file);

  void change(const char* sql) const {
    auto connection = sql::Connection::open(file, "the test's archive");
    ASSERT_TRUE(connection.ok());
    ASSERT_TRUE(connection->execute(sql).ok());
  }
};

TEST_F(ArchiveStore, IsOneFileOfItsOwnerAlone) {
  ASSERT_TRUE(store->put("a/b", "x").ok());
  struct stat facts {};
  ASSERT_EQ(::stat(file.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  const std::filesystem::directory_iterator all(scratch.path());
  EXPECT_EQ(std::distance(begin(all), end(all)), 1);
}

TEST_F(ArchiveStore, NothingIsCreatedByReading) {
  EXPECT_TRUE(store->list("").value().empty());
  EXPECT_FALSE(store->exists("config").value());
  EXPECT_TRUE(store->remove("config").ok());
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(ArchiveStore, AFileThatIsNoneIsNotUsed) {
  for (const std::string& content :
       {std::string("PK\x03\x04 a zip"), std::string(5000, 'x'), std::string()}) {
    std::ofstream(file) << content;
    const auto got = storage::make_archive(file)->get("config");
    ASSERT_FALSE(got.ok());
    EXPECT_EQ(got.error().fault, Fault::corrupt) << got.error().message();
    EXPECT_NE(got.error().message().find("is no archive"), std::string::npos);
  }
}

TEST_F(ArchiveStore, AFileThatIsCutOffIsCorrupt) {
  for (int i = 0; i < 20; ++i)
    ASSERT_TRUE(store->put("blocks/" + std::to_string(i), std::string(10'000, 'x')).ok());
  store.reset();
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  const auto cut = storage::make_archive(file);
  int whole = 0;
  for (int i = 0; i < 20; ++i) {
    const auto got = cut->get("blocks/" + std::to_string(i));
    if (got) ++whole;
    EXPECT_TRUE(got ? *got == std::string(10'000, 'x') : got.error().fault == Fault::corrupt);
  }
  EXPECT_LT(whole, 20);
}

TEST_F(ArchiveStore, AViewInTheTablesPlaceIsNotRead) {
  ASSERT_TRUE(store->put("config", "x").ok());
  store.reset();
  change(
      "ALTER TABLE sqlar RENAME TO other; "
      "CREATE VIEW sqlar AS SELECT name, mode, mtime, sz, data FROM other");
  const auto got = storage::make_archive(file)->get("config");
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().fault, Fault::corrupt);
}

TEST_F(ArchiveStore, NamesAndSizesThatItDidNotWriteAreRefused) {
  ASSERT_TRUE(store->put("config", "x").ok());
  store.reset();
  change("UPDATE sqlar SET sz = 77");
  EXPECT_EQ(storage::make_archive(file)->get("config").error().fault, Fault::corrupt);
  change("UPDATE sqlar SET name = '../../etc/passwd'");
  EXPECT_FALSE(storage::make_archive(file)->list("").ok());
}

}  // namespace
}  // namespace belay::contract
