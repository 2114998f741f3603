// SPDX-License-Identifier: Apache-2.0
// Restore points as files, with the real program on a real server: handed on, taken back in.
#include "base/hash.hpp"
#include "tests/cli/on_a_server.hpp"
#include "tests/fake/stand_in.hpp"

namespace belay::cli {
namespace {

using Environment = std::map<std::string, std::string>;

struct BackupFile : testing::OnAServer {
  Path folder, file;

  void SetUp() override {
    OnAServer::SetUp();
    ASSERT_TRUE(server->insert("one", "orders", {R"({"_id": 1})", R"({"_id": 2})"}));
    write("");
    folder = project.above() / "safe";
    file = folder / "a.backup";
    ASSERT_EQ(belay({"backup", "create", "a"}).status, 0);
  }
  void write(const std::string& more) const {
    OnAServer::write("  names: [one]\n", "environments:\n  production: { tag: prod }\n" + more);
  }
  void export_it() const {
    const auto done = belay({"backup", "export", "a", "--to", folder.string()});
    ASSERT_EQ(done.status, 0) << done.out << done.err;
  }
  Finished import_it(std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"backup", "import", file.string()};
    words.insert(words.end(), more.begin(), more.end());
    return belay(std::move(words));
  }
  void lose_vault() const { std::filesystem::remove_all(project.state() / "vault"); }
  void spoil_blocks() const {
    const Path blocks = project.state() / "vault/blocks";
    for (const auto& entry : std::filesystem::recursive_directory_iterator(blocks)) {
      if (!entry.is_regular_file()) continue;
      ASSERT_TRUE(write_file(entry.path(), "rubbish"));
    }
  }
  std::string said_by_list() const { return belay({"backup", "list"}).out; }
  void flip(std::size_t at) const {
    auto bytes = read_file(file).value();
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    ASSERT_TRUE(write_file(file, bytes));
  }
};

TEST_F(BackupFile, BringsBackThePointOfAVaultThatIsLost) {
  const auto done = belay({"backup", "export", "a", "--to", folder.string(), "--json"});
  ASSERT_EQ(done.status, 0) << done.err;
  const auto told = Json::parse(done.out);
  EXPECT_EQ(told["file"], file.string());
  EXPECT_EQ(told["sha256"], sha256_hex(read_file(file).value()));
  EXPECT_EQ(told["bytes"], std::filesystem::file_size(file));
  lose_vault();
  ASSERT_TRUE(
      server->command("one", R"({"delete": "orders", "deletes": [{"q": {}, "limit": 0}]})"));
  const auto imported = import_it({"--sha256", told["sha256"].get<std::string>()});
  ASSERT_EQ(imported.status, 0) << imported.out << imported.err;
  EXPECT_EQ(belay({"backup", "verify", "a"}).status, 0);
  const auto back = belay({"rewind", "a", "--yes"});
  ASSERT_EQ(back.status, 0) << back.out << back.err;
  EXPECT_EQ(count("one", "orders"), 2U);
}

TEST_F(BackupFile, IsMadeOnceAndNothingElseIsInItsFolder) {
  export_it();
  const auto again = belay({"backup", "export", "a", "--to", folder.string()});
  EXPECT_EQ(again.status, 1);
  EXPECT_NE(again.err.find("is there already"), std::string::npos) << again.err;
  const auto missing = belay({"backup", "export", "b", "--to", folder.string()});
  EXPECT_EQ(missing.status, 2);
  const std::filesystem::directory_iterator all(folder);
  EXPECT_EQ(std::distance(begin(all), end(all)), 1);
  EXPECT_EQ(import_it().status, 0) << "the point is there still, and whole";
}

TEST_F(BackupFile, HoldsNothingInTheClear) {
  ASSERT_TRUE(server->insert("one", "people", {R"({"_id": 1, "name": "Ada Lovelace"})"}));
  ASSERT_EQ(belay({"backup", "create", "b"}).status, 0);
  ASSERT_EQ(belay({"backup", "export", "b", "--to", folder.string()}).status, 0);
  const auto bytes = read_file(folder / "b.backup").value();
  for (const char* text : {"Lovelace", "orders", "people"})
    EXPECT_EQ(bytes.find(text), std::string::npos) << text;
}

TEST_F(BackupFile, OfADamagedPointThereIsNone) {
  spoil_blocks();
  const auto done = belay({"backup", "export", "a", "--to", folder.string()});
  EXPECT_EQ(done.status, 1) << done.out;
  EXPECT_TRUE(!std::filesystem::exists(folder) || std::filesystem::is_empty(folder));
}

TEST_F(BackupFile, MendsAPointThatIsDamaged) {
  export_it();
  spoil_blocks();
  ASSERT_EQ(belay({"backup", "verify", "a"}).status, 1);
  const auto imported = import_it();
  ASSERT_EQ(imported.status, 0) << imported.out << imported.err;
  EXPECT_EQ(belay({"backup", "verify", "a"}).status, 0);
}

TEST_F(BackupFile, NothingIsTakenFromOneThatIsDamagedOrOfAnotherSha256) {
  export_it();
  lose_vault();
  const auto whole = read_file(file).value();
  const auto refused = import_it({"--sha256", std::string(64, 'a')});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("SHA-256"), std::string::npos) << refused.err;
  // Bytes that SQLite itself does not look at are looked at by the seals.
  int bad = 0;
  for (std::size_t at = 200; at < whole.size(); at += 997) {
    flip(at);
    const bool taken = import_it().status == 0;
    bad += taken ? 0 : 1;
    EXPECT_EQ(said_by_list().find("a ") == 0, taken);
    EXPECT_TRUE(!taken || belay({"backup", "verify", "a"}).status == 0) << at;
    ASSERT_TRUE(write_file(file, whole));
    lose_vault();
  }
  EXPECT_GT(bad, 0);
  ASSERT_TRUE(write_file(file, std::string_view(whole).substr(0, whole.size() / 2)));
  EXPECT_EQ(import_it().status, 1);
  EXPECT_EQ(said_by_list().find("a "), std::string::npos);
  ASSERT_TRUE(write_file(file, whole));
  EXPECT_EQ(import_it().status, 0);
}

