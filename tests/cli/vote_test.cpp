// SPDX-License-Identifier: Apache-2.0
// Approvals with the real ssh-keygen and the real program: each refusal has its own message.
#include <cstdlib>

#include "app/planner.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::cli {
namespace {

using testing::ScratchProject;

class Votes : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const auto& [name, value] : project_.environment())
      if (name.starts_with("GIT_")) ::setenv(name.c_str(), value.c_str(), 1);
    const auto people = "people:\n  amina:\n    email: amina@example.org\n    keys:\n      - " +
                        project_.public_key("amina") + "\n      - " +
                        project_.public_key("amina-desk") +
                        "\n  leo: " + project_.public_key("leo") +
                        "\n  noor: " + project_.public_key("noor") + "\n";
    project_.write("belay.yaml", project_.file("    approvals: { required: 2, reviewers: [amina, "
                                               "leo, noor] }\n",
                                               people));
    project_.commit("Approvals");
  }
  // The run waits for its approvals; its number.
  std::string ask(const std::string& who = "dev@example.org") {
    const auto asked = project_.belay({"deploy", "--no-wait"}, {{"BELAY_USER", who}});
    EXPECT_EQ(asked.status, 4) << asked.out << asked.err;
    const auto status = parse_json(project_.belay({"status", "--json"}).out);
    EXPECT_TRUE(status.ok());
    return status ? (*status)["open_runs"][0]["run"].get<std::string>() : "";
  }
  Finished approve(const std::string& run, const std::string& key) {
    return project_.belay({"approve", run, "--key", project_.key(key).string()});
  }
  // Signed elsewhere, over these bytes.
  Path sign(const std::string& bytes, const std::string& key,
            const std::string& name_space = "belay-approval-v1") {
    project_.write("../request", bytes);
    std::filesystem::remove(project_.above() / "request.sig");
    Command command;
    command.argv = {"ssh-keygen", "-q",       "-Y",
                    "sign",       "-f",       project_.key(key).string(),
                    "-n",         name_space, (project_.above() / "request").string()};
    EXPECT_TRUE(run_ok(command).ok());
    return project_.above() / "request.sig";
  }
  std::string request(const std::string& run) {
    return project_.belay({"show", run, "--request"}).out;
  }
  Finished hand_in(const std::string& run, const Path& signature) {
    return project_.belay({"approve", run, "--signature", signature.string()});
  }
  static void refused(const Finished& vote, const std::string& words) {
    EXPECT_EQ(vote.status, 4) << vote.out << vote.err;
    EXPECT_TRUE(vote.err.starts_with("Refused: ")) << vote.err;
    EXPECT_NE(vote.err.find(words), std::string::npos) << vote.err;
  }
  std::size_t votes(const std::string& run) {
    std::size_t count = 0;
    for (const auto& line : split(project_.belay({"audit"}).out, '\n')) {
      auto event = parse_json(line);
      if (event && event->value("kind", "") == "approval.vote" && event->value("run", "") == run)
        ++count;
    }
    return count;
  }

  ScratchProject project_;
};

TEST_F(Votes, TwoReviewersLetTheRunGoOnAndTheJournalProvesIt) {
  const auto run = ask();
  EXPECT_EQ(approve(run, "amina").status, 0);
  const auto elsewhere = hand_in(run, sign(request(run), "leo"));
  EXPECT_EQ(elsewhere.status, 0) << elsewhere.err;
  EXPECT_NE(elsewhere.out.find("leo approved run " + run), std::string::npos) << elsewhere.out;
  EXPECT_EQ(project_.belay({"resume", run}).status, 0);
  const auto audit = project_.belay({"audit", "verify"});
  EXPECT_EQ(audit.status, 0) << audit.out;
  EXPECT_NE(audit.out.find("2 signatures repeated"), std::string::npos) << audit.out;
}

TEST_F(Votes, AnUnknownKeyIsRefused) {
  const auto run = ask();
  refused(approve(run, "stranger"), "belongs to none of the reviewers");
  EXPECT_EQ(votes(run), 0U);
}

