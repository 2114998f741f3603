// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/lower_case.hpp"
#include "base/text.hpp"
#include "pipeline/policy.hpp"

namespace belay::pipeline {

namespace {

const Reviewer* owner(const ApprovalRule& rule, const std::string& key) {
  for (const auto& reviewer : rule.reviewers) {
    for (const auto& own : reviewer.keys) {
      if (same_key(own, key)) return &reviewer;
    }
  }
  return nullptr;
}

const Reviewer* with_account(const ApprovalRule& rule, const std::string& login) {
  const auto at = std::find_if(rule.reviewers.begin(), rule.reviewers.end(), [&](const auto& each) {
    return !each.github.empty() && lower_case(each.github) == lower_case(login);
  });
  return at == rule.reviewers.end() ? nullptr : &*at;
}

// Of a signature or of a review, whichever this rule asks for.
const Reviewer* whose(const ApprovalRule& rule, const std::string& key) {
  const bool review = key.starts_with(github_key);
  if (review != (rule.by == Evidence::github)) return nullptr;
  return review ? with_account(rule, key.substr(github_key.size())) : owner(rule, key);
}

// Nobody's when the key is not this person's: a name is no evidence.
const Reviewer* voter(const ApprovalRule& rule, const Vote& vote) {
  const auto* person = whose(rule, vote.key);
  return person != nullptr && person->name == vote.person ? person : nullptr;
}

std::vector<std::string> keys_to_try(const Ballot& ballot, const Candidate& candidate) {
  if (!candidate.key.empty()) return {candidate.key};
  std::vector<std::string> keys;
  for (const auto& reviewer : ballot.rule.reviewers) {
    keys.insert(keys.end(), reviewer.keys.begin(), reviewer.keys.end());
  }
  return keys;
}

std::string start_of(const std::string& digest) {
  return digest.substr(0, 4) + "…";
}

std::string names_of(const ApprovalRule& rule) {
  std::vector<std::string> names;
  for (const auto& reviewer : rule.reviewers) names.push_back(reviewer.name);
  return names.empty() ? "nobody" : join(names, ", ");
}

std::string because(const Ballot& ballot) {
  return ballot.why_changed.empty() ? "" : " because " + ballot.why_changed;
}

std::string look_again(const Ballot& ballot) {
  return fmt::format("Nothing was recorded. Look again: belay show {}", ballot.request.run);
}

Error changed_since(const Ballot& ballot, const std::string& whose, const std::string& over) {
  const auto& now = ballot.request;
  return fail(
      Fault::conflict,
      fmt::format("Refused: this signature is {}'s, but over plan {}; run {} now has plan {}{}. {}",
                  whose, start_of(over), now.run, start_of(now.digest), because(ballot),
                  look_again(ballot)));
}

Error made_for(const Ballot& ballot, const std::string& whose, const ApprovalRequest& other) {
  const auto& now = ballot.request;
  if (other.run == now.run && other.digest != now.digest)
    return changed_since(ballot, whose, other.digest);
  if (other.run == now.run) {
    return fail(Fault::conflict,
                fmt::format("Refused: this signature is {}'s, for an earlier request of run {} "
                            "(not after {}). {}",
                            whose, other.run, belay::to_text(other.not_after), look_again(ballot)));
  }
  return fail(Fault::conflict,
              fmt::format("Refused: this signature is {}'s, but for run {} ({} of {}, plan {}), "
                          "not for run {}. {}",
                          whose, other.run, other.environment, other.project,
                          start_of(other.digest), now.run, look_again(ballot)));
}

// The signature is real, but was made for something else that is known.
Result<std::optional<Error>> over_another(const Ballot& ballot, const std::string& key,
                                          const Candidate& candidate, const Verify& verify) {
  const auto* person = owner(ballot.rule, key);
  const auto whose = person != nullptr ? person->name : key_for_people(key);
  for (const auto& other : ballot.others) {
    for (const auto decision : {Decision::approve, Decision::reject}) {
      TRY_LET(const bool fits,
              verify(key, canonical_request(other, decision), candidate.signature));
      if (fits) return std::optional(made_for(ballot, whose, other));
    }
  }
  const auto opposite =
      candidate.decision == Decision::approve ? Decision::reject : Decision::approve;
  TRY_LET(const bool fits,
          verify(key, canonical_request(ballot.request, opposite), candidate.signature));
  if (!fits) return std::optional<Error>();
  return std::optional(
      fail(Fault::conflict,
           fmt::format("Refused: this signature is {}'s and says \"{}\", not \"{}\". {}", whose,
                       to_string(opposite), to_string(candidate.decision), look_again(ballot))));
}

// The key whose signature this is, over this very request.
Result<std::string> signer(const Ballot& ballot, const Candidate& candidate, const Verify& verify) {
  if (!candidate.key.empty() && owner(ballot.rule, candidate.key) == nullptr) {
    return fail(Fault::denied,
                fmt::format("Refused: the key {} belongs to none of the reviewers ({}). Their keys "
                            "are in belay.yaml under people, as the protected branch has it",
                            key_for_people(candidate.key), names_of(ballot.rule)));
  }
  const auto keys = keys_to_try(ballot, candidate);
  const auto bytes = canonical_request(ballot.request, candidate.decision);
  for (const auto& key : keys) {
    TRY_LET(const bool fits, verify(key, bytes, candidate.signature));
    if (fits) return key;
  }
  for (const auto& key : keys) {
    TRY_LET(auto other, over_another(ballot, key, candidate, verify));
    if (other) return std::move(*other);
  }
  const auto whose = candidate.key.empty() ? std::string("no reviewer's key made it")
                                           : fmt::format("{}'s key did not make it",
                                                         owner(ballot.rule, candidate.key)->name);
  return fail(Fault::denied,
              fmt::format("Refused: the signature is forged or altered: {} over this "
                          "request. Sign what this prints: belay show {} --request",
                          whose, ballot.request.run));
}

Error no_review(const Ballot& ballot, const std::string& login, const std::string& why) {
  return fail(Fault::denied,
              fmt::format("Refused: the review of {} on GitHub does not count for run "
                          "{}: {}",
                          login, ballot.request.run, why));
}

// Whose review it is; "github:LOGIN".
Result<std::string> reviewer(const Ballot& ballot, const Candidate& candidate) {
  TRY_LET(const auto review, review_from_json(candidate.evidence));
  const auto not_it = [&](const std::string& why) { return no_review(ballot, review.login, why); };
  const auto& workflow = ballot.workflow;
  if (!workflow) return not_it("it was not asked for in a workflow's run");
  if (review.repository != workflow->repository || review.run != workflow->run ||
      review.attempt != workflow->attempt)
    return not_it(
        fmt::format("it is of run {} (attempt {}) of {}, and this was asked for in run {} "
                    "(attempt {}) of {}",
                    review.run, review.attempt, review.repository, workflow->run, workflow->attempt,
                    workflow->repository));
  const auto* said = candidate.decision == Decision::approve ? "approved" : "rejected";
  if (review.state != said) return not_it(fmt::format("it says \"{}\"", review.state));
  const auto& gates = workflow->environments;
  const bool ours = std::any_of(
      review.environments.begin(), review.environments.end(),
      [&](const auto& each) { return std::find(gates.begin(), gates.end(), each) != gates.end(); });
  if (!ours)
    return not_it(fmt::format("it is of {}, and the gates are {}", join(review.environments, ", "),
                              join(gates, ", ")));
  if (with_account(ballot.rule, review.login) == nullptr)
    return not_it(
        fmt::format("it is none of the reviewers' accounts ({}), as the protected branch "
                    "has them under people",
                    names_of(ballot.rule)));
  return std::string(github_key) + review.login;
}

// The two kinds of evidence do not stand for each other.
Result<std::string> evidence(const Ballot& ballot, const Candidate& candidate,
                             const Verify& verify) {
  const bool review = !candidate.evidence.is_null();
  if (review == (ballot.rule.by == Evidence::github))
    return review ? reviewer(ballot, candidate) : signer(ballot, candidate, verify);
  const auto* how = review ? "by signatures, not by reviews on GitHub"
                           : "on GitHub, by reviewing its workflow's run (approvals.by is github)";
  return fail(Fault::denied,
              fmt::format("Refused: run {} is approved {}", ballot.request.run, how));
}

Status still_open(const Ballot& ballot, TimePoint now) {
  const auto& run = ballot.request.run;
  if (ballot.superseded) {
    return fail(Fault::conflict,
                fmt::format("Refused: the plan of run {} no longer holds{}; make a new one", run,
                            because(ballot)));
  }
  const auto state = state_of(ballot, now);
  switch (state.kind) {
    case GateState::Kind::passed:
      return fail(Fault::refused, fmt::format("Refused: run {} was decided already: approved at {}",
                                              run, belay::to_text(state.decided)));
    case GateState::Kind::rejected:
      return fail(Fault::refused,
                  fmt::format("Refused: run {} was decided already: rejected by {} at {} ({})", run,
                              state.by, belay::to_text(state.decided), state.reason));
    case GateState::Kind::expired:
    case GateState::Kind::waiting: break;
  }
  if (state.kind == GateState::Kind::expired || now > ballot.request.not_after) {
    return fail(
        Fault::refused,
        fmt::format("Refused: the request of run {} expired at {}; start the run again", run,
                    belay::to_text(std::min(state.not_after, ballot.request.not_after))));
  }
  return Done{};
}

Status may_vote(const Ballot& ballot, const Candidate& candidate, const Reviewer& person) {
  // Withdrawing one's own run is nobody's loss; only approving it is.
  if (candidate.decision == Decision::approve && !ballot.rule.self_approval &&
      is_person(person, ballot.requester)) {
    return fail(Fault::denied,
                fmt::format("Refused: {} asked for run {} and cannot approve it; {} others must "
                            "(environments.{}.{}.self_approval is false)",
                            person.name, ballot.request.run, ballot.rule.required,
                            ballot.request.environment, ballot.rule_key));
  }
  for (const auto& vote : ballot.votes) {
    if (vote.person != person.name || vote.decision != candidate.decision) continue;
    return fail(
        Fault::conflict,
        fmt::format("Refused: {} has voted on run {} already, at {}, with {}; a second key is "
                    "not a second person",
                    person.name, ballot.request.run, belay::to_text(vote.at),
                    key_for_people(vote.key)));
  }
  return Done{};
}

}  // namespace

Result<Vote> judge_vote(const Ballot& ballot, const Candidate& candidate, TimePoint now,
                        const Verify& verify) {
  TRY(still_open(ballot, now));
  TRY_LET(const std::string key, evidence(ballot, candidate, verify));
  const auto* person = whose(ballot.rule, key);
  if (!candidate.digest.empty() && candidate.digest != ballot.request.digest) {
    return changed_since(ballot, person->name, candidate.digest);
  }
  TRY(may_vote(ballot, candidate, *person));
  if (candidate.decision == Decision::reject && trim(candidate.reason).empty()) {
    return fail(Fault::refused,
                fmt::format("Refused: a rejection needs its reason: belay reject {} "
                            "--reason \"...\"",
                            ballot.request.run));
  }
  return Vote{person->name,        key, candidate.decision,    candidate.reason,
              candidate.signature, now, ballot.request.digest, candidate.evidence};
}

GateState evaluate_gate(const ApprovalRule& rule, const Person& requester, TimePoint requested_at,
                        const std::vector<Vote>& votes, TimePoint now) {
  GateState state;
  state.not_before = requested_at + rule.wait;
  state.not_after = requested_at + rule.expires;
  state.decided = state.not_before;
  for (const auto& vote : votes) {
    const auto* person = voter(rule, vote);
    const bool complete = static_cast<int>(state.approved.size()) >= rule.required;
    if (person == nullptr || vote.at > now) continue;
    // Passed, or too late, by then.
    if (complete ? vote.at >= state.decided : vote.at >= state.not_after) continue;
    if (vote.decision == Decision::reject) {
      state.kind = GateState::Kind::rejected;
      state.by = person->name;
      state.reason = vote.reason;
      state.decided = vote.at;
      break;
    }
    const bool own = !rule.self_approval && is_person(*person, requester);
    const auto& list = state.approved;
    if (complete || own || std::find(list.begin(), list.end(), person->name) != list.end())
      continue;
    state.approved.push_back(person->name);
    state.decided = std::max(state.decided, vote.at);
  }
  for (const auto& reviewer : rule.reviewers) {
    const auto& list = state.approved;
    if (std::find(list.begin(), list.end(), reviewer.name) != list.end()) continue;
    if (rule.self_approval || !is_person(reviewer, requester))
      state.missing.push_back(reviewer.name);
  }
  state.needed = std::max(0, rule.required - static_cast<int>(state.approved.size()));
  if (state.kind == GateState::Kind::rejected) return state;
  if (now >= state.not_after) {
    state.kind = GateState::Kind::expired;
    state.decided = state.not_after;
  } else if (state.needed == 0 && now >= state.decided) {
    state.kind = GateState::Kind::passed;
  }
  return state;
}

GateState state_of(const Ballot& ballot, TimePoint now) {
  return evaluate_gate(ballot.rule, ballot.requester, ballot.requested_at, ballot.votes,
                       ballot.passed_at.value_or(now));
}

std::string gate_for_people(const GateState& state) {
  const auto by = state.approved.empty() ? "" : "approved by " + join(state.approved, ", ");
  switch (state.kind) {
    case GateState::Kind::passed: return by.empty() ? "no approval is needed" : by;
    case GateState::Kind::rejected:
      return fmt::format("rejected by {}: {}", state.by, state.reason);
    case GateState::Kind::expired: return "expired at " + belay::to_text(state.not_after);
    case GateState::Kind::waiting: break;
  }
  const auto separated = by.empty() ? "" : by + "; ";
  if (state.needed == 0) return separated + "waits until " + belay::to_text(state.not_before);
  return fmt::format("{}waiting for {} of {}", separated, state.needed, join(state.missing, ", "));
}

}  // namespace belay::pipeline
