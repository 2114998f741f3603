// SPDX-License-Identifier: Apache-2.0
// What people see, word for word: tests/golden/*.txt.
#include "tests/support/scratch_project.hpp"

namespace belay::cli {
namespace {

using testing::expect_golden;
using testing::ScratchProject;
using testing::transcript;

class Transcript : public ::testing::Test {
 protected:
  std::string said(std::vector<std::string> words, const Environment& more = {}) {
    return project_.plain(transcript(project_.belay(std::move(words), more)));
  }
  void healthy() {
    project_.write("belay.yaml", project_.file());
    project_.write("index.html", "hello\n");
    project_.commit("First");
  }
  ScratchProject project_;
};

TEST_F(Transcript, HelpListsTheCommands) {
  expect_golden("help", said({"help"}));
}

TEST_F(Transcript, AnUnknownCommandNamesTheNearest) {
  expect_golden("unknown-command", said({"deplyo"}));
}

TEST_F(Transcript, AProjectWithoutAFileSaysHowToMakeOne) {
  expect_golden("no-file", said({"status"}));
}

TEST_F(Transcript, PlanTellsAllMistakesOfTheFileAtOnceAndExitsWithTwo) {
  project_.write("belay.yaml",
                 "project: shop\nservices:\n  web:\n    bild: make\nenvironments:\n  production:\n"
                 "    tag: prod\n    approvals: { required: 3, reviewers: [amina] }\n"
                 "    services:\n      web: { target: railway }\n      wbe: { target: host }\n"
                 "    watch: 60\n");
  expect_golden("plan-broken-file", said({"plan"}));
  EXPECT_FALSE(std::filesystem::exists(project_.state())) << "plan made a state folder";
}

TEST_F(Transcript, StatusAndHistoryOfAnEmptyProject) {
  healthy();
  expect_golden("status-empty", said({"status"}));
  expect_golden("history-empty", said({"history"}));
  EXPECT_FALSE(std::filesystem::exists(project_.state())) << "who looks makes nothing";
}

TEST_F(Transcript, PlanOfAFirstReleaseSaysThatThereIsNoWayBack) {
  healthy();
  project_.write("draft.txt", "not committed\n");
  expect_golden("plan-first", said({"plan"}));
  EXPECT_FALSE(std::filesystem::exists(project_.state())) << "plan made a state folder";
}

TEST_F(Transcript, ADeployAndWhatIsKnownAfterwards) {
  healthy();
  expect_golden("deploy-plain", said({"deploy"}));
  expect_golden("status-live", said({"status"}));
  expect_golden("history-one", said({"history"}));
  expect_golden("show", said({"show", "1"}));
  expect_golden("audit-verify", said({"audit", "verify"}));
}

TEST_F(Transcript, WrongRunsTagsAndOptionsAreNamed) {
  healthy();
  std::string all;
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"show", "77"},
                                             {"show"},
                                             {"logs", "77"},
                                             {"approve", "77", "--key", "none"},
                                             {"resume", "77"},
                                             {"cancel", "77"},
                                             {"rollback"},
                                             {"rollback", "v1.0"},
                                             {"rollback", "staging-20260101-000000"},
                                             {"rollback", "prod-20261399-000000"},
                                             {"rollback", "prod-20260101-000000"},
                                             {"rollback", "--code-only", "--database-only"},
                                             {"rollback", "--emergency"},
                                             {"deploy", "--env", "producton"},
                                             {"deploy", "--ref", "no-such-branch"},
                                             {"deploy", "--skip-tests"},
                                             {"deploy", "--nonsense"},
                                             {"deploy", "now"},
                                             {"backup", "create"},
                                             {"backup", "sing"},
                                             {"salvage"},
                                             {"restore", "rp-1"},
                                             {"rewind", "rp-1"},
                                             {"audit", "sing"},
                                             {"health", "--env", "staging"}}) {
    all += "$ belay";
    for (const auto& word : words) all += " " + word;
    all += "\n" + said(words) + "\n";
  }
  expect_golden("errors", all);
}

TEST_F(Transcript, ADatabaseThatNobodyReachesIsNamedWithoutItsPassword) {
  project_.write("belay.yaml", project_.file() + "database: { uri: \"${MONGODB_URI}\" }\n");
  project_.commit("First");
  expect_golden("database-no-secret", said({"backup", "create"}));
  const auto text = said(
      {"backup", "create"},
      {{"MONGODB_URI", "mongodb://amina:hunter22@127.0.0.1:1/shop?serverSelectionTimeoutMS=300"}});
  EXPECT_EQ(text.find("hunter22"), std::string::npos);
  expect_golden("database-unreachable", text);
}

}  // namespace
}  // namespace belay::cli