TEST_F(Votes, ASecondKeyIsNotASecondPerson) {
  const auto run = ask();
  ASSERT_EQ(approve(run, "amina").status, 0);
  refused(approve(run, "amina-desk"), "a second key is not a second person");
  EXPECT_EQ(votes(run), 1U);
}

TEST_F(Votes, AnAlteredRequestAndAnotherNamespaceAreForgeries) {
  const auto run = ask();
  refused(hand_in(run, sign(request(run) + " ", "amina")), "forged or altered");
  refused(hand_in(run, sign(request(run), "amina", "file")), "forged or altered");
  const auto signature = sign(request(run), "amina");
  auto text = *read_file(signature);
  const auto at = text.find("\n", 200) - 10;
  text[at] = text[at] == 'A' ? 'B' : 'A';
  project_.write("../request.sig", text);
  const auto altered = hand_in(run, signature);
  EXPECT_NE(altered.status, 0);
  EXPECT_FALSE(altered.err.empty());
  EXPECT_EQ(votes(run), 0U);
}

TEST_F(Votes, WhatIsNoSignatureIsRefusedAndAMachineThatCannotTellSaysSo) {
  const auto run = ask();
  project_.write("../request.sig", "hello\n");
  refused(hand_in(run, project_.above() / "request.sig"), "cannot be a reviewer's signature");
  const auto good = sign(request(run), "amina").string();
  const auto broken =
      project_.belay({"approve", run, "--signature", good}, {{"TMPDIR", "/nonexistent"}});
  EXPECT_EQ(broken.err.find("forged"), std::string::npos) << broken.err;
  EXPECT_NE(broken.status, 0);
  EXPECT_NE(broken.status, 4) << broken.err;
  EXPECT_EQ(votes(run), 0U);
  EXPECT_EQ(hand_in(run, good).status, 0);
  const auto audit = project_.belay({"audit", "verify"}, {{"TMPDIR", "/nonexistent"}});
  EXPECT_EQ(audit.status, 1);
  EXPECT_EQ(audit.out.find("TAMPERED"), std::string::npos) << audit.out;
  EXPECT_NE(audit.out.find("could not be compared"), std::string::npos) << audit.out;
}

TEST_F(Votes, ForProgramsAVoteIsTold) {
  const auto run = ask();
  const auto vote =
      project_.belay({"approve", run, "--key", project_.key("amina").string(), "--json"});
  ASSERT_EQ(vote.status, 0) << vote.err;
  const auto told = parse_json(vote.out);
  ASSERT_TRUE(told.ok()) << vote.out;
  EXPECT_EQ((*told)["person"], "amina");
  EXPECT_EQ((*told)["needed"], 1);
}

TEST_F(Votes, ASignatureOverAnotherRunIsNamedAsThat) {
  const auto first = ask();
  const auto signature = sign(request(first), "amina");
  ASSERT_EQ(project_.belay({"cancel", first}).status, 1);
  const auto second = ask();
  ASSERT_NE(first, second);
  refused(hand_in(second, signature), "but for run " + first);
}

TEST_F(Votes, ARejectionIsNoApproval) {
  const auto run = ask();
  const auto bytes = project_.belay({"show", run, "--request", "--reject"}).out;
  refused(hand_in(run, sign(bytes, "amina")), "says \"reject\", not \"approve\"");
}

