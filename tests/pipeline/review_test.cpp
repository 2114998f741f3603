// SPDX-License-Identifier: Apache-2.0
// Approvals by reviews on GitHub, judged and judged again, from a plan and its history alone.
#include "pipeline/repeat.hpp"
#include "tests/pipeline/keys.hpp"
#include "tests/pipeline/story.hpp"

namespace belay::pipeline {
namespace {

// Nothing here is signed.
Result<bool> verify(const std::string&, std::string_view, const std::string&) {
  return false;
}

// Two of amina, leo and noor; rita asks, in run 77 of the workflow.
struct Reviewed : Story, ::testing::Test {
  Reviewed() {
    Policy policy;
    policy.approvals.required = 2;
    policy.approvals.by = Evidence::github;
    policy.approvals.reviewers = {{"amina", {key("amina")}, "", "Amina-K"},
                                  {"leo", {}, "", "leo"},
                                  {"noor", {}, "", "noor"},
                                  {"rita", {}, "", "rita"}};
    plan.requester = {"rita", ""};
    plan.facts["policy"] = to_json(policy);
    plan.facts["workflow"] = to_json(
        Workflow{"team/shop", 77, 1, "rita", now, gate_environments("production", false, 2)});
    plan.steps = {step_of("approve", "approve"), step_of("lock", "lock", {"approve"})};
    plan.steps[0].args = to_json(*gate_for(plan, policy));
    plan.back.clear();
  }
  void ask() {
    happened("approval.requested", {{"step", "approve"},
                                    {"nonce", "n0nce"},
                                    {"not_after", belay::to_text(now + std::chrono::hours(24))}});
  }
  static Review review(const std::string& login) {
    return {"team/shop", 77, 1, 1, login, "approved", "", {"production"}};
  }
  Result<Vote> judged(const Review& given, Decision decision = Decision::approve) {
    const auto ballot = ballot_of(plan, history(), "7");
    EXPECT_TRUE(ballot);
    Candidate candidate;
    candidate.decision = decision;
    candidate.reason = decision == Decision::reject ? "no" : "";
    candidate.evidence = to_json(given);
    return judge_vote(*ballot, candidate, now, verify);
  }
  void vote(const Review& given) {
    auto counted = judged(given);
    ASSERT_TRUE(counted) << counted.error().message();
    happened("approval.vote", to_json(*counted));
  }
  void refused(const Review& given, const std::string& words,
               Decision decision = Decision::approve) {
    const auto counted = judged(given, decision);
    ASSERT_FALSE(counted) << words;
    EXPECT_NE(counted.error().message().find(words), std::string::npos)
        << counted.error().message();
  }
  std::string doubts() {
    auto repeated = repeat_approval(plan, history(), "7", verify);
    EXPECT_TRUE(repeated);
    return repeated ? join(repeated->doubts, "\n") : "";
  }
  void go_on() {
    outcome("approve", true);
    happened("lock.granted", {{"environment", "production"}}).outcome("lock", true);
  }
};

TEST_F(Reviewed, TwoPeoplePassAndItCanBeRepeated) {
  ask();
  vote(review("amina-k"));
  vote(review("leo"));
  EXPECT_EQ(next().substr(0, 12), "pass approve");
  go_on();
  EXPECT_EQ(doubts(), "");
}

TEST_F(Reviewed, WhatIsOfAnotherRunAttemptRepositoryOrEnvironmentIsRefusedAsThat) {
  ask();
  auto other = review("leo");
  other.run = 76;
  refused(other, "it is of run 76 (attempt 1)");
  other = review("leo");
  other.attempt = 2;
  refused(other, "(attempt 2) of team/shop");
  other = review("leo");
  other.repository = "mallory/shop";
  refused(other, "of mallory/shop");
  other = review("leo");
  other.environments = {"staging", "production-rollback", "production-gate-3"};
  refused(other, "the gates are production, production-gate-2");
  refused(review("mallory"), "none of the reviewers' accounts (amina, leo, noor, rita)");
  refused(review("rita"), "asked for run 7 and cannot approve it");
}

TEST_F(Reviewed, WhatWasNotApprovedIsNoApproval) {
  ask();
  for (const char* state : {"pending", "rejected", "", "APPROVED"}) {
    auto other = review("leo");
    other.state = state;
    refused(other, fmt::format("it says \"{}\"", state));
  }
  refused(review("leo"), "it says \"approved\"", Decision::reject);
}

TEST_F(Reviewed, OnePersonIsOneHoweverManyEnvironmentsHeReviewed) {
  ask();
  vote(review("leo"));
  auto again = review("Leo");
  again.environments = {"production-gate-2"};
  refused(again, "leo has voted on run 7 already");
  EXPECT_EQ(next().substr(0, 12), "wait approve");
}

TEST_F(Reviewed, ASignatureIsNoReviewAndAReviewNoSignature) {
  ask();
  Candidate signed_one;
  signed_one.key = key("amina");
  signed_one.signature = "anything";
  const auto ballot = ballot_of(plan, history(), "7");
  ASSERT_TRUE(ballot);
  const auto counted = judge_vote(*ballot, signed_one, now,
                                  [](const auto&, auto, const auto&) { return Result(true); });
  ASSERT_FALSE(counted);
  EXPECT_NE(counted.error().message().find("by reviewing its workflow's run"), std::string::npos);
  auto by_signature = *ballot;
  by_signature.rule.by = Evidence::signature;
  Candidate reviewed;
  reviewed.evidence = to_json(review("leo"));
  EXPECT_FALSE(judge_vote(by_signature, reviewed, now, verify));
}

TEST_F(Reviewed, EvidenceThatWasChangedInTheJournalIsFound) {
  ask();
  vote(review("leo"));
  auto forged = to_json(*judged(review("noor")));
  forged["evidence"]["user"]["login"] = "mallory";
  happened("approval.vote", forged);
  go_on();
  EXPECT_NE(doubts().find("the vote in the name of noor does not hold"), std::string::npos)
      << doubts();
}

TEST_F(Reviewed, AVoteInTheJournalWithoutEvidenceCountsForNobody) {
  ask();
  vote(review("leo"));
  auto bare = to_json(*judged(review("noor")));
  bare.erase("evidence");
  happened("approval.vote", bare);
  go_on();
  EXPECT_NE(doubts().find("the vote in the name of noor does not hold"), std::string::npos)
      << doubts();
}

TEST_F(Reviewed, WhereThePlanHasNoWorkflowNothingCounts) {
  ask();
  plan.facts.erase("workflow");
  refused(review("leo"), "it was not asked for in a workflow's run");
}

// The reviews come before the request: the run of the workflow is what they are counted from.
TEST_F(Reviewed, WaitAndExpiryAreCountedFromTheWorkflowsStart) {
  plan.facts["workflow"]["created"] = belay::to_text(now - std::chrono::hours(25));
  ask();
  EXPECT_EQ(next().substr(0, 14), "finish expired");
}

}  // namespace
}  // namespace belay::pipeline
