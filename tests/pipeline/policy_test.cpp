// SPDX-License-Identifier: Apache-2.0
#include "pipeline/policy.hpp"

#include <gtest/gtest.h>

#include "base/hash.hpp"
#include "base/ssh_signature.hpp"
#include "tests/pipeline/keys.hpp"

namespace belay::pipeline {
namespace {

TimePoint at(const std::string& text) {
  const auto time = parse_time(text);
  EXPECT_TRUE(time) << text;
  return time ? *time : TimePoint{};
}

// Stands for ssh-keygen: a signature names its key and the digest of the bytes.
std::string sign(const std::string& with, const std::string& bytes) {
  return *ssh::fingerprint(with) + " over " + sha256_hex(bytes);
}
Result<bool> verify(const std::string& with, std::string_view bytes, const std::string& signature) {
  return signature == sign(with, std::string(bytes));
}

const TimePoint noon = at("2026-11-23T12:00:00Z");

struct Scene {
  Ballot ballot;

  Scene() {
    ballot.rule = {2,
                   {{"amina", {key("amina"), key("amina-desk")}, "amina@example.org"},
                    {"leo", {key("leo")}, "leo@example.org"},
                    {"noor", {key("noor")}, ""}},
                   false,
                   std::chrono::minutes(5),
                   std::chrono::hours(24)};
    ballot.request = {"shop",  "production",
                      "7",     "88c2" + std::string(60, '0'),
                      "n0nce", noon + std::chrono::hours(24)};
    ballot.requested_at = noon;
    ballot.requester = {"noor", "noor@example.org"};
  }

