// SPDX-License-Identifier: Apache-2.0
#include "pipeline/gate.hpp"

#include "pipeline/freeze.hpp"
#include "tests/pipeline/keys.hpp"
#include "tests/pipeline/story.hpp"

namespace belay::pipeline {
namespace {

constexpr Millis minute = std::chrono::minutes(1);
constexpr Millis hour = std::chrono::hours(1);

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

// ---- who could approve at all ----

Plan asked_by(const std::string& who, const ApprovalRule& rule) {
  Plan plan = small_plan();
  plan.requester = {who, ""};
  plan.steps = {step_of("approve", "approve")};
  plan.steps[0].args = to_json(pipeline::Gate{rule});
  return plan;
}

TEST(ApprovalGate, ARunThatNobodyCouldLetPassIsRefusedWithTheRemedy) {
  ApprovalRule rule = two_of_three();
  rule.reviewers.pop_back();
  EXPECT_TRUE(can_be_passed(asked_by("noor", rule)));
  const auto refused = can_be_passed(asked_by("amina", rule));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text,
            "nobody could let this run pass: 2 must approve, and only 1 could (amina asks for it, "
            "and may not approve it); let somebody else ask, add reviewers, or see "
            "environments.production.approvals");
  rule.self_approval = true;
  EXPECT_TRUE(can_be_passed(asked_by("amina", rule)));
  rule.reviewers[1].keys.clear();
  EXPECT_FALSE(can_be_passed(asked_by("noor", rule))) << "leo has no key to sign with";
}

// ---- what a run makes the recorded policy ----

struct Recorded : Gate {
  explicit Recorded(int approvals, int rollback) {
    Policy policy;
    policy.approvals = policy.rollback = two_of_three();
    policy.approvals.required = approvals;
    policy.rollback.required = rollback;
    plan.facts["policy"] = to_json(policy);
    if (approvals == 0) plan.steps.erase(plan.steps.begin());
    if (approvals > 0) plan.steps[0].args = to_json(*gate_for(plan, policy));
    policy.approvals.reviewers.push_back({"eve", {key("eve")}, ""});
    plan.facts["policy_wanted"] = to_json(policy);
  }
  std::string is() const {
    const auto policy = settled_policy(plan, history());
    EXPECT_TRUE(policy) << policy.error().message();
    if (!policy || !*policy) return "none";
    return (*policy)->approvals.reviewers.size() == 4 ? "the wanted one" : "the former one";
  }
};

TEST(RecordedPolicy, IsTheWantedOneOnceItWasApprovedUnderTheFormer) {
  Recorded run(2, 2);
  run.asked();
  EXPECT_EQ(run.is(), "none") << "a run that nobody approved records nothing";
  run.vote("amina").vote("leo").outcome("approve", true);
  EXPECT_EQ(run.is(), "the wanted one");
}

TEST(RecordedPolicy, StaysTheFormerOneWhereTheGateAskedLessThanOneOfItsRules) {
  Recorded run(1, 2);
  run.asked().vote("amina").outcome("approve", true);
  EXPECT_EQ(run.is(), "the former one");
  Recorded emergency(1, 1);
  emergency.plan.facts["emergency"] = "it burns";
  emergency.asked().vote("amina").outcome("approve", true);
  EXPECT_EQ(emergency.is(), "the former one");
}

TEST(RecordedPolicy, WithoutAGateIsThatOfARunThatWasDone) {
  Recorded run(0, 0);
  EXPECT_EQ(run.is(), "none");
  run.happened("run.finished", {{"ending", "done"}, {"text", ""}});
  EXPECT_EQ(run.is(), "the wanted one");
  Recorded guarded(0, 2);
  guarded.happened("run.finished", {{"ending", "done"}, {"text", ""}});
  EXPECT_EQ(guarded.is(), "the former one") << "nobody was asked, and rollbacks ask two";
}

TEST(Emergency, GoesWithoutApprovalButNotWithoutASignature) {
  Plan plan = small_plan();
  plan.pipeline = "rollback";
  plan.facts["emergency"] = "checkout is down";
  Policy policy;
  policy.emergency = {{"amina", {key("amina")}, ""}};
  policy.rollback.expires = hour;
  const auto gate = gate_for(plan, policy);
  ASSERT_TRUE(gate);
  EXPECT_EQ(gate->rule, (ApprovalRule{1, policy.emergency, true, Millis(0), hour}));
  EXPECT_TRUE(gate->freeze.empty());
}

}  // namespace
}  // namespace belay::pipeline
