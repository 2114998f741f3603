// SPDX-License-Identifier: Apache-2.0
#include "pipeline/gate.hpp"

#include <fmt/format.h>

#include "pipeline/freeze.hpp"

namespace belay::pipeline {

namespace {

struct GateArgs {
  ApprovalRule rule;
  std::vector<Freeze> freeze;
};

Result<GateArgs> args_of(const Step& gate) {
  TRY_LET(auto rule, rule_from_json(gate.args.value("rule", Json::object())));
  TRY_LET(auto freeze, freeze_from_json(gate.args.value("freeze", Json::array())));
  return GateArgs{std::move(rule), std::move(freeze)};
}

Json passed(const GateState& state) {
  std::string by;
  for (const auto& name : state.approved) by += (by.empty() ? "" : ", ") + name;
  return {{"approved", state.approved},
          {"summary", by.empty() ? "nobody needed" : "approved by " + by}};
}

Next wait_or_pass(const Step& gate, const GateArgs& args, const GateState& state, TimePoint now) {
  if (state.kind == GateState::Kind::waiting) {
    const bool only_time = state.needed == 0;
    const auto next = only_time ? std::min(state.not_before, state.not_after) : state.not_after;
    return Wait{next, gate_for_people(state), gate.id};
  }
  if (const auto frozen = in_freeze(args.freeze, now)) {
    return Wait{frozen->until,
                fmt::format("{} to {} ({}) is a freeze window; it ends {}", frozen->window.from,
                            frozen->window.to, frozen->window.zone, to_text(frozen->until)),
                gate.id};
  }
  return PassGate{gate.id, passed(state)};
}

}  // namespace

std::vector<Vote> votes_of(const History& history) {
  std::vector<Vote> votes;
  for (const auto& event : history.votes) {
    auto vote = vote_from_json(event.body);
    // One that cannot be read counts for nobody.
    if (vote) votes.push_back(std::move(vote).value());
  }
  return votes;
}

Next decide_gate(const Plan& plan, const Step& gate, const History& history, TimePoint now) {
  auto args = args_of(gate);
  if (!args) return Stop{"the gate's rule cannot be read: " + args.error().message()};
  if (!history.asked || history.asked->step != gate.id)
    return OpenGate{gate.id, args->rule.expires};
  const auto state =
      evaluate_gate(args->rule, plan.requester, history.asked->at, votes_of(history), now);
  switch (state.kind) {
    case GateState::Kind::rejected:
      return Finish{"refused", state.by + " refused: " + state.reason};
    case GateState::Kind::expired:
      return Finish{"expired",
                    fmt::format("not approved within {}", for_people(args->rule.expires))};
    case GateState::Kind::waiting:
    case GateState::Kind::passed: break;
  }
  return wait_or_pass(gate, *args, state, now);
}

Result<Ballot> ballot_of(const Plan& plan, const History& history, const std::string& run) {
  const auto* gate = plan.first_of("approve");
  if (gate == nullptr) return fail(Fault::missing, fmt::format("run {} needs no approval", run));
  if (!history.asked)
    return fail(Fault::missing, fmt::format("run {} does not ask for approval yet", run));
  TRY_LET(auto args, args_of(*gate));
  Ballot ballot;
  ballot.rule = std::move(args.rule);
  ballot.request = {plan.project, plan.environment,     run,
                    digest(plan), history.asked->nonce, history.asked->not_after};
  ballot.requested_at = history.asked->at;
  ballot.requester = plan.requester;
  ballot.votes = votes_of(history);
  ballot.superseded = history.ending == "superseded";
  return ballot;
}

}  // namespace belay::pipeline