  Candidate by(const std::string& owner, Decision decision = Decision::approve) const {
    return {key(owner), sign(key(owner), canonical_request(ballot.request, decision)), decision,
            decision == Decision::reject ? "prices are wrong" : "", ""};
  }
  Result<Vote> judge(const Candidate& candidate, Millis after = std::chrono::minutes(2)) const {
    return judge_vote(ballot, candidate, noon + after, verify);
  }
  void accept(const Candidate& candidate, Millis after = std::chrono::minutes(2)) {
    auto vote = judge(candidate, after);
    ASSERT_TRUE(vote) << vote.error().message();
    ballot.votes.push_back(std::move(vote).value());
  }
  GateState state(Millis after) const {
    return evaluate_gate(ballot.rule, ballot.requester, noon, ballot.votes, noon + after);
  }
};

void refused(const Result<Vote>& vote, Fault fault, const std::string& text) {
  ASSERT_FALSE(vote);
  EXPECT_EQ(vote.error().fault, fault);
  EXPECT_EQ(vote.error().text, text);
}

TEST(Vote, OfAListedPersonOverThisRequestIsAccepted) {
  const Scene scene;
  const auto vote = scene.judge(scene.by("leo"));
  ASSERT_TRUE(vote) << vote.error().text;
  EXPECT_EQ(vote->person, "leo");
  EXPECT_EQ(vote->digest, scene.ballot.request.digest);
  EXPECT_EQ(vote->at, noon + std::chrono::minutes(2));
  const auto back = vote_from_json(to_json(*vote));
  ASSERT_TRUE(back) << back.error().text;
  EXPECT_EQ(*back, *vote);
}

TEST(Vote, WithoutAKeyIsWhoeverSignedIt) {
  const Scene scene;
  auto candidate = scene.by("amina-desk");
  candidate.key.clear();
  const auto vote = scene.judge(candidate);
  ASSERT_TRUE(vote);
  EXPECT_EQ(vote->person, "amina");
}

TEST(Vote, OfAKeyWithAnotherCommentIsTheSameKeysVote) {
  const Scene scene;
  auto candidate = scene.by("leo");
  candidate.key = candidate.key.substr(0, candidate.key.rfind(' ')) + " leo@elsewhere";
  EXPECT_TRUE(scene.judge(candidate));
}

TEST(Vote, OfAnUnknownKeyIsRefused) {
  const Scene scene;
  refused(scene.judge(scene.by("mallory")), Fault::denied,
          "Refused: the key " + key_for_people(key("mallory")) +
              " belongs to none of the reviewers (amina, leo, noor). Their keys are in belay.yaml "
              "under people, as the protected branch has it");
}

TEST(Vote, OfTheSamePersonTwiceIsRefusedAlsoWithASecondKey) {
  Scene scene;
  scene.accept(scene.by("amina"));
  const std::string text =
      "Refused: amina has voted on run 7 already, at 2026-11-23T12:02:00.000Z, with " +
      key_for_people(key("amina")) + "; a second key is not a second person";
  refused(scene.judge(scene.by("amina")), Fault::conflict, text);
  refused(scene.judge(scene.by("amina-desk")), Fault::conflict, text);
}

TEST(Vote, WithAForgedOrAlteredSignatureIsRefused) {
  const Scene scene;
  auto altered = scene.by("leo");
  altered.signature += "x";
  refused(scene.judge(altered), Fault::denied,
          "Refused: the signature is forged or altered: leo's key did not make it over this "
          "request. Sign what this prints: belay show 7 --request");
  auto forged = scene.by("mallory");
  forged.key = key("leo");
  EXPECT_FALSE(scene.judge(forged));
  forged.key.clear();
  refused(scene.judge(forged), Fault::denied,
          "Refused: the signature is forged or altered: no reviewer's key made it over this "
          "request. Sign what this prints: belay show 7 --request");
  auto empty = scene.by("leo");
  empty.signature.clear();
  EXPECT_FALSE(scene.judge(empty));
}

TEST(Vote, OverAnEarlierPlanOfThisRunIsRefusedAsThat) {
  Scene scene;
  auto earlier = scene.ballot.request;
  earlier.digest = "51be" + std::string(60, '0');
  auto candidate = scene.by("amina");
  candidate.signature = sign(key("amina"), canonical_request(earlier, Decision::approve));
  scene.ballot.others = {earlier};
  scene.ballot.why_changed = "main moved from a41d07c to b7710fe at 13:58";
  refused(scene.judge(candidate), Fault::conflict,
          "Refused: this signature is amina's, but over plan 51be…; run 7 now has plan 88c2… "
          "because main moved from a41d07c to b7710fe at 13:58. Nothing was recorded. Look again: "
          "belay show 7");
}

TEST(Vote, OverAnotherRunIsRefusedAsThat) {
  Scene scene;
  auto other = scene.ballot.request;
  other.run = "6";
  other.environment = "staging";
  auto candidate = scene.by("amina");
  candidate.signature = sign(key("amina"), canonical_request(other, Decision::approve));
  scene.ballot.others = {other};
  refused(scene.judge(candidate), Fault::conflict,
          "Refused: this signature is amina's, but for run 6 (staging of shop, plan 88c2…), not "
          "for run 7. Nothing was recorded. Look again: belay show 7");
  scene.ballot.others.clear();
  EXPECT_EQ(scene.judge(candidate).error().fault, Fault::denied);
}

TEST(Vote, OfAnEarlierRequestWithAnotherNonceIsNotReplayed) {
  Scene scene;
  auto earlier = scene.ballot.request;
  earlier.nonce = "older";
  auto candidate = scene.by("amina");
  candidate.signature = sign(key("amina"), canonical_request(earlier, Decision::approve));
  EXPECT_FALSE(scene.judge(candidate));
  scene.ballot.others = {earlier};
  EXPECT_NE(scene.judge(candidate).error().text.find("for an earlier request of run 7"),
            std::string::npos);
}

TEST(Vote, ThatLookedAtAnotherPlanIsRefused) {
  const Scene scene;
  auto candidate = scene.by("leo");
  candidate.digest = "51be";
  EXPECT_EQ(scene.judge(candidate).error().fault, Fault::conflict);
}

TEST(Vote, AnApprovalIsNoRejectionAndTheOtherWayRound) {
  const Scene scene;
  auto candidate = scene.by("leo");
  candidate.decision = Decision::reject;
  refused(scene.judge(candidate), Fault::conflict,
          "Refused: this signature is leo's and says \"approve\", not \"reject\". Nothing was "
          "recorded. Look again: belay show 7");
}

TEST(Vote, AfterTheExpiryIsRefused) {
  const Scene scene;
  refused(scene.judge(scene.by("leo"), std::chrono::hours(24)), Fault::refused,
          "Refused: the request of run 7 expired at 2026-11-24T12:00:00.000Z; start the run again");
  EXPECT_TRUE(scene.judge(scene.by("leo"), std::chrono::hours(24) - Millis(1)));
}

TEST(Vote, OfTheRequesterIsRefusedUnlessTheRuleAllowsIt) {
  Scene scene;
  refused(scene.judge(scene.by("noor")), Fault::denied,
          "Refused: noor asked for run 7 and cannot approve it; 2 others must "
          "(environments.production.approvals.self_approval is false)");
  scene.ballot.requester = {"n.", "LEO@example.org"};
  EXPECT_FALSE(scene.judge(scene.by("leo"))) << "known by email, without regard to case";
  EXPECT_TRUE(scene.judge(scene.by("noor")));
  scene.ballot.rule.self_approval = true;
  EXPECT_TRUE(scene.judge(scene.by("leo")));
}

TEST(Vote, OfTheRequesterMayStopHisOwnRun) {
  const Scene scene;
  EXPECT_TRUE(scene.judge(scene.by("noor", Decision::reject)));
}

TEST(Vote, AfterTheDecisionIsRefused) {
  Scene scene;
  scene.ballot.rule.wait = Millis(0);
  scene.ballot.rule.required = 1;
  scene.accept(scene.by("amina"));
  refused(scene.judge(scene.by("leo"), std::chrono::minutes(3)), Fault::refused,
          "Refused: run 7 was decided already: approved at 2026-11-23T12:02:00.000Z");
  Scene other;
  other.accept(other.by("amina", Decision::reject));
  refused(other.judge(other.by("leo"), std::chrono::minutes(3)), Fault::refused,
          "Refused: run 7 was decided already: rejected by amina at 2026-11-23T12:02:00.000Z "
          "(prices are wrong)");
}

TEST(Vote, OnAPlanThatNoLongerHoldsIsRefused) {
  Scene scene;
  scene.ballot.superseded = true;
  scene.ballot.why_changed = "main moved from a41d07c to b7710fe";
  refused(scene.judge(scene.by("leo")), Fault::conflict,
          "Refused: the plan of run 7 no longer holds because main moved from a41d07c to b7710fe; "
          "make a new one");
}

TEST(Vote, ARejectionNeedsItsReason) {
  const Scene scene;
  auto candidate = scene.by("leo", Decision::reject);
  candidate.reason = "  ";
  refused(scene.judge(candidate), Fault::refused,
          "Refused: a rejection needs its reason: belay reject 7 --reason \"...\"");
}

TEST(Gate, PassesWithEnoughDistinctPeopleAndAfterTheWait) {
  Scene scene;
  auto state = scene.state(std::chrono::minutes(1));
  EXPECT_EQ(state.kind, GateState::Kind::waiting);
  EXPECT_EQ(state.needed, 2);
  EXPECT_EQ(gate_for_people(state), "waiting for 2 of amina, leo");
  scene.accept(scene.by("amina"), std::chrono::minutes(1));
  EXPECT_EQ(gate_for_people(scene.state(std::chrono::minutes(1))),
            "approved by amina; waiting for 1 of leo");
  scene.accept(scene.by("leo"), std::chrono::minutes(2));
  state = scene.state(std::chrono::minutes(2));
  EXPECT_EQ(state.kind, GateState::Kind::waiting);
  EXPECT_EQ(state.needed, 0);
  EXPECT_EQ(state.not_before, noon + std::chrono::minutes(5));
  EXPECT_EQ(scene.state(std::chrono::minutes(5) - Millis(1)).kind, GateState::Kind::waiting);
  state = scene.state(std::chrono::minutes(5));
  EXPECT_EQ(state.kind, GateState::Kind::passed);
  EXPECT_EQ(state.approved, (std::vector<std::string>{"amina", "leo"}));
  EXPECT_EQ(state.decided, noon + std::chrono::minutes(5));
}

TEST(Gate, AfterTheWaitPassesWithTheLastApproval) {
  Scene scene;
  scene.accept(scene.by("amina"), std::chrono::minutes(1));
  scene.accept(scene.by("leo"), std::chrono::hours(1));
  EXPECT_EQ(scene.state(std::chrono::hours(2)).decided, noon + std::chrono::hours(1));
}

TEST(Gate, OneRejectionEndsItAlsoDuringTheWait) {
  Scene scene;
  scene.accept(scene.by("amina"), std::chrono::minutes(1));
  scene.accept(scene.by("leo"), std::chrono::minutes(2));
  scene.accept(scene.by("amina", Decision::reject), std::chrono::minutes(3));
  const auto state = scene.state(std::chrono::hours(1));
  EXPECT_EQ(state.kind, GateState::Kind::rejected);
  EXPECT_EQ(state.by, "amina");
  EXPECT_EQ(state.reason, "prices are wrong");
}

TEST(Gate, ARejectionAfterItPassedChangesNothing) {
  Scene scene;
  scene.accept(scene.by("amina"), std::chrono::minutes(1));
  scene.accept(scene.by("leo"), std::chrono::minutes(2));
  scene.ballot.votes.push_back(
      {"amina", key("amina"), Decision::reject, "late", "", noon + std::chrono::minutes(6), ""});
  EXPECT_EQ(scene.state(std::chrono::hours(1)).kind, GateState::Kind::passed);
}

TEST(Gate, ExpiresWithoutEnoughApprovalsAndStaysSo) {
  Scene scene;
  scene.accept(scene.by("amina"));
  EXPECT_EQ(scene.state(std::chrono::hours(24) - Millis(1)).kind, GateState::Kind::waiting);
  EXPECT_EQ(scene.state(std::chrono::hours(24)).kind, GateState::Kind::expired);
  scene.ballot.votes.push_back(
      {"leo", key("leo"), Decision::approve, "", "", noon + std::chrono::hours(25), ""});
  EXPECT_EQ(scene.state(std::chrono::hours(26)).kind, GateState::Kind::expired);
}

TEST(Gate, VotesThatShouldNotBeThereDoNotCount) {
  Scene scene;
  const auto when = noon + std::chrono::minutes(1);
  scene.ballot.votes = {{"mallory", key("mallory"), Decision::approve, "", "", when, ""},
                        {"noor", key("noor"), Decision::approve, "", "", when, ""},
                        {"amina", key("amina"), Decision::approve, "", "", when, ""},
                        {"amina", key("amina-desk"), Decision::approve, "", "", when, ""}};
  const auto state = scene.state(std::chrono::hours(1));
  EXPECT_EQ(state.kind, GateState::Kind::waiting);
  EXPECT_EQ(state.approved, std::vector<std::string>{"amina"});
}

TEST(Gate, WithNobodyRequiredPassesAfterTheWait) {
  Scene scene;
  scene.ballot.rule.required = 0;
  EXPECT_EQ(scene.state(Millis(0)).kind, GateState::Kind::waiting);
  EXPECT_EQ(scene.state(std::chrono::minutes(5)).kind, GateState::Kind::passed);
  scene.accept(scene.by("leo", Decision::reject), std::chrono::minutes(1));
  EXPECT_EQ(scene.state(std::chrono::minutes(5)).kind, GateState::Kind::rejected);
}

TEST(Request, IsTheSameBytesForTheSameRequest) {
  const Scene scene;
  EXPECT_EQ(
      canonical_request(scene.ballot.request, Decision::approve),
      R"({"decision":"approve","digest":"88c2)" + std::string(60, '0') +
          R"(","environment":"production","nonce":"n0nce","not_after":"2026-11-24T12:00:00.000Z","project":"shop","run":"7"})");
}

