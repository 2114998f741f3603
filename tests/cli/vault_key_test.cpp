// SPDX-License-Identifier: Apache-2.0
// The key of a vault that belay.yaml names no key for: made with the first restore point, and shown
// to whoever makes it, once.
#include "tests/support/scratch_project.hpp"

namespace belay::cli {
namespace {

using testing::ScratchProject;

class VaultKey : public ::testing::Test {
 protected:
  void SetUp() override {
    project_.write("belay.yaml", project_.file() + "database: { uri: \"${MONGODB_URI}\" }\n");
    project_.commit("First");
  }
  // Nobody listens there: a restore point is begun and fails.
  Finished belay(std::vector<std::string> words) const {
    return project_.belay(
        std::move(words),
        {{"MONGODB_URI", "mongodb://127.0.0.1:1/shop?serverSelectionTimeoutMS=300"}});
  }
  Path file() const { return project_.state() / "vault.key"; }
  std::string key() const {
    auto text = read_file(file());
    EXPECT_TRUE(text.ok());
    return text ? text->substr(0, text->find('\n')) : "?";
  }
  bool made() const { return std::filesystem::exists(file()); }
  static bool tells(const std::string& text) {
    return text.find("A vault key was made") != std::string::npos;
  }

  ScratchProject project_;
};

TEST_F(VaultKey, IsMadeByNoCommandThatOnlyLooks) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"health"},
                                             {"salvage"},
                                             {"backup", "list"},
                                             {"backup", "verify"},
                                             {"audit", "verify"},
                                             {"plan"},
                                             {"rollback", "--dry-run"},
                                             {"rewind", "rp-1", "--dry-run"},
                                             {"doctor"}}) {
    const auto said = belay(words);
    EXPECT_FALSE(made()) << words.front() << said.out << said.err;
    EXPECT_FALSE(tells(said.out + said.err)) << words.front();
    EXPECT_FALSE(std::filesystem::exists(project_.state() / "vault/config")) << words.front();
  }
  EXPECT_NE(belay({"rewind", "rp-1", "--dry-run"}).err.find("belay backup create"),
            std::string::npos);
}

TEST_F(VaultKey, OfAFirstDeployIsToldOnceAndNotAmongTheRunsLines) {
  const auto first = belay({"deploy"});
  EXPECT_TRUE(made());
  EXPECT_TRUE(tells(first.err)) << first.err;
  EXPECT_NE(first.err.find("Keep a copy elsewhere"), std::string::npos) << first.err;
  EXPECT_NE(first.err.find(file().string()), std::string::npos) << first.err;
  EXPECT_FALSE(tells(first.out)) << first.out;
  const auto again = belay({"deploy"});
  EXPECT_FALSE(tells(again.out + again.err)) << again.err;
}

TEST_F(VaultKey, ItselfIsNowhereWhereNoPersonLooks) {
  const auto first = belay({"deploy", "--json"});
  EXPECT_TRUE(tells(first.err)) << first.err;
  EXPECT_EQ((first.out + first.err).find(key()), std::string::npos);
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(project_.state() / "runs")) {
    if (!entry.is_regular_file()) continue;
    auto text = read_file(entry.path());
    ASSERT_TRUE(text.ok());
    EXPECT_EQ(text->find(key()), std::string::npos) << entry.path();
  }
}

TEST_F(VaultKey, OfADeployThatTakesNoRestorePointIsNotMade) {
  const auto done = belay({"deploy", "--skip-backup", "--reason", "trying out"});
  EXPECT_EQ(done.status, 0) << done.out << done.err;
  EXPECT_FALSE(made());
}

TEST_F(VaultKey, ThatIsGoneIsMissedAndNotReplaced) {
  static_cast<void>(belay({"deploy"}));
  ASSERT_TRUE(made());
  std::filesystem::remove(file());
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"backup", "list"}, {"backup", "create"}, {"deploy"}}) {
    const auto said = belay(words);
    EXPECT_EQ(said.status, 2) << words.front() << said.out << said.err;
    EXPECT_NE(said.err.find("put back the copy"), std::string::npos) << said.err;
    EXPECT_FALSE(made()) << words.front();
  }
}

}  // namespace
}  // namespace belay::cli
