// SPDX-License-Identifier: Apache-2.0
// Each thing that goes wrong later is a finding now, with its remedy.
#include "app/doctor.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstdlib>

#include "database/database.hpp"
#include "tests/fake/op_msg_proxy.hpp"
#include "tests/support/mongo_server.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::app {
namespace {

using testing::MongoServer;
using testing::ScratchProject;

class Doctor : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const auto& [name, value] : project_.environment())
      if (name.starts_with("GIT_")) ::setenv(name.c_str(), value.c_str(), 1);
  }
  void file(const std::string& text) {
    project_.write("belay.yaml", text);
    project_.commit("Change belay.yaml");
  }
  std::vector<Finding> findings(Getenv more = {}) {
    auto env = project_.environment(more);
    return examine({std::nullopt, project_.folder(), env, "", BELAY_PROGRAM});
  }
  // The grade of the first finding about this that holds the words; and its remedy is there.
  static std::string grade(const std::vector<Finding>& all, const std::string& about,
                           const std::string& words) {
    for (const auto& one : all) {
      if (one.about != about || one.found.find(words) == std::string::npos) continue;
      EXPECT_EQ(one.remedy.empty(), one.grade == Grade::good) << one.found;
      return to_string(one.grade);
    }
    std::string text = "no such finding among:";
    for (const auto& one : all) text += "\n  " + one.about + ": " + one.found;
    return text;
  }
  std::string database(const std::string& more = {}) const {
    return "database: { uri: \"${MONGODB_URI}\" }\n" + more;
  }

  ScratchProject project_;
};

TEST_F(Doctor, AHealthyProjectHasNothingBad) {
  file(project_.file());
  const auto all = findings();
  EXPECT_FALSE(any_bad(all));
  EXPECT_EQ(grade(all, "journal", "the chain is whole"), "good");
  EXPECT_EQ(grade(all, "agent", "none"), "warn");
  EXPECT_EQ(grade(all, "production: database", "belay.yaml names none"), "warn");
  EXPECT_EQ(project_.belay({"doctor"}).status, 0);
}

TEST_F(Doctor, AFileWithMistakesIsBadAndTheProgramExitsWithOne) {
  project_.write("belay.yaml", "project: shop\nservces: {}\n");
  EXPECT_EQ(grade(findings(), "belay.yaml", "servces"), "bad");
  EXPECT_EQ(project_.belay({"doctor"}).status, 1);
  EXPECT_FALSE(std::filesystem::exists(project_.state()));
}

TEST_F(Doctor, NoFileAtAllIsBad) {
  EXPECT_EQ(grade(findings(), "belay.yaml", "no belay.yaml"), "bad");
}

TEST_F(Doctor, JsonIsOneFindingALine) {
  file(project_.file());
  const auto said = project_.belay({"doctor", "--json"});
  std::size_t lines = 0;
  for (std::size_t at = 0; at < said.out.size(); at = said.out.find('\n', at) + 1, ++lines) {
    auto one = parse_json(said.out.substr(at, said.out.find('\n', at) - at));
    ASSERT_TRUE(one.ok()) << said.out;
    EXPECT_TRUE(one->contains("about") && one->contains("grade") && one->contains("found"));
  }
  EXPECT_GT(lines, 5U);
}

TEST_F(Doctor, AMissingSecretAndASecretsFileThatOthersReadAreBad) {
  file(project_.file() + "secrets: { file: ../secrets }\n" + database());
  project_.write("../secrets", "MONGODB_URI=mongodb://127.0.0.1:1/shop\n", 0644);
  EXPECT_EQ(grade(findings(), "production: secrets", "may be read by others"), "bad");
  project_.write("../secrets", "OTHER=x\n", 0600);
  EXPECT_EQ(grade(findings(), "production: secrets", "MONGODB_URI is not set"), "bad");
}