TEST(Branches, ArePatternsWhoseStarStaysBetweenSlashes) {
  EXPECT_TRUE(branch_allowed({}, "anything"));
  EXPECT_TRUE(branch_allowed({"main", "release/*"}, "release/1"));
  EXPECT_FALSE(branch_allowed({"main", "release/*"}, "release/1/hack"));
  EXPECT_FALSE(branch_allowed({"main"}, "main2"));
  EXPECT_FALSE(branch_allowed({"*"}, "feature/x"));
  const auto status = check_branch("production", {"main", "release/*"}, "wip");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().text,
            "production: the branch wip is not allowed; its branches are main, release/* "
            "(belay.yaml: environments.production.branches)");
  EXPECT_TRUE(check_branch("production", {"main"}, "main"));
}

TEST(Keys, AreKnownByTheirFingerprint) {
  // Made by ssh-keygen; the fingerprint is what `ssh-keygen -lf` prints.
  const std::string real =
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKTeWinoyYHDC5Pnzv/mkw7oyi7x7XMDc4taaSkhxEDP me@here";
  EXPECT_EQ(*ssh::fingerprint(real), "SHA256:WjtAjqaPrcdBxdH8VbyY5rvRB/d/GR2MawmrnOG+qgU");
  EXPECT_EQ(key_for_people(real), "SSH ed25519 …+qgU");
  for (const char* none : {"", "nonsense", "ssh-ed25519 ###", "hello aGVsbG8gd29ybGQ="})
    EXPECT_EQ(key_for_people(none), "no SSH key") << none;
  EXPECT_TRUE(same_key("ssh-rsa AAAA a", "  ssh-rsa  AAAA   b"));
  EXPECT_FALSE(same_key("", ""));
}

