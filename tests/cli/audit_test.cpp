// SPDX-License-Identifier: Apache-2.0
// What somebody with the journal's file in his hands can do, and how `audit verify` finds it; and
// rollbacks without approval, which the audit repeats as well.
#include "app/machine.hpp"
#include "base/json.hpp"
#include "base/ssh_signature.hpp"
#include "base/text.hpp"
#include "engine/loaded.hpp"
#include "pipeline/gate.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::cli {
namespace {

using testing::ScratchProject;

class Audit : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto people = "people:\n  amina:\n    email: amina@example.org\n    keys: [" +
                        project_.public_key("amina") + "]\n  leo: " + project_.public_key("leo") +
                        "\n  noor: " + project_.public_key("noor") + "\n";
    project_.write(
        "belay.yaml",
        project_.file("    approvals: { required: 1, reviewers: [amina, leo] }\n"
                      "    rollback: { approvals: { required: 2, reviewers: [amina, leo, "
                      "noor] }, emergency: [amina] }\n",
                      people));
    project_.commit("Approvals");
  }
  void ship() {
    project_.write("page", std::to_string(++releases_) + "\n");
    project_.commit("Release");
    const auto asked = project_.belay({"deploy", "--no-wait"});
    ASSERT_EQ(asked.status, 4) << asked.out << asked.err;
    const auto run = open_run();
    ASSERT_EQ(approve(run, "leo").status, 0);
    const auto done = project_.belay({"resume", run});
    ASSERT_EQ(done.status, 0) << done.out << done.err;
  }
  std::string open_run() {
    const auto status = parse_json(project_.belay({"status", "--json"}).out);
    EXPECT_TRUE(status.ok());
    return status ? (*status)["open_runs"][0]["run"].get<std::string>() : "";
  }
  Finished approve(const std::string& run, const std::string& key) {
    return project_.belay({"approve", run, "--key", project_.key(key).string()});
  }
  // As somebody would who has the file and knows SQL.
  void tamper(const std::string& sql) {
    Command command;
    command.argv = {"python3", "-c",
                    "import sqlite3, sys\n"
                    "db = sqlite3.connect(sys.argv[1])\n"
                    "db.executescript('DROP TRIGGER IF EXISTS event_is_not_changed;"
                    "DROP TRIGGER IF EXISTS event_is_not_removed;' + sys.argv[2])\n"
                    "db.commit()\n",
                    (project_.state() / "journal/journal.db").string(), sql};
    const auto done = run_ok(command);
    ASSERT_TRUE(done.ok()) << done.error().message();
  }
  std::string verify(int status) {
    const auto audit = project_.belay({"audit", "verify"});
    EXPECT_EQ(audit.status, status) << audit.out << audit.err;
    EXPECT_EQ(audit.out.find("TAMPERED") != std::string::npos, status == 1) << audit.out;
    return audit.out;
  }

  ScratchProject project_;
  int releases_ = 0;
};

TEST_F(Audit, WhatNobodyTouchedIsWhole) {
  ship();
  EXPECT_NE(verify(0).find("1 signatures repeated; 1 anchors elsewhere agree"), std::string::npos);
}

TEST_F(Audit, AChangedEventIsNamed) {
  ship();
  tamper("UPDATE event SET body = replace(body, 'leo', 'noor') WHERE kind = 'approval.vote'");
  EXPECT_NE(verify(1).find("event "), std::string::npos);
}

TEST_F(Audit, ARemovedEventIsNamed) {
  ship();
  tamper("DELETE FROM event WHERE kind = 'approval.vote'");
  EXPECT_NE(verify(1).find("event "), std::string::npos);
}

TEST_F(Audit, AnInsertedEventIsNamed) {
  ship();
  tamper(
      "INSERT INTO event SELECT max(id) + 1, run_id, max(seq) + 1, at, 'note', version, epoch, '', "
      "'{}', hash FROM event");
  EXPECT_NE(verify(1).find("event "), std::string::npos);
}

