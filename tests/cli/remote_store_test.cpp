// SPDX-License-Identifier: Apache-2.0
// A vault in a bucket and in a container, with the real program.
#include "tests/cli/on_a_server.hpp"
#include "tests/storage/stores.hpp"
#include "tests/support/http_server.hpp"

namespace belay::cli {
namespace {

struct Place {
  std::string vault;  // lines of belay.yaml
  Environment secrets;
};

Place in_s3(const storage::S3Config& config) {
  return {fmt::format("vault:\n  store: s3:{}/{}\n  s3:\n    key: ${{S3_KEY}}\n    secret: "
                      "${{S3_SECRET}}\n    region: {}\n    endpoint: {}\n    path_style: true\n",
                      config.bucket, config.prefix, config.region, config.endpoint),
          {{"S3_KEY", config.key.id}, {"S3_SECRET", config.key.secret.reveal()}}};
}

Place in_s3() {
  return in_s3(belay::testing::s3_server().config);
}

Place in_azure() {
  const auto config = belay::testing::azure_server().config;
  return {fmt::format("vault:\n  store: azblob:{}/{}\n  azblob:\n    account: {}\n    key: "
                      "${{AZURE_KEY}}\n    endpoint: {}\n",
                      config.container, config.prefix, config.account, config.endpoint),
          {{"AZURE_KEY", config.key.reveal()}}};
}

struct Provider {
  const char* name;
  Place (*place)();
};

void PrintTo(const Provider& provider, std::ostream* out) {
  *out << provider.name;
}

struct RemoteStore : testing::OnAServer, ::testing::WithParamInterface<Provider> {
  Place place = GetParam().place();

  void SetUp() override {
    OnAServer::SetUp();
    ASSERT_TRUE(server->insert("one", "orders", {R"({"_id": 1})", R"({"_id": 2})"}));
    write("", place.vault);
  }
  Finished belay(std::vector<std::string> words) const {
    return project.belay(std::move(words), place.secrets);
  }
  std::string everything() const {
    std::string text;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(project.state())) {
      if (entry.is_regular_file()) text += read_file(entry.path()).value();
    }
    return text;
  }
};

TEST_P(RemoteStore, APointMadeHereIsVerifiedListedAndRestoredFromAMachineThatHasOnlyTheKey) {
  const auto made = belay({"backup", "create", "mine"});
  ASSERT_EQ(made.status, 0) << made.out << made.err;
  const Path key = project.state() / "vault.key";
  const auto text = read_file(key).value();
  EXPECT_FALSE(std::filesystem::exists(project.state() / "vault"));
  std::filesystem::remove_all(project.state());
  ASSERT_TRUE(make_folder(project.state()));
  ASSERT_TRUE(write_file(key, text));
  const auto listed = belay({"backup", "list"});
  EXPECT_NE(listed.out.find("mine"), std::string::npos) << listed.out << listed.err;
  const auto verified = belay({"backup", "verify"});
  EXPECT_EQ(verified.status, 0) << verified.out << verified.err;
  const auto restored = belay({"restore", "mine", "--to", server->uri("copy")});
  EXPECT_EQ(restored.status, 0) << restored.out << restored.err;
  EXPECT_EQ(count("copy", "orders"), 2U);
}

TEST_P(RemoteStore, DoctorProvesItAndLeavesNothingThere) {
  const auto before = belay({"doctor"});
  EXPECT_NE(before.out.find("never writes over"), std::string::npos) << before.out << before.err;
  EXPECT_FALSE(std::filesystem::exists(project.state() / "vault.key"));
  const auto made = belay({"backup", "create", "mine"});
  ASSERT_EQ(made.status, 0) << made.out << made.err;
  const auto after = belay({"doctor"});
  EXPECT_NE(after.out.find("1 restore points"), std::string::npos) << after.out << after.err;
}

TEST_P(RemoteStore, AWrongKeyIsToldAndNoSecretIsShownOrKept) {
  for (auto& [name, value] : place.secrets) {
    if (name != "S3_KEY") value = "d3Jvbmctc2VudGluZWw=";
  }
  const auto failed = belay({"backup", "create", "mine"});
  EXPECT_EQ(failed.status, 1) << failed.out << failed.err;
  EXPECT_NE(failed.err.find("403"), std::string::npos) << failed.out << failed.err;
  const auto looked = belay({"doctor"});
  EXPECT_NE(looked.out.find("give the key the rights"), std::string::npos) << looked.out;
  for (const auto& said : {failed.out, failed.err, looked.out, looked.err, everything()})
    EXPECT_EQ(said.find("d3Jvbmctc2VudGluZWw"), std::string::npos) << said;
}

// --- without a key of our own
// -----------------------------------------------------------------------------------

struct StoreByIdentity : testing::OnAServer {
  belay::testing::HttpServer github;  // and STS
  std::vector<std::string> secrets;
  Environment job{{"ACTIONS_ID_TOKEN_REQUEST_URL", github.url() + "/job"},
                  {"ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-sentinel"}};