// belay.yaml allows no less than a minute: the run is made with a shorter time.
TEST_F(Votes, WhatHasExpiredIsRefused) {
  auto project = app::load_project(std::nullopt, project_.folder(), project_.environment());
  ASSERT_TRUE(project.ok());
  auto desk = app::open_desk(std::move(*project));
  ASSERT_TRUE(desk.ok());
  auto plan = app::plan_deploy(**desk, {"production", "", {"dev", ""}, "", "", "", false});
  ASSERT_TRUE(plan.ok()) << plan.error().message();
  for (auto& step : plan->steps) {
    if (step.kind != "approve") continue;
    auto rule = pipeline::rule_from_json(step.args["rule"]);
    ASSERT_TRUE(rule.ok());
    rule->expires = std::chrono::seconds(1);
    step.args["rule"] = pipeline::to_json(*rule);
  }
  const auto run =
      (*desk)->journal->create_run({"run.created", "", canonical(app::created_body(*plan)), 1});
  ASSERT_TRUE(run.ok());
  ASSERT_EQ(project_.belay({"resume", *run, "--no-wait"}).status, 4);
  const auto signature = sign(request(*run), "amina");
  const auto asked = std::chrono::steady_clock::now();
  ASSERT_TRUE(eventually(
      [&] { return std::chrono::steady_clock::now() - asked > std::chrono::milliseconds(1100); }));
  refused(hand_in(*run, signature), "expired");
  EXPECT_EQ(project_.belay({"resume", *run}).status, 4);
  refused(hand_in(*run, signature), "has expired");
}

TEST_F(Votes, WhoAsksCannotApprove) {
  const auto run = ask("amina");
  refused(approve(run, "amina"), "asked for run " + run + " and cannot approve it");
  EXPECT_EQ(votes(run), 0U);
}

TEST_F(Votes, AfterTheDecisionNothingCounts) {
  const auto run = ask();
  ASSERT_EQ(approve(run, "amina").status, 0);
  ASSERT_EQ(approve(run, "leo").status, 0);
  refused(approve(run, "noor"), "was decided already");
  ASSERT_EQ(project_.belay({"resume", run}).status, 0);
  refused(approve(run, "noor"), "is decided already");
}

TEST_F(Votes, ARejectionNeedsItsReasonAndEndsTheRun) {
  const auto run = ask();
  const auto key = project_.key("noor").string();
  refused(project_.belay({"reject", run, "--key", key}), "needs its reason");
  const auto rejected = project_.belay({"reject", run, "--key", key, "--reason", "not on Friday"});
  EXPECT_EQ(rejected.status, 0) << rejected.err;
  refused(approve(run, "amina"), "rejected by noor");
  const auto ended = project_.belay({"resume", run});
  EXPECT_EQ(ended.status, 4);
  EXPECT_NE(ended.out.find("not on Friday"), std::string::npos) << ended.out;
}

TEST_F(Votes, APlanThatNoLongerHoldsTakesNoVotes) {
  const auto run = ask();
  ASSERT_EQ(approve(run, "amina").status, 0);
  project_.write("page", "later\n");
  project_.commit("Later");
  refused(approve(run, "leo"), "no longer holds because HEAD moved from ");
  EXPECT_EQ(votes(run), 1U);
  project_.git({"reset", "--quiet", "--hard", "HEAD~1"});
  ASSERT_EQ(approve(run, "leo").status, 0);
  project_.commit("Later still");
  const auto ended = project_.belay({"resume", run});
  EXPECT_EQ(ended.status, 1) << ended.out;
  EXPECT_NE(ended.out.find("Superseded"), std::string::npos) << ended.out;
  refused(approve(run, "noor"), "no longer holds");
}

TEST_F(Votes, WhereTheRefCannotBeLookedUpAnyMoreNothingIsShipped) {
  const auto run = ask();
  ASSERT_EQ(approve(run, "amina").status, 0);
  ASSERT_EQ(approve(run, "leo").status, 0);
  std::filesystem::remove(project_.folder() / ".git/HEAD");
  const auto ended = project_.belay({"resume", run});
  EXPECT_EQ(ended.status, 1) << ended.out << ended.err;
  EXPECT_NE(ended.out.find("whether it moved cannot be told"), std::string::npos) << ended.out;
  EXPECT_FALSE(std::filesystem::exists(project_.above() / "live"));
}

TEST_F(Votes, ARunThatAsksNobodySaysSo) {
  project_.write("belay.yaml", project_.file());
  project_.commit("None");
  ASSERT_EQ(project_.belay({"deploy"}).status, 0);
  const auto vote = project_.belay({"approve", "1", "--key", project_.key("amina").string()});
  EXPECT_NE(vote.status, 0);
  EXPECT_NE(vote.err.find("1"), std::string::npos) << vote.err;
}

}  // namespace
}  // namespace belay::cli
