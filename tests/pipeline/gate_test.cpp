// SPDX-License-Identifier: Apache-2.0
#include "pipeline/gate.hpp"

#include "base/hash.hpp"
#include "pipeline/freeze.hpp"
#include "tests/pipeline/story.hpp"

namespace belay::pipeline {
namespace {

constexpr Millis minute = std::chrono::minutes(1);
constexpr Millis hour = std::chrono::hours(1);

std::string key(const std::string& owner) {
  return "ssh-ed25519 " + base64("public key of " + owner) + " " + owner;
}

// Two of three reviewers, none of them the requester (noor).
ApprovalRule two_of_three() {
  ApprovalRule rule;
  rule.required = 2;
  rule.reviewers = {{"amina", {key("amina")}, ""},
                    {"leo", {key("leo")}, ""},
                    {"noor", {key("noor")}, "noor@example.org"}};
  return rule;
}

struct Gate : Story {
  explicit Gate(const ApprovalRule& rule = two_of_three(), const std::vector<Freeze>& freeze = {}) {
    Step gate = step_of("approve", "approve");
    gate.args = {{"rule", to_json(rule)}, {"freeze", to_json(freeze)}};
    plan.steps = {gate, step_of("lock", "lock", {"approve"})};
    plan.back.clear();
  }
  Gate& asked(Millis expires = std::chrono::hours(24)) {
    happened(
        "approval.requested",
        {{"step", "approve"}, {"nonce", "n0nce"}, {"not_after", belay::to_text(now + expires)}});
    return *this;
  }
  Gate& vote(const std::string& person, Decision decision = Decision::approve) {
    const Vote made{
        person,      key(person), decision,    decision == Decision::reject ? "too risky" : "",
        "signature", now,         digest(plan)};
    happened("approval.vote", to_json(made));
    return *this;
  }
  Gate& after(Millis by) {
    later(by);
    return *this;
  }
};

TEST(ApprovalGate, ItIsOpenedFirstForAsLongAsItsRuleSays) {
  EXPECT_EQ(Gate().next(), "open approve for 1d");
  ApprovalRule rule = two_of_three();
  rule.expires = 2 * hour;
  EXPECT_EQ(Gate(rule).next(), "open approve for 2h");
}

TEST(ApprovalGate, ItWaitsForVotesUntilItExpires) {
  EXPECT_EQ(Gate().asked().next(),
            "wait approve until 2026-11-24T10:00:00.000Z: waiting for 2 of amina, leo");
  EXPECT_EQ(Gate().asked().vote("amina").next().substr(0, 45),
            "wait approve until 2026-11-24T10:00:00.000Z: ");
}

TEST(ApprovalGate, ItPassesWithEnoughDistinctReviewers) {
  EXPECT_EQ(Gate().asked().vote("amina").vote("leo").next(), "pass approve");
}

TEST(ApprovalGate, NeitherTheSameReviewerTwiceNorTheRequesterNorAStrangerCounts) {
  for (const char* second : {"amina", "noor", "mallory"}) {
    Gate gate;
    gate.asked().vote("amina").vote(second);
    EXPECT_EQ(gate.next().substr(0, 12), "wait approve") << second;
  }
}

TEST(ApprovalGate, AVoteThatCannotBeReadCountsForNobody) {
  Gate gate;
  gate.asked().vote("amina").happened("approval.vote", {{"person", "leo"}});
  EXPECT_EQ(gate.next().substr(0, 12), "wait approve");
  EXPECT_EQ(votes_of(gate.history()).size(), 1u);
}

TEST(ApprovalGate, ARejectionEndsTheRunWithItsReason) {
  EXPECT_EQ(Gate().asked().vote("amina", Decision::reject).next(),
            "finish refused: amina refused: too risky");
}

TEST(ApprovalGate, WithoutVotesItExpires) {
  Gate gate;
  gate.asked().vote("amina");
  EXPECT_EQ(gate.after(24 * hour - Millis(1)).next().substr(0, 4), "wait");
  EXPECT_EQ(gate.after(Millis(1) + minute).next().substr(0, 14), "finish expired");
}

TEST(ApprovalGate, ItsWaitTimerRunsFromTheRequestWhoeverHasVoted) {
  ApprovalRule rule = two_of_three();
  rule.wait = 5 * minute;
  Gate gate(rule);
  gate.asked().after(2 * minute).vote("amina").vote("leo");
  EXPECT_EQ(gate.next().substr(0, 45), "wait approve until 2026-11-23T10:05:00.000Z: ");
  EXPECT_EQ(gate.after(3 * minute).next(), "pass approve");
}

TEST(ApprovalGate, AWaitAloneNeedsNobody) {
  ApprovalRule rule;
  rule.wait = 5 * minute;
  Gate gate(rule);
  gate.asked();
  EXPECT_EQ(gate.next().substr(0, 43), "wait approve until 2026-11-23T10:05:00.000Z");
  EXPECT_EQ(gate.after(5 * minute).next(), "pass approve");
}

TEST(ApprovalGate, AFreezeWindowHoldsWhatWasApprovedUntilItEnds) {
  // 10:00 UTC is 11:00 in Paris.
  Gate gate(two_of_three(), {{"Mon 09:00", "Mon 12:00", "Europe/Paris"}});
  gate.asked().vote("amina").vote("leo");
  EXPECT_EQ(gate.next(),
            "wait approve until 2026-11-23T11:00:00.000Z: Mon 09:00 to Mon 12:00 (Europe/Paris) is "
            "a freeze window; it ends 2026-11-23T11:00:00.000Z");
  EXPECT_EQ(gate.after(hour).next(), "pass approve");
}

TEST(ApprovalGate, WhatWasApprovedExpiresAllTheSameUnlessItIsPassedInTime) {
  Gate gate;
  gate.asked().vote("amina").vote("leo");
  EXPECT_EQ(gate.next(), "pass approve");
  EXPECT_EQ(gate.after(24 * hour + minute).next().substr(0, 14), "finish expired");
  ApprovalRule rule;
  rule.wait = 5 * minute;
  EXPECT_EQ(Gate(rule).asked().after(25 * hour).next().substr(0, 14), "finish expired");
}

TEST(ApprovalGate, ADeployThatQueuesIntoAFreezeWindowDoesNotTakeTheLock) {
  Gate gate(two_of_three(), {{"Mon 12:00", "Mon 13:00", "Europe/Paris"}});
  gate.asked().vote("amina").vote("leo").outcome("approve", true);
  EXPECT_EQ(gate.next(), "lock lock");
  EXPECT_EQ(gate.after(hour).next().substr(0, 39), "wait lock until 2026-11-23T12:00:00.000");
  EXPECT_EQ(gate.after(hour).next(), "lock lock");
}

TEST(ApprovalGate, ARunThatQueuesUntilItsApprovalsExpireDoesNotTakeTheLock) {
  Gate gate;
  gate.asked().vote("amina").vote("leo").outcome("approve", true);
  EXPECT_EQ(gate.after(24 * hour - minute).next(), "lock lock");
  EXPECT_EQ(gate.after(2 * minute).next().substr(0, 14), "finish expired");
}

TEST(ApprovalGate, AnUnreadableRuleStopsForAPersonAndNeverPasses) {
  Gate gate;
  gate.plan.steps[0].args["rule"].erase("required");
  EXPECT_EQ(gate.next().substr(0, 33), "stop: the gate's rule cannot be r");
}

TEST(ApprovalGate, WhatItPassesWithNamesWhoApproved) {
  Gate gate;
  gate.asked().vote("leo").vote("amina");
  const auto next = decide(gate.plan, gate.history(), gate.now);
  ASSERT_TRUE(std::holds_alternative<PassGate>(next));
  EXPECT_EQ(std::get<PassGate>(next).result.at("summary"), "approved by leo, amina");
}

TEST(ApprovalGate, ACancelEndsAnOpenGate) {
  Gate gate;
  gate.asked().cancelled("noor");
  EXPECT_EQ(gate.next(), "finish cancelled: noor");
}

TEST(ApprovalGate, ABallotIsOverThisPlanThisRunAndThisRequest) {
  Gate gate;
  EXPECT_EQ(ballot_of(gate.plan, gate.history(), "7").error().fault, Fault::missing);
  gate.asked().vote("leo");
  const auto ballot = ballot_of(gate.plan, gate.history(), "7");
  ASSERT_TRUE(ballot) << ballot.error().message();
  EXPECT_EQ(ballot->request.run, "7");
  EXPECT_EQ(ballot->request.digest, digest(gate.plan));
  EXPECT_EQ(ballot->request.nonce, "n0nce");
  EXPECT_EQ(ballot->request.not_after, monday + 24 * hour);
  EXPECT_EQ(ballot->votes.size(), 1u);
  EXPECT_FALSE(ballot->superseded);
  EXPECT_EQ(ballot_of(small_plan(), gate.history(), "7").error().fault, Fault::missing)
      << "a plan without a gate";
}

}  // namespace
}  // namespace belay::pipeline