TEST_F(Doctor, AStateFolderThatOthersMayUseIsMendedWhenAgreed) {
  file(project_.file());
  ASSERT_EQ(project_.belay({"deploy"}).status, 0);
  ::chmod(project_.state().c_str(), 0755);
  EXPECT_EQ(grade(findings(), "state folder", "mode 755"), "warn");
  const auto unasked = project_.belay({"doctor", "--fix"});
  EXPECT_EQ(unasked.status, 2) << "nobody to ask, and no --yes";
  EXPECT_EQ(grade(findings(), "state folder", "mode 755"), "warn");
  for (const auto& one : findings()) {
    if (one.about == "state folder" && one.mend) {
      EXPECT_TRUE(one.mend->apply().ok());
    }
  }
  EXPECT_EQ(grade(findings(), "state folder", project_.state().string()), "good");
}

TEST_F(Doctor, AStateFolderInsideTheCloneIsToThinkAbout) {
  auto text = project_.file();
  text.replace(text.find("../state"), 8, "state");
  file(text);
  EXPECT_EQ(grade(findings(), "state folder", "inside the project"), "warn");
}

TEST_F(Doctor, AJournalThatIsNoneIsBad) {
  file(project_.file());
  project_.write("../state/journal/journal.db", std::string(8192, 'x'), 0600);
  EXPECT_EQ(grade(findings(), "journal", "journal"), "bad");
}

TEST_F(Doctor, AProjectThatIsNoRepositoryIsBadAndOneWithoutRemoteToThinkAbout) {
  file(project_.file());
  EXPECT_EQ(grade(findings(), "source", "there is no remote"), "warn");
  project_.protect_main();
  EXPECT_EQ(grade(findings(), "source", "protected branch"), "good");
  project_.write("belay.yaml", project_.file() + "# more\n");
  EXPECT_EQ(grade(findings(), "source", "not committed"), "warn");
  std::filesystem::remove_all(project_.folder() / ".git");
  EXPECT_EQ(grade(findings(), "source", ""), "bad");
}

TEST_F(Doctor, ReviewersAreCountedAndTheirKeysNamed) {
  const auto people = "people:\n  amina: " + project_.public_key("amina") +
                      "\n  leo: " + project_.public_key("leo") + "\n";
  file(project_.file("    approvals: { required: 2, reviewers: [amina, leo] }\n", people));
  EXPECT_EQ(grade(findings(), "production: approvals", "amina (ed25519), leo (ed25519)"), "warn")
      << "nobody is left when one of them asks";
  file(project_.file("    approvals: { required: 1, reviewers: [amina, leo] }\n", people));
  EXPECT_EQ(grade(findings(), "production: approvals", "1 of amina"), "good");
}

TEST_F(Doctor, AnAddressThatSomebodyHoldsIsBadAndNamesTheHolder) {
  Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(listener.get(), plain, size), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  ASSERT_EQ(::getsockname(listener.get(), plain, &size), 0);
  const auto port = std::to_string(ntohs(address.sin_port));
  const auto text =
      "project: shop\nstate: ../state\nservices:\n  web: { run: ./web, check: / }\n"
      "environments:\n  production:\n    tag: prod\n    services:\n"
      "      web: { listen: 127.0.0.1:" +
      port + ", user: nobody-of-that-name }\n";
  file(text);
  EXPECT_EQ(grade(findings(), "production: web", "app_test"), "bad");
  EXPECT_EQ(grade(findings(), "production: web", "no user nobody-of-that-name"), "bad");
  listener.reset();
  EXPECT_EQ(grade(findings(), "production: web", "127.0.0.1:" + port + " is free"), "good");
}

TEST_F(Doctor, EnvironmentsThatShareADatabaseOrAVaultAreToldUnlessItIsWritten) {
  const std::string staging =
      "  staging:\n    tag: staging\n    services:\n      web:\n"
      "        target: command\n        activate: \"true\"\n";
  const Getenv env{{"MONGODB_URI", "mongodb://127.0.0.1:1/shop?serverSelectionTimeoutMS=50"}};
  file(project_.file() + staging + database());
  EXPECT_EQ(grade(findings(env), "environments", "share a database"), "warn");
  EXPECT_EQ(grade(findings(env), "environments", "share a vault"), "warn");
  const std::string own =
      "    database: { uri: \"${MONGODB_URI}\" }\n"
      "    vault: { store: \"file:../vault\" }\n";
  file(project_.file(own) + staging + own + database());
  for (const auto& one : findings(env)) EXPECT_NE(one.about, "environments") << one.found;
}