TEST_F(Audit, AWholeRunCutOffTheEndIsFoundByItsTag) {
  ship();
  ship();
  tamper("DELETE FROM event WHERE run_id = 2; DELETE FROM run WHERE id = 2");
  EXPECT_NE(verify(1).find("the journal was rewritten or cut before it"), std::string::npos);
}

TEST_F(Audit, AnEmptiedJournalIsFoundByTheTags) {
  ship();
  tamper("DELETE FROM event; DELETE FROM run; DELETE FROM env_lock");
  EXPECT_NE(verify(1).find("was made when event"), std::string::npos);
}

// Not by tampering: by whoever may write the journal, with a chain that is whole.
TEST_F(Audit, VotesThatNobodyCastLetNothingThroughAndAreFound) {
  ASSERT_EQ(project_.belay({"deploy", "--no-wait"}).status, 4);
  const auto run = open_run();
  auto project = app::load_project(std::nullopt, project_.folder(), project_.environment());
  ASSERT_TRUE(project.ok());
  auto desk = app::open_desk(std::move(*project));
  ASSERT_TRUE(desk.ok());
  auto& journal = *(*desk)->journal;
  auto loaded = engine::load_run(journal, run);
  ASSERT_TRUE(loaded.ok());
  auto ballot = pipeline::ballot_of(loaded->plan, loaded->history, run);
  ASSERT_TRUE(ballot.ok());
  const auto bytes = pipeline::canonical_request(ballot->request, pipeline::Decision::approve);
  const auto forge = [&](const std::string& key, const std::string& signature) {
    const pipeline::Vote vote{"amina",
                              key,
                              pipeline::Decision::approve,
                              "",
                              signature,
                              (*desk)->world().clock.now(),
                              ballot->request.digest};
    auto again = engine::load_run(journal, run);
    ASSERT_TRUE(again.ok());
    ASSERT_TRUE(journal
                    .append(run, again->history.last_seq,
                            {engine::make_event("approval.vote", pipeline::to_json(vote))})
                    .ok());
  };
  const auto strange = ssh::sign(project_.key("stranger"), "belay-approval-v1", bytes);
  ASSERT_TRUE(strange.ok());
  forge(project_.public_key("stranger"), *strange);
  EXPECT_EQ(project_.belay({"resume", run, "--no-wait"}).status, 4) << "it counts for nobody";
  EXPECT_NE(verify(1).find("the vote in the name of amina does not hold: the key"),
            std::string::npos);

  forge(project_.public_key("amina"), *strange);
  const auto stopped = project_.belay({"resume", run, "--no-wait"});
  EXPECT_EQ(stopped.status, 5) << stopped.out << stopped.err;
  EXPECT_FALSE(std::filesystem::exists(project_.above() / "live"));
  EXPECT_NE(verify(1).find("forged or altered"), std::string::npos);
}

TEST_F(Audit, AnEmergencyGoesWithoutApprovalButNotWithoutTheSignature) {
  ship();
  ship();
  const auto emergency = [&](const std::string& who, const std::string& key,
                             const std::string& reason = "checkout is down") {
    return project_.belay({"rollback", "--emergency", "--reason", reason, "--code-only", "--yes",
                           "--no-wait", "--key", project_.key(key).string()},
                          {{"BELAY_USER", who}});
  };
  EXPECT_EQ(emergency("amina", "amina", " ").status, 2) << "a reason is more than a space";
  const auto stranger = emergency("leo", "leo");
  EXPECT_NE(stranger.status, 0);
  EXPECT_NE(stranger.err.find("rollback.emergency names: amina"), std::string::npos)
      << stranger.err;

  const auto borrowed = emergency("amina", "leo");
  EXPECT_EQ(borrowed.status, 4) << borrowed.out << borrowed.err;
  EXPECT_NE(borrowed.err.find("belongs to none of the reviewers (amina)"), std::string::npos)
      << borrowed.err;
  ASSERT_EQ(project_.belay({"cancel", open_run()}).status, 1);

  const auto real = emergency("amina@example.org", "amina");
  EXPECT_EQ(real.status, 0) << real.out << real.err;
  EXPECT_NE(verify(0).find("3 signatures repeated"), std::string::npos);
}

}  // namespace
}  // namespace belay::cli
