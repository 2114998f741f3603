// SPDX-License-Identifier: Apache-2.0
#include "pipeline/repeat.hpp"

#include <fmt/format.h>

namespace belay::pipeline {

namespace {

constexpr Millis writing_takes = std::chrono::minutes(1);

std::string without_refused(const Error& error) {
  const auto text = error.message();
  return text.starts_with("Refused: ") ? text.substr(9) : text;
}

// Whether the plan has the gate that its own policy asks for.
void look_at_gate(const Plan& plan, std::vector<std::string>& doubts) {
  if (!plan.facts.contains("policy")) return doubts.push_back("its plan names no policy");
  auto policy = policy_from_json(plan.facts["policy"]);
  if (!policy) return doubts.push_back(policy.error().message());
  const auto asked = gate_for(plan, *policy);
  const auto* gate = plan.first_of("approve");
  if (!asked) return;
  if (gate == nullptr) return doubts.push_back("its policy asks for a gate, its plan has none");
  if (gate->args != to_json(*asked))
    doubts.push_back("its gate is not the one that its policy asks for");
  const auto* lock = plan.first_of("lock");
  if (lock == nullptr ||
      std::find(lock->after.begin(), lock->after.end(), gate->id) == lock->after.end())
    doubts.push_back("its plan does not wait for its gate");
}

// Whether the run went through it.
void look_at_passage(const Plan& plan, const History& history, const Result<Ballot>& ballot,
                     std::vector<std::string>& doubts) {
  const auto* gate = plan.first_of("approve");
  if (gate == nullptr) return;
  const auto* lock = plan.first_of("lock");
  if (!history.done(gate->id)) {
    if (history.locked || (lock != nullptr && history.begun(lock->id)))
      doubts.push_back("it went on without passing its gate");
    return;
  }
  if (!history.asked || history.asked->step != gate->id)
    return doubts.push_back("its gate was passed, but nobody was asked");
  if (!ballot) return;
  const auto ended = history.record(gate->id)->ended;
  if (ended > history.asked->not_after + writing_takes)
    doubts.push_back("its gate was passed after the request had expired");
  const auto state = state_of(*ballot, ended);
  if (state.kind != GateState::Kind::passed)
    doubts.push_back("its gate was passed, but the votes do not carry it: " +
                     gate_for_people(state));
}

}  // namespace

Result<Repeated> repeat_votes(const Ballot& ballot, const Verify& verify) {
  Repeated repeated;
  std::optional<Error> cannot_tell;
  const Verify watched = [&](const auto& key, auto bytes, const auto& signature) {
    auto answer = verify(key, bytes, signature);
    if (!answer) cannot_tell = answer.error();
    return answer;
  };
  Ballot so_far = ballot;
  so_far.votes.clear();
  so_far.passed_at.reset();
  for (const auto& vote : ballot.votes) {
    ++repeated.votes;
    repeated.reviews += vote.evidence.is_null() ? 0 : 1;
    auto judged = judge_vote(
        so_far, {vote.key, vote.signature, vote.decision, vote.reason, vote.digest, vote.evidence},
        vote.at, watched);
    if (cannot_tell) return std::move(*cannot_tell);
    if (!judged) {
      repeated.doubts.push_back(fmt::format("the vote in the name of {} does not hold: {}",
                                            vote.person, without_refused(judged.error())));
    } else if (*judged != vote) {
      repeated.doubts.push_back(
          fmt::format("the vote in the name of {} is {}'s", vote.person, judged->person));
    } else {
      so_far.votes.push_back(vote);
    }
  }
  return repeated;
}

Result<Repeated> repeat_approval(const Plan& plan, const History& history, const std::string& run,
                                 const Verify& verify) {
  Repeated repeated;
  auto ballot = ballot_of(plan, history, run);
  if (ballot) {
    TRY_LET(repeated, repeat_votes(*ballot, verify));
    if (ballot->votes.size() != history.votes.size())
      repeated.doubts.push_back("one of its votes cannot be read");
  } else if (!history.votes.empty()) {
    repeated.doubts.push_back("it has votes that nobody asked for");
  } else if (ballot.error().fault != Fault::missing) {
    repeated.doubts.push_back(ballot.error().message());
  }
  look_at_gate(plan, repeated.doubts);
  look_at_passage(plan, history, ballot, repeated.doubts);
  return repeated;
}

}  // namespace belay::pipeline