TEST_F(Doctor, ADatabaseThatNobodyReachesIsBadAndItsPasswordIsNotShown) {
  file(project_.file() + database());
  const auto all = findings({{"MONGODB_URI",
                              "mongodb://amina:hunter22@127.0.0.1:1/shop"
                              "?serverSelectionTimeoutMS=100"}});
  EXPECT_EQ(grade(all, "production: database", "127.0.0.1:1"), "bad");
  for (const auto& one : all) {
    EXPECT_EQ((one.found + one.remedy).find("hunter22"), std::string::npos) << one.found;
  }
}

TEST_F(Doctor, AReplicaSetIsGoodAndAStandaloneIsToThinkAbout) {
  file(project_.file() + database());
  auto set = MongoServer::start(MongoServer::Mode::replica_set);
  ASSERT_TRUE(set.ok()) << set.error().message();
  auto all = findings({{"MONGODB_URI", (*set)->uri()}});
  EXPECT_FALSE(any_bad(all));
  EXPECT_EQ(grade(all, "production: database: proofs", "exact bytes"), "good");
  EXPECT_EQ(grade(all, "production: change log", "reaches back"), "good");
  EXPECT_EQ(grade(all, "production: clock", "agrees"), "good");
  EXPECT_EQ(grade(all, "production: vault", "empty"), "good");
  EXPECT_EQ(grade(all, "production: vault", "on one host"), "warn");
  EXPECT_FALSE(std::filesystem::exists(project_.state() / "vault.key")) << "doctor made a key";
  ASSERT_EQ(project_.belay({"backup", "create"}, {{"MONGODB_URI", (*set)->uri()}}).status, 0);
  all = findings({{"MONGODB_URI", (*set)->uri()}});
  EXPECT_EQ(grade(all, "production: vault", "1 restore points"), "good");
  EXPECT_EQ(grade(all, "production: vault: key", "on one disk"), "warn");
  ::chmod((project_.state() / "vault.key").c_str(), 0644);
  EXPECT_EQ(grade(findings({{"MONGODB_URI", (*set)->uri()}}), "production: vault: key", "mode 644"),
            "bad");
  auto standalone = MongoServer::start(MongoServer::Mode::standalone);
  ASSERT_TRUE(standalone.ok()) << standalone.error().message();
  all = findings({{"MONGODB_URI", (*standalone)->uri()}});
  EXPECT_EQ(grade(all, "production: database: proofs", "standalone"), "warn");
}

TEST_F(Doctor, AMongosIsBad) {
  auto server = MongoServer::start();
  ASSERT_TRUE(server.ok()) << server.error().message();
  auto proxy = testing::OpMsgProxy::start((*server)->port());
  ASSERT_TRUE(proxy.ok());
  auto hello = database::from_json(R"({"ismaster": true, "isWritablePrimary": true,
      "msg": "isdbgrid", "maxBsonObjectSize": 16777216, "maxMessageSizeBytes": 48000000,
      "maxWriteBatchSize": 100000, "minWireVersion": 0, "maxWireVersion": 21,
      "logicalSessionTimeoutMinutes": 30, "ok": 1})");
  ASSERT_TRUE(hello.ok());
  using Fault = testing::ProxyFault;
  (*proxy)->plan({{"hello", Fault::Action::answer, 1, 0, {}, {}, *hello}});
  file(project_.file() + database());
  EXPECT_EQ(grade(findings({{"MONGODB_URI", (*server)->uri("shop", (*proxy)->port())}}),
                  "production: database", "mongos"),
            "bad");
}

}  // namespace
}  // namespace belay::app
