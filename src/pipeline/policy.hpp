// SPDX-License-Identifier: Apache-2.0
// Who may let a run pass, and when. Pure: the same rule, votes and time give the same answer, so
// that an auditor can repeat every decision from the journal. Signatures are checked by a function
// handed in. Rules come from the protected branch, never from what would be shipped.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "pipeline/plan.hpp"
#include "pipeline/spec.hpp"
#include "pipeline/workflow.hpp"

namespace belay::pipeline {

// What an approver's SSH signature is made for (`ssh-keygen -Y sign -n`).
inline constexpr std::string_view approval_namespace = "belay-approval-v1";

struct ApprovalRule {
  int required = 0;
  std::vector<Reviewer> reviewers;  // with their keys
  bool self_approval = false;
  Millis wait{0};  // since the request, whoever has voted
  Millis expires = std::chrono::hours(24);
  Evidence by = Evidence::signature;
  bool operator==(const ApprovalRule&) const = default;
};

Json to_json(const ApprovalRule& rule);
Result<ApprovalRule> rule_from_json(const Json& json);  // corrupt, naming what is missing

// The names of `approvals` with the keys of `people`.
ApprovalRule rule_of(const Spec& spec, const Approvals& approvals);
// A rollback's own rule, else the environment's; a wait never binds a rollback.
ApprovalRule rollback_rule(const Spec& spec, const EnvironmentSpec& environment);

enum class Decision { approve, reject };
const char* to_string(Decision decision);

struct ApprovalRequest {
  std::string project, environment, run, digest, nonce;
  TimePoint not_after{};
  bool operator==(const ApprovalRequest&) const = default;
};
// The bytes that a signature covers.
std::string canonical_request(const ApprovalRequest& request, Decision decision);

struct Vote {               // an accepted one: the body of approval.vote
  std::string person, key;  // the whole public key, as the rule lists it
  Decision decision = Decision::approve;
  std::string reason;     // of a rejection
  std::string signature;  // armored
  TimePoint at{};
  std::string digest;       // of the plan that was signed
  Json evidence = nullptr;  // instead of a signature: the review, as GitHub told it
  bool operator==(const Vote&) const = default;
};
Json to_json(const Vote& vote);
Result<Vote> vote_from_json(const Json& json);

// Before the login, in the place of a key: a review on GitHub.
inline constexpr std::string_view github_key = "github:";

// "SSH ed25519 ...k3Qv": for people; the end of the fingerprint.
std::string key_for_people(const std::string& key);
// One key, whatever its comment.
bool same_key(const std::string& a, const std::string& b);
// By name or email, without regard to case.
bool is_person(const Reviewer& reviewer, const Person& person);

struct Candidate {  // a vote that somebody hands in
  std::string key;  // empty: whichever listed key the signature fits
  std::string signature;
  Decision decision = Decision::approve;
  std::string reason;
  std::string digest = {};  // of a recorded vote: the plan that it says it is over
  Json evidence = nullptr;  // a review instead of a signature: workflow.hpp
};

struct Ballot {  // what a vote is judged against
  ApprovalRule rule;
  ApprovalRequest request;  // as the run stands now
  TimePoint requested_at{};
  Person requester;
  std::string rule_key = "approvals";  // where the rule stands in the environment
  std::vector<Vote> votes = {};        // accepted so far
  // Of other open runs: only to say better what is wrong.
  std::vector<ApprovalRequest> others = {};
  bool superseded = false;                  // the plan holds no longer: every vote is refused
  std::string why_changed = {};             // "main moved from a41d07c to b7710fe"
  std::optional<TimePoint> passed_at = {};  // when the run went through its gate
  std::optional<Workflow> workflow = {};    // whose reviews count, where they do
};

// True when `signature`, made for approval_namespace by `key`, covers exactly `bytes`. An error is
// a machine that cannot tell, never a no.
using Verify = std::function<Result<bool>(const std::string& key, std::string_view bytes,
                                          const std::string& signature)>;

// The vote to record, or why it does not count; each refusal has its own text. Nothing is kept.
//   denied    unknown key; forged or altered; the requester's own
//   conflict  another plan or run; the plan changed; the same person twice
//   refused   expired; decided already; a rejection without a reason
// An error of `verify` comes back as it is: then nothing is known about the vote.
Result<Vote> judge_vote(const Ballot& ballot, const Candidate& candidate, TimePoint now,
                        const Verify& verify);

struct GateState {
  enum class Kind { waiting, passed, rejected, expired } kind = Kind::waiting;
  std::vector<std::string> approved;    // in the order of their votes
  std::vector<std::string> missing;     // who could still approve
  int needed = 0;                       // approvals still to come
  TimePoint not_before{}, not_after{};  // the wait's end; the expiry
  std::string by, reason;               // of a rejection
  TimePoint decided{};                  // passed, rejected, expired: since when
};

// What the votes amount to at `now`, for a gate that was not passed before. Votes with a key that
// is not that person's, of nobody listed, of the requester, twice, or after the decision do not
// count, wherever they come from. Signatures are not looked at: repeat_votes() does that.
GateState evaluate_gate(const ApprovalRule& rule, const Person& requester, TimePoint requested_at,
                        const std::vector<Vote>& votes, TimePoint now);
// The same of a ballot; of a gate that was passed, as it was then.
GateState state_of(const Ballot& ballot, TimePoint now);
// "waiting for 2 of amina, leo, noor", "approved by amina, leo; waits until 14:07:11".
std::string gate_for_people(const GateState& state);

// Patterns as for files: `*` stays between slashes. No patterns: every branch.
bool branch_allowed(const std::vector<std::string>& patterns, const std::string& branch);
// refused, naming environment, branch and what is allowed.
Status check_branch(const std::string& environment, const std::vector<std::string>& patterns,
                    const std::string& branch);

struct Policy {  // of one environment: what the protected branch says
  ApprovalRule approvals, rollback;
  std::vector<std::string> branches, rollback_branches;
  std::vector<Reviewer> emergency;  // with their keys: whoever goes without approval signs that
  std::vector<Freeze> freeze;
  bool operator==(const Policy&) const = default;
};
Policy policy_of(const Spec& spec, const EnvironmentSpec& environment);
Json to_json(const Policy& policy);
Result<Policy> policy_from_json(const Json& json);

// What `present` asks less of than `recorded` did, for people; empty: not weaker. New reviewers and
// new keys count: whoever adds them could vote for himself. Then the run needs approval under the
// recorded rule.
std::vector<std::string> weaker(const Policy& present, const Policy& recorded);

}  // namespace belay::pipeline
