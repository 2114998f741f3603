// SPDX-License-Identifier: Apache-2.0
// Restore points by hand, with the real program on a real server.
#include "tests/cli/on_a_server.hpp"

namespace belay::cli {
namespace {

struct Backup : testing::OnAServer {
  void SetUp() override {
    OnAServer::SetUp();
    ASSERT_TRUE(server->insert("one", "orders", {R"({"_id": 1})", R"({"_id": 2})"}));
    ASSERT_TRUE(server->insert("two", "stock", {R"({"_id": 1})"}));
    write("names: [one, two]");
  }
  void write(const std::string& names) const {
    OnAServer::write("  " + names + "\n", "environments:\n  production: { tag: prod }\n");
  }
  std::string at(const std::string& name) const { return server->uri(name); }
};

TEST_F(Backup, IsVerifiedHasItsMetadataAndATakenNameIsAConflict) {
  const auto first = belay({"backup", "create", "mine"});
  ASSERT_EQ(first.status, 0) << first.out << first.err;
  EXPECT_NE(first.out.find("3 documents"), std::string::npos) << first.out;
  const auto metadata =
      Json::parse(read_file(project.state() / "backups" / "mine-metadata.json").value());
  EXPECT_EQ(metadata["backup_name"], "mine");
  EXPECT_NE(metadata["triggered_by"], "");
  const auto again = belay({"backup", "create", "mine"});
  EXPECT_EQ(again.status, 1) << again.out;
  EXPECT_NE(again.err.find("is taken"), std::string::npos) << again.err;
  const auto slash = belay({"backup", "create", "a/b"});
  EXPECT_EQ(slash.status, 2) << slash.err;
}

TEST_F(Backup, VerifyTellsOfADamagedPointAndGoesOn) {
  ASSERT_EQ(belay({"backup", "create", "a"}).status, 0);
  ASSERT_EQ(belay({"backup", "create", "b"}).status, 0);
  const Path manifest = project.state() / "vault" / "points" / "a";
  auto bytes = read_file(manifest).value();
  bytes[60] = static_cast<char>(bytes[60] ^ 1);
  ASSERT_TRUE(write_file(manifest, bytes, 0600));
  const auto verified = belay({"backup", "verify"});
  EXPECT_EQ(verified.status, 1);
  EXPECT_NE(verified.out.find("✗ a"), std::string::npos) << verified.out << verified.err;
  EXPECT_NE(verified.out.find("✓ b"), std::string::npos) << verified.out << verified.err;
}

TEST_F(Backup, OfSeveralDatabasesIsNeverRestoredBesideTheOneThatWasLookedAt) {
  ASSERT_EQ(belay({"backup", "create", "both"}).status, 0);
  const auto renamed = belay({"restore", "both", "--to", at("copy")});
  EXPECT_EQ(renamed.status, 2) << renamed.out << renamed.err;
  EXPECT_EQ(count("one", "orders"), 2U);
  const auto bare = at("");
  const auto full = belay({"restore", "both", "--to", bare});
  EXPECT_EQ(full.status, 1) << full.out << full.err;
  EXPECT_NE(full.err.find("not empty"), std::string::npos) << full.err;
  ASSERT_TRUE(server->command("one", R"({"dropDatabase": 1})"));
  EXPECT_EQ(belay({"restore", "both", "--to", bare}).status, 1) << "two is not empty still";
  ASSERT_TRUE(server->command("two", R"({"dropDatabase": 1})"));
  const auto done = belay({"restore", "both", "--to", bare});
  EXPECT_EQ(done.status, 0) << done.out << done.err;
  EXPECT_EQ(count("one", "orders"), 2U);
  EXPECT_EQ(count("two", "stock"), 1U);
}

TEST_F(Backup, AVaultThatOutlivesItsJournalStandsForNoRewindOfTheNewOne) {
  write("names: [one]");
  const auto good = belay({"backup", "create", "good"});
  ASSERT_EQ(good.status, 0) << good.err;
  const auto damage = [&] {
    ASSERT_TRUE(server->command(
        "one",
        R"({"update": "orders", "updates": [{"q": {"_id": 1}, "u": {"_id": 1, "bad": 1}}]})"));
  };
  damage();
  const auto first = belay({"rewind", "good", "--yes"});
  ASSERT_EQ(first.status, 0) << first.out << first.err;
  const Path vault = project.state() / "vault", key = project.state() / "vault.key";
  for (const auto& entry : std::filesystem::directory_iterator(project.state())) {
    if (entry.path() != vault && entry.path() != key) std::filesystem::remove_all(entry.path());
  }
  damage();
  const auto second = belay({"rewind", "good", "--yes"});
  EXPECT_EQ(second.status, 0) << second.out << second.err;
  const auto bad = server->command("one", R"({"count": "orders", "query": {"bad": 1}})");
  EXPECT_EQ(Json::parse(bad.value()).at("n"), 0) << second.out;
}

TEST_F(Backup, ARewindWithoutAProxySaysThatWritersMustBeStoppedAndIsRefusedUnasked) {
  const auto good = belay({"backup", "create", "good"});
  ASSERT_EQ(good.status, 0) << good.err;
  const auto refused = belay({"rewind", "good"});
  EXPECT_EQ(refused.status, 2) << refused.out << refused.err;
  EXPECT_NE((refused.out + refused.err).find("stop every writer"), std::string::npos)
      << refused.out << refused.err;
}

}  // namespace
}  // namespace belay::cli