Policy strict() {
  const Scene scene;
  Policy policy;
  policy.approvals = scene.ballot.rule;
  policy.rollback = scene.ballot.rule;
  policy.branches = {"main"};
  policy.emergency = {policy.approvals.reviewers[0]};
  policy.freeze = {{"Fri 16:00", "Mon 08:00", "Europe/Paris"}};
  return policy;
}

TEST(Policy, TheSameOrAStricterOneIsNotWeaker) {
  EXPECT_TRUE(weaker(strict(), strict()).empty());
  auto stricter = strict();
  stricter.approvals.required = 3;
  stricter.approvals.wait *= 2;
  stricter.approvals.expires /= 2;
  stricter.approvals.reviewers.pop_back();
  stricter.freeze.push_back({"Wed 00:00", "Wed 01:00", "UTC"});
  stricter.emergency.clear();
  EXPECT_TRUE(weaker(stricter, strict()).empty());
  auto open = strict();
  open.branches.clear();
  open.approvals = {};
  open.rollback = {};
  EXPECT_TRUE(weaker(strict(), open).empty());
}

TEST(Policy, EverythingThatAsksLessIsNamed) {
  const auto recorded = strict();
  const auto check = [&](const auto& change, const std::string& text) {
    auto present = recorded;
    change(present);
    EXPECT_EQ(weaker(present, recorded), std::vector<std::string>{text});
  };
  check([](Policy& p) { p.approvals.required = 1; }, "approvals: 1 required, was 2");
  check([](Policy& p) { p.rollback.required = 0; }, "rollback.approvals: 0 required, was 2");
  check([](Policy& p) { p.approvals.self_approval = true; },
        "approvals: requesters may approve their own run");
  check([](Policy& p) { p.approvals.wait = Millis(0); }, "approvals: wait 0s, was 5m");
  check([](Policy& p) { p.approvals.expires *= 2; }, "approvals: expires after 2d, was 1d");
  check(
      [](Policy& p) {
        p.approvals.reviewers.push_back({"eve", {key("eve")}, ""});
      },
      "approvals: eve is new");
  check([](Policy& p) { p.approvals.reviewers[1].keys.push_back(key("eve")); },
        "approvals: leo has a new key (" + key_for_people(key("eve")) + ")");
  check([](Policy& p) { p.approvals.reviewers[1].email = "other@example.org"; },
        "approvals: leo's email is another one");
  check([](Policy& p) { p.branches.clear(); }, "branches: every branch, was main");
  check([](Policy& p) { p.branches.push_back("wip/*"); }, "branches: wip/* is new");
  check(
      [](Policy& p) {
        p.emergency.push_back({"eve", {key("eve")}, ""});
      },
      "rollback.emergency: eve is new");
  check([](Policy& p) { p.emergency[0].keys.push_back(key("eve")); },
        "rollback.emergency: amina has a new key (" + key_for_people(key("eve")) + ")");
  check([](Policy& p) { p.freeze.clear(); },
        "freeze: Fri 16:00 to Mon 08:00 (Europe/Paris) is gone");
}

