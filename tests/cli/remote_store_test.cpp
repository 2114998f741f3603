// SPDX-License-Identifier: Apache-2.0
// A vault in a bucket and in a container, with the real program.
#include "tests/cli/on_a_server.hpp"
#include "tests/storage/stores.hpp"

namespace belay::cli {
namespace {

struct Place {
  std::string vault;  // lines of belay.yaml
  Environment secrets;
};

Place in_s3() {
  const auto config = belay::testing::s3_server().config;
  return {fmt::format("vault:\n  store: s3:{}/{}\n  s3:\n    key: ${{S3_KEY}}\n    secret: "
                      "${{S3_SECRET}}\n    region: {}\n    endpoint: {}\n    path_style: true\n",
                      config.bucket, config.prefix, config.region, config.endpoint),
          {{"S3_KEY", config.key.id}, {"S3_SECRET", config.key.secret.reveal()}}};
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

INSTANTIATE_TEST_SUITE_P(In, RemoteStore,
                         ::testing::Values(Provider{"S3", &in_s3}, Provider{"Azure", &in_azure}),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace belay::cli
