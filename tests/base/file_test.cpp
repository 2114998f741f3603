// SPDX-License-Identifier: Apache-2.0
#include "base/file.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace belay {
namespace {

namespace fs = std::filesystem;

class Files : public ::testing::Test {
 protected:
  ScratchFolder scratch_ = ScratchFolder::make("belay-file").value();
  Path at(const char* name) const { return scratch_.path() / name; }
};

TEST_F(Files, AWrittenFileIsReadBackAndPrivate) {
  const std::string content("a\0b\n", 4);
  ASSERT_TRUE(write_file(at("f"), content));
  EXPECT_EQ(read_file(at("f")).value(), content);
  struct stat facts {};
  ASSERT_EQ(::stat(at("f").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
}

TEST_F(Files, AMissingFileIsMissing) {
  EXPECT_EQ(read_file(at("none")).error().fault, Fault::missing);
}

TEST_F(Files, AFileOverTheLimitIsRefused) {
  ASSERT_TRUE(write_file(at("f"), std::string(1000, 'x')));
  EXPECT_EQ(read_file(at("f"), 999).error().fault, Fault::refused);
  EXPECT_TRUE(read_file(at("f"), 1000));
}

TEST_F(Files, AWriteThatFailsLeavesTheOldContentAndNoRubbish) {
  ASSERT_TRUE(write_file(at("f"), "old"));
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::_exit(write_file(at("f"), std::string(5000, 'n')) ? 1 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_file(at("f")).value(), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch_.path()), {}), 1);
}

TEST_F(Files, MakingAFolderTwiceIsFineAndAFileInTheWayIsNot) {
  EXPECT_TRUE(make_folder(at("a") / "b"));
  EXPECT_TRUE(make_folder(at("a") / "b"));
  ASSERT_TRUE(write_file(at("f"), ""));
  EXPECT_EQ(make_folder(at("f")).error().fault, Fault::conflict);
  EXPECT_EQ(make_folder(at("f") / "g").error().fault, Fault::conflict);
}

TEST_F(Files, RemovingATreeTwiceIsFine) {
  ASSERT_TRUE(make_folder(at("a") / "b"));
  EXPECT_TRUE(remove_tree(at("a")));
  EXPECT_TRUE(remove_tree(at("a")));
  EXPECT_FALSE(fs::exists(at("a")));
}

TEST(Scratch, GoesWithTheObject) {
  Path path;
  {
    auto scratch = ScratchFolder::make("belay-file");
    ASSERT_TRUE(scratch);
    path = scratch->path();
    EXPECT_TRUE(fs::is_directory(path));
  }
  EXPECT_FALSE(fs::exists(path));
}

}  // namespace
}  // namespace belay
