// SPDX-License-Identifier: Apache-2.0
#include "pipeline/gate.hpp"

#include <fmt/format.h>

#include "pipeline/freeze.hpp"

namespace belay::pipeline {

namespace {

Result<Gate> gate_of(const Step& gate) {
  TRY_LET(auto rule, rule_from_json(gate.args.value("rule", Json::object())));
  TRY_LET(auto freeze, freeze_from_json(gate.args.value("freeze", Json::array())));
  return Gate{std::move(rule), std::move(freeze)};
}

// Reviews on GitHub come before the job in which the plan is made: waits and expiry are counted
// from where their workflow's run began.
TimePoint requested_at(const Plan& plan, const History& history, const ApprovalRule& rule) {
  const auto workflow = workflow_of(plan);
  return rule.by == Evidence::github && workflow ? workflow->created : history.asked->at;
}

const char* rule_key(const Plan& plan) {
  if (plan.facts.contains("emergency")) return "rollback.emergency";
  return plan.pipeline == "deploy" ? "approvals" : "rollback.approvals";
}

Json passed(const GateState& state) {
  std::string by;
  for (const auto& name : state.approved) by += (by.empty() ? "" : ", ") + name;
  return {{"approved", state.approved},
          {"summary", by.empty() ? "nobody needed" : "approved by " + by}};
}

std::optional<Wait> wait_for_thaw(const Gate& args, const std::string& step, TimePoint not_after,
                                  TimePoint now) {
  const auto frozen = in_freeze(args.freeze, now);
  if (!frozen) return std::nullopt;
  return Wait{std::min(frozen->until, not_after),
              fmt::format("{} to {} ({}) is a freeze window; it ends {}", frozen->window.from,
                          frozen->window.to, frozen->window.zone, to_text(frozen->until)),
              step};
}

Finish too_late(const Gate& args) {
  return {"expired", fmt::format("not through its gate, and under way, within {} of the request",
                                 for_people(args.rule.expires))};
}

Next wait_or_pass(const Step& gate, const Gate& args, const GateState& state, TimePoint now) {
  if (state.kind == GateState::Kind::waiting) {
    const bool only_time = state.needed == 0;
    const auto next = only_time ? std::min(state.not_before, state.not_after) : state.not_after;
    return Wait{next, gate_for_people(state), gate.id, !only_time};
  }
  if (auto frozen = wait_for_thaw(args, gate.id, state.not_after, now)) return *frozen;
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
  auto args = gate_of(gate);
  if (!args) return Stop{"the gate's rule cannot be read: " + args.error().message()};
  if (!history.asked || history.asked->step != gate.id)
    return OpenGate{gate.id, args->rule.expires};
  const auto state = evaluate_gate(args->rule, plan.requester,
                                   requested_at(plan, history, args->rule), votes_of(history), now);
  switch (state.kind) {
    case GateState::Kind::rejected:
      return Finish{"refused", state.by + " refused: " + state.reason};
    case GateState::Kind::expired:
      if (state.needed == 0) return too_late(*args);
      return Finish{"expired",
                    fmt::format("not approved within {}", for_people(args->rule.expires))};
    case GateState::Kind::waiting:
    case GateState::Kind::passed: break;
  }
  return wait_or_pass(gate, *args, state, now);
}

Json to_json(const Gate& gate) {
  return {{"rule", to_json(gate.rule)}, {"freeze", to_json(gate.freeze)}};
}

std::optional<Gate> gate_for(const Plan& plan, const Policy& policy) {
  // Without the approval of others, but never without a signature: names are no evidence.
  if (plan.facts.contains("emergency"))
    return Gate{{1, policy.emergency, true, Millis(0), policy.rollback.expires}};
  if (plan.pipeline != "deploy")
    return policy.rollback.required > 0 ? std::optional(Gate{policy.rollback}) : std::nullopt;
  const auto& rule = policy.approvals;
  if (rule.required == 0 && rule.wait == Millis(0) && policy.freeze.empty()) return std::nullopt;
  return Gate{rule, policy.freeze};
}

bool is_reviewed_on_github(const Plan& plan) {
  const auto* gate = plan.first_of("approve");
  return gate != nullptr && text_in(member_in(gate->args, "rule"), "by") == "github";
}

Status can_be_passed(const Plan& plan) {
  const auto* step = plan.first_of("approve");
  if (step == nullptr) return {};
  TRY_LET(const auto gate, gate_of(*step));
  const bool on_github = gate.rule.by == Evidence::github;
  int able = 0;
  std::string not_able;
  for (const auto& reviewer : gate.rule.reviewers) {
    const bool asks = !gate.rule.self_approval && is_person(reviewer, plan.requester);
    if (!asks && !(on_github ? reviewer.github.empty() : reviewer.keys.empty())) {
      ++able;
      continue;
    }
    not_able += (not_able.empty() ? "" : ", ") + reviewer.name +
                (asks        ? " asks for it, and may not approve it"
                 : on_github ? " has no account on GitHub here"
                             : " has no key");
  }
  if (able >= gate.rule.required) return {};
  return fail(Fault::invalid,
              fmt::format("nobody could let this run pass: {} must approve, and only {} could{}; "
                          "let somebody else ask, add reviewers, or see environments.{}.{}",
                          gate.rule.required, able, not_able.empty() ? "" : " (" + not_able + ")",
                          plan.environment, rule_key(plan)));
}

Result<std::optional<Policy>> settled_policy(const Plan& plan, const History& history) {
  const auto* step = plan.first_of("approve");
  const bool settled = step != nullptr ? history.done(step->id) : history.ending == "done";
  if (!settled) return std::optional<Policy>();
  TRY_LET(auto policy, policy_from_json(plan.facts.value("policy", Json::object())));
  if (!plan.facts.contains("policy_wanted")) return std::optional(std::move(policy));
  int asked = 0;
  if (step != nullptr) {
    TRY_LET(const auto gate, gate_of(*step));
    asked = gate.rule.required;
  }
  const bool enough = asked >= std::max(policy.approvals.required, policy.rollback.required);
  if (!enough || plan.facts.contains("emergency")) return std::optional(std::move(policy));
  TRY_LET(auto wanted, policy_from_json(plan.facts["policy_wanted"]));
  return std::optional(std::move(wanted));
}

std::optional<Next> hold_at_lock(const Plan& plan, const History& history, TimePoint now) {
  const auto* gate = plan.first_of("approve");
  if (gate == nullptr || !history.done(gate->id) || !history.asked) return std::nullopt;
  auto args = gate_of(*gate);
  if (!args) return Stop{"the gate's rule cannot be read: " + args.error().message()};
  const auto not_after = history.asked->not_after;
  if (now >= not_after) return too_late(*args);
  const auto* lock = plan.first_of("lock");
  auto frozen = wait_for_thaw(*args, lock == nullptr ? gate->id : lock->id, not_after, now);
  return frozen ? std::optional<Next>(std::move(*frozen)) : std::nullopt;
}

Result<Ballot> ballot_of(const Plan& plan, const History& history, const std::string& run) {
  const auto* gate = plan.first_of("approve");
  if (gate == nullptr) return fail(Fault::missing, fmt::format("run {} needs no approval", run));
  if (!history.asked)
    return fail(Fault::missing, fmt::format("run {} does not ask for approval yet", run));
  TRY_LET(auto args, gate_of(*gate));
  Ballot ballot;
  ballot.rule = std::move(args.rule);
  ballot.request = {plan.project, plan.environment,     run,
                    digest(plan), history.asked->nonce, history.asked->not_after};
  ballot.requested_at = requested_at(plan, history, ballot.rule);
  ballot.workflow = workflow_of(plan);
  ballot.requester = plan.requester;
  ballot.rule_key = rule_key(plan);
  ballot.votes = votes_of(history);
  ballot.superseded = history.ending == "superseded";
  // Decided in time, and written a moment later: the moment does not count.
  const auto in_time = ballot.requested_at + ballot.rule.expires - Millis(1);
  if (history.done(gate->id)) ballot.passed_at = std::min(history.record(gate->id)->ended, in_time);
  return ballot;
}

}  // namespace belay::pipeline
