// SPDX-License-Identifier: Apache-2.0
#include "pipeline/repeat.hpp"

#include "tests/pipeline/keys.hpp"
#include "tests/pipeline/story.hpp"

namespace belay::pipeline {
namespace {

// Stands for ssh-keygen: a signature names its key and the bytes.
std::string sign(const std::string& with, std::string_view bytes) {
  return with + " over " + std::string(bytes);
}
Result<bool> verify(const std::string& with, std::string_view bytes, const std::string& signature) {
  return signature == sign(with, bytes);
}

// Two of amina and leo; noor asks.
struct Audited : Story {
  Audited() {
    Policy policy;
    policy.approvals.required = 2;
    policy.approvals.reviewers = {{"amina", {key("amina"), key("amina-desk")}, ""},
                                  {"leo", {key("leo")}, ""},
                                  {"noor", {key("noor")}, ""}};
    plan.facts["policy"] = to_json(policy);
    plan.steps = {step_of("approve", "approve"), step_of("lock", "lock", {"approve"})};
    plan.steps[0].args = to_json(*gate_for(plan, policy));
    plan.back.clear();
  }
  Audited& asked() {
    happened("approval.requested", {{"step", "approve"},
                                    {"nonce", "n0nce"},
                                    {"not_after", belay::to_text(now + std::chrono::hours(24))}});
    return *this;
  }
  Audited& vote(const std::string& person, const std::string& with, std::string signature = {}) {
    if (signature.empty()) {
      const auto ballot = ballot_of(plan, history(), "7");
      EXPECT_TRUE(ballot);
      signature = sign(with, canonical_request(ballot->request, Decision::approve));
    }
    happened("approval.vote",
             to_json(Vote{person, with, Decision::approve, "", signature, now, digest(plan)}));
    return *this;
  }
  Audited& passed() {
    outcome("approve", true);
    return *this;
  }
  Audited& went_on() {
    happened("lock.granted", {{"environment", "production"}}).outcome("lock", true);
    return *this;
  }
  std::string doubts() const {
    auto repeated = repeat_approval(plan, history(), "7", verify);
    EXPECT_TRUE(repeated) << repeated.error().message();
    return repeated ? join(repeated->doubts, "\n") : "";
  }
};

TEST(Repeat, WhatTwoReviewersSignedHolds) {
  Audited run;
  run.asked().vote("amina", key("amina")).vote("leo", key("leo")).passed().went_on();
  EXPECT_EQ(run.doubts(), "");
  EXPECT_EQ(repeat_approval(run.plan, run.history(), "7", verify)->votes, 2);
}

TEST(Repeat, AStrangersKeyInAReviewersNameIsFoundAndCountsForNobody) {
  Audited run;
  run.asked().vote("amina", key("mallory")).vote("leo", key("mallory"));
  EXPECT_EQ(run.next().substr(0, 12), "wait approve");
  run.passed().went_on();
  EXPECT_NE(run.doubts().find("the vote in the name of amina does not hold: the key"),
            std::string::npos)
      << run.doubts();
  EXPECT_NE(run.doubts().find("its gate was passed, but the votes do not carry it"),
            std::string::npos);
}

TEST(Repeat, AnothersKeyInAReviewersNameCountsForNobody) {
  Audited run;
  run.asked().vote("amina", key("leo")).vote("leo", key("leo"));
  EXPECT_EQ(run.next().substr(0, 12), "wait approve");
  EXPECT_NE(run.doubts().find("the vote in the name of amina is leo's"), std::string::npos)
      << run.doubts();
}

TEST(Repeat, ASignatureThatDoesNotFitIsFound) {
  Audited run;
  run.asked().vote("amina", key("amina"), "made up").vote("leo", key("leo")).passed();
  EXPECT_NE(run.doubts().find("the vote in the name of amina does not hold: the signature is "
                              "forged or altered"),
            std::string::npos)
      << run.doubts();
}

TEST(Repeat, TheRequestersOwnVoteAndASecondKeyAreFound) {
  Audited run;
  run.asked().vote("noor", key("noor")).vote("amina", key("amina"));
  run.vote("amina", key("amina-desk"));
  EXPECT_NE(run.doubts().find("noor asked for run 7"), std::string::npos) << run.doubts();
  EXPECT_NE(run.doubts().find("a second key is not a second person"), std::string::npos);
}

TEST(Repeat, AGatePassedUnaskedIsFound) {
  EXPECT_EQ(Audited().passed().doubts(), "its gate was passed, but nobody was asked");
}

TEST(Repeat, ARunThatWentOnWithoutItsGateIsFound) {
  EXPECT_EQ(Audited().asked().went_on().doubts(), "it went on without passing its gate");
}

TEST(Repeat, APlanWithoutTheGateOfItsPolicyIsFound) {
  Audited bare;
  bare.plan.steps.erase(bare.plan.steps.begin());
  bare.plan.steps[0].after.clear();
  EXPECT_EQ(bare.doubts(), "its policy asks for a gate, its plan has none");
  Audited easier;
  easier.plan.steps[0].args["rule"]["required"] = 1;
  EXPECT_EQ(easier.doubts(), "its gate is not the one that its policy asks for");
  Audited beside;
  beside.plan.steps[1].after.clear();
  EXPECT_EQ(beside.doubts(), "its plan does not wait for its gate");
  Audited none;
  none.plan.facts.erase("policy");
  EXPECT_EQ(none.doubts(), "its plan names no policy");
}

TEST(Repeat, AGatePassedAfterTheExpiryIsFound) {
  Audited run;
  run.asked().vote("amina", key("amina")).vote("leo", key("leo"));
  run.later(std::chrono::hours(25));
  run.passed();
  EXPECT_EQ(run.doubts(), "its gate was passed after the request had expired");
}

TEST(Repeat, AMachineThatCannotTellIsNoForgery) {
  Audited run;
  run.asked().vote("amina", key("amina"));
  const auto repeated = repeat_approval(
      run.plan, run.history(), "7", [](const auto&, auto, const auto&) -> Result<bool> {
        return fail(Fault::denied, "no room for a scratch folder");
      });
  ASSERT_FALSE(repeated);
  EXPECT_EQ(repeated.error().text, "no room for a scratch folder");
}

}  // namespace
}  // namespace belay::pipeline