  void SetUp() override {
    OnAServer::SetUp();
    ASSERT_TRUE(server->insert("one", "orders", {R"({"_id": 1})", R"({"_id": 2})"}));
    const auto s3 = belay::testing::s3_server();
    const auto& config = s3.config;
    write("", fmt::format("vault:\n  store: s3:{}/{}\n  s3:\n    identity: github\n    role: {}\n"
                          "    sts: {}/\n    region: {}\n    endpoint: {}\n"
                          "    path_style: true\n",
                          config.bucket, config.prefix, s3.role, github.url(), config.region,
                          config.endpoint));
    github.answer("/job?audience=sts.amazonaws.com", {{200, R"({"value":"jwt-sentinel"})"}});
    secrets = {"request-sentinel", "jwt-sentinel", s3.role_key.secret.reveal()};
    const auto until = SystemClock().now() + std::chrono::hours(1);
    github.answer("/", {{200, belay::testing::sts_answer(s3.role_key, until)}});
  }
};

TEST_F(StoreByIdentity, AJobsTokenIsEnoughAndIsShownNowhere) {
  const auto made = project.belay({"backup", "create", "mine"}, job);
  ASSERT_EQ(made.status, 0) << made.out << made.err;
  const auto verified = project.belay({"backup", "verify"}, job);
  EXPECT_EQ(verified.status, 0) << verified.out << verified.err;
  github.answer("/job?audience=sts.amazonaws.com", {{403, "jwt-sentinel"}});
  const auto failed = project.belay({"doctor"}, job);
  EXPECT_NE(failed.out.find("permissions: { id-token: write }"), std::string::npos) << failed.out;
  std::string all = made.out + made.err + verified.out + verified.err + failed.out + failed.err;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(project.state())) {
    if (entry.is_regular_file()) all += read_file(entry.path()).value();
  }
  for (const auto& secret : secrets) EXPECT_EQ(all.find(secret), std::string::npos) << secret;
}

TEST_F(StoreByIdentity, OutsideOfAJobItIsToldWhatIsMissing) {
  const auto failed = project.belay({"backup", "list"});
  EXPECT_EQ(failed.status, 2) << failed.out;
  EXPECT_NE(failed.err.find("vault.s3.identity: this is no job of GitHub's"), std::string::npos)
      << failed.err;
}

// --- a store that locks
// -----------------------------------------------------------------------------------

struct LockedStore : testing::OnAServer {
  storage::S3Config config = belay::testing::with_lock(belay::testing::s3_server().config);
  Place place = in_s3(config);
  SystemClock clock;
  SystemRandom random;
  std::unique_ptr<storage::Storage> thief;  // has the keys

  void SetUp() override {
    OnAServer::SetUp();
    ASSERT_TRUE(server->insert("one", "orders", {R"({"_id": 1})", R"({"_id": 2})"}));
    write("", place.vault + "  lock: 1h\n");
    auto plain = config;
    plain.lock = {};
    thief = storage::make_s3(plain, clock, random).value();
  }
  Finished belay(std::vector<std::string> words) const {
    return project.belay(std::move(words), place.secrets);
  }
};

TEST_F(LockedStore, WhatAThiefWithAllItsKeysRemovedIsSeenByDoctorAndBroughtBack) {
  const auto made = belay({"backup", "create", "mine"});
  ASSERT_EQ(made.status, 0) << made.out << made.err;
  const auto well = belay({"doctor"});
  EXPECT_NE(well.out.find("what is put is locked for 1h; the vault's keys until 20"),
            std::string::npos)
      << well.out;
  const auto objects = thief->list("").value();
  for (const auto& object : objects) ASSERT_TRUE(thief->remove(object.name).ok());
  EXPECT_TRUE(thief->list("").value().empty());
  const auto looked = belay({"doctor"});
  EXPECT_NE(looked.out.find("locked objects were removed or written over"), std::string::npos)
      << looked.out;
  EXPECT_EQ(looked.status, 1);
  // What doctor offers to do: tests/app/doctor_store_test.cpp.
  const auto store = storage::make_s3(config, clock, random).value();
  const auto hidden = store->locking()->hidden().value();
  for (const auto& name : hidden) ASSERT_TRUE(store->locking()->uncover(name).ok()) << name;
  const auto verified = belay({"backup", "verify"});
  EXPECT_EQ(verified.status, 0) << verified.out << verified.err;
  EXPECT_NE(verified.out.find("mine"), std::string::npos) << verified.out;
}

TEST_F(LockedStore, PruningSaysUntilWhenTheStoreKeepsWhatNothingNeeds) {
  ASSERT_EQ(belay({"backup", "create", "mine"}).status, 0);
  ASSERT_TRUE(thief->remove("points/mine").ok());
  const auto pruned = belay({"backup", "prune"});
  EXPECT_EQ(pruned.status, 0) << pruned.out << pruned.err;
  EXPECT_NE(pruned.out.find("the store locks it, the last of it until 20"), std::string::npos)
      << pruned.out;
}

TEST_F(LockedStore, ABucketWithoutObjectLockIsToldByDoctorAndTakesNoPoint) {
  config = belay::testing::s3_server().config;
  place = in_s3(config);
  write("", place.vault + "  lock: 1h\n");
  const auto looked = belay({"doctor"});
  EXPECT_NE(looked.out.find("has no object lock"), std::string::npos) << looked.out;
  EXPECT_EQ(belay({"backup", "create", "mine"}).status, 1);
}

INSTANTIATE_TEST_SUITE_P(In, RemoteStore,
                         ::testing::Values(Provider{"S3", [] { return in_s3(); }},
                                           Provider{"Azure", &in_azure}),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace belay::cli