TEST_F(BackupFile, WhatIsNoneIsSaidToBeNone) {
  ASSERT_TRUE(make_folder(folder));
  const auto missing = import_it();
  EXPECT_EQ(missing.status, 2);
  EXPECT_NE(missing.err.find("there is no file"), std::string::npos) << missing.err;
  for (const char* content : {"", "PK\x03\x04zip", "something else altogether"}) {
    ASSERT_TRUE(write_file(file, content));
    const auto none = import_it();
    EXPECT_EQ(none.status, 1);
    EXPECT_NE(none.err.find("a.backup"), std::string::npos) << none.err;
    EXPECT_EQ(read_file(file).value(), content) << "it is not written to";
  }
}

TEST_F(BackupFile, OfAnotherKeyOrProjectIsNotTakenIn) {
  export_it();
  const auto config = read_file(project.folder() / "belay.yaml").value();
  auto other = config;
  other.replace(other.find("project: shop"), 13, "project: mall");
  project.write("belay.yaml", other);
  const auto foreign = import_it();
  EXPECT_EQ(foreign.status, 1);
  EXPECT_NE(foreign.err.find("of production of shop"), std::string::npos) << foreign.err;
  project.write("belay.yaml", config);
  lose_vault();
  ASSERT_TRUE(write_file(project.state() / "vault.key", std::string(64, 'b')));
  const auto locked = import_it();
  EXPECT_EQ(locked.status, 1);
  EXPECT_NE(locked.err.find("key"), std::string::npos) << locked.err;
  EXPECT_EQ(said_by_list().find("a "), std::string::npos);
}

TEST_F(BackupFile, ComesFromWhatAWorkflowLeftAtGitHub) {
  const belay::testing::StandIn github{"github_server.py"};
  write(
      fmt::format("github: {{ repository: team/shop, token: \"${{GITHUB_TOKEN}}\", "
                  "endpoint: \"{}\" }}\n",
                  github.direct_url()));
  export_it();
  github.tell("artifact?name=a.backup&path=" + file.string());
  lose_vault();
  const auto fetch = [&] {
    return project.belay({"backup", "import", "a.backup", "--github"},
                         {{"GITHUB_TOKEN", "github-token"}});
  };
  // A newer one that is rubbish does not stand in the way.
  ASSERT_TRUE(write_file(file, "rubbish"));
  github.tell("artifact?name=a.backup&path=" + file.string());
  const auto done = fetch();
  ASSERT_EQ(done.status, 0) << done.out << done.err;
  EXPECT_EQ(belay({"backup", "verify", "a"}).status, 0);
  EXPECT_TRUE(std::filesystem::is_empty(project.state() / "work"));
  EXPECT_EQ(github.state()["complaints"], Json::array());
  github.forget();
  const auto none = fetch();
  EXPECT_EQ(none.status, 2);
  EXPECT_NE(none.err.find("no workflow of team/shop left a file a.backup"), std::string::npos)
      << none.err;
}

}  // namespace
}  // namespace belay::cli