TEST(Policy, JsonReadsBackWhatWasWritten) {
  const auto back = policy_from_json(to_json(strict()));
  ASSERT_TRUE(back) << back.error().text;
  EXPECT_EQ(*back, strict());
  auto cut = to_json(strict());
  cut["approvals"].erase("wait_ms");
  ASSERT_FALSE(policy_from_json(cut));
  EXPECT_EQ(policy_from_json(cut).error().fault, Fault::corrupt);
}

TEST(Policy, OfARollbackIsItsOwnElseTheEnvironmentsWithoutTheWait) {
  Spec spec;
  spec.people = {{"amina", {key("amina")}, ""}, {"leo", {key("leo")}, ""}};
  EnvironmentSpec environment;
  environment.approvals = {
      2, {"amina", "leo"}, false, std::chrono::minutes(5), std::chrono::hours(1)};
  auto rule = rollback_rule(spec, environment);
  EXPECT_EQ(rule.required, 2);
  EXPECT_EQ(rule.wait, Millis(0));
  ASSERT_EQ(rule.reviewers.size(), 2U);
  EXPECT_EQ(rule.reviewers[0].keys, std::vector<std::string>{key("amina")});
  environment.rollback.approvals =
      Approvals{1, {"leo"}, true, std::chrono::minutes(9), std::chrono::hours(1)};
  rule = rollback_rule(spec, environment);
  EXPECT_EQ(rule.required, 1);
  EXPECT_TRUE(rule.self_approval);
  EXPECT_EQ(rule.wait, Millis(0)) << "a wait never binds a rollback";
}

}  // namespace
}  // namespace belay::pipeline
