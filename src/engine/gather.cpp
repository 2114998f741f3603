// SPDX-License-Identifier: Apache-2.0
// Votes that are given elsewhere: asked for while the run waits at its gate, judged as any other,
// and recorded with what was answered.
#include <fmt/format.h>

#include "base/text.hpp"
#include "engine/drive.hpp"
#include "engine/votes.hpp"
#include "pipeline/gate.hpp"

namespace belay::engine {

using pipeline::Candidate;
using pipeline::Decision;
using pipeline::Step;

namespace {

Candidate candidate_of(const Json& vote) {
  Candidate candidate;
  candidate.decision = text_in(vote, "decision") == "reject" ? Decision::reject : Decision::approve;
  candidate.reason = text_in(vote, "reason");
  candidate.evidence = member_in(vote, "evidence");
  return candidate;
}

}  // namespace

// An answer that does not come is no vote: the run goes on waiting.
Result<std::optional<Drive::Turn>> Drive::gather() {
  const pipeline::History seen = history();
  const Step ask{"reviews", "reviews", "ask for reviews"};
  const auto one = context(ask, 1, Json::object(), seen);
  auto answer = kind(ask).perform(one);
  const auto say = [&](const std::string& text) {
    if (said_.insert(text).second) one.say(text);
  };
  if (!answer) {
    say("cannot ask for reviews: " + answer.error().message());
    return std::optional<Turn>();
  }
  TRY_LET(const bool grown, record(member_in(*answer, "votes")));
  if (grown) return std::optional(again());
  if (flag_in(*answer, "open")) return std::optional<Turn>();
  TRY_LET(const auto ballot, pipeline::ballot_of(loaded_.plan, history(), run_));
  const auto state = pipeline::state_of(ballot, world_.clock.now());
  if (state.kind != pipeline::GateState::Kind::waiting || state.needed == 0)
    return std::optional<Turn>();
  return std::optional(finish(
      "refused", fmt::format("{} must approve on GitHub, and nothing waits for a review there any "
                             "more: {}",
                             ballot.rule.required, pipeline::gate_for_people(state))));
}

// True when the history has grown, by these votes or by others' events.
Result<bool> Drive::record(const Json& votes) {
  if (!votes.is_array()) return false;
  const auto before = seen_;
  for (const auto& each : votes) {
    TRY_LET(const auto ballot, pipeline::ballot_of(loaded_.plan, history(), run_));
    const auto candidate = candidate_of(each);
    const bool known = std::any_of(ballot.votes.begin(), ballot.votes.end(), [&](const auto& vote) {
      return vote.evidence == candidate.evidence;
    });
    if (known) continue;
    auto vote = pipeline::judge_vote(ballot, candidate, world_.clock.now(), verify_signature);
    if (!vote) {
      const auto why = vote.error().message();
      if (said_.insert(why).second)
        reporter_.output(run_, *loaded_.plan.first_of("approve"), why + "\n");
      continue;
    }
    TRY_LET(const bool kept, decided({make_event("approval.vote", pipeline::to_json(*vote))}));
    if (!kept) return true;
  }
  return seen_ != before;
}

}  // namespace belay::engine
