// SPDX-License-Identifier: Apache-2.0
#include "cli/voting.hpp"

#include <fmt/format.h>

#include "app/plan_sources.hpp"
#include "base/ssh_signature.hpp"
#include "engine/votes.hpp"
#include "pipeline/gate.hpp"

namespace belay::cli {

using pipeline::Candidate;

namespace {

// Requests of other open runs: only to say whose signature it is and over what.
std::vector<pipeline::ApprovalRequest> other_requests(app::Desk& desk, const std::string& run) {
  std::vector<pipeline::ApprovalRequest> others;
  auto rows = desk.journal->runs({}, 50);
  for (const auto& row : rows ? *rows : std::vector<journal::RunRow>{}) {
    if (row.run == run) continue;
    auto loaded = engine::load_run(*desk.journal, row.run);
    if (!loaded) continue;
    auto ballot = pipeline::ballot_of(loaded->plan, loaded->history, row.run);
    if (ballot) others.push_back(ballot->request);
  }
  return others;
}

// Looked at where the run will look. Only to say it before anybody signs in vain: what cannot be
// seen from here is looked at again under the lock.
std::string changed_meanwhile(app::Desk& desk, const pipeline::Plan& plan) {
  auto texts = app::config_of(plan);
  if (!texts) return {};
  auto source = app::source_of(texts->folder);
  if (!source) return {};
  auto changed = engine::why_changed(*desk.journal, source->get(), plan);
  return changed ? *changed : "";
}

}  // namespace

int tell_of_vote(const Error& error) {
  return tell(error, error.text.starts_with("Refused: ") ? exit_approval : exit_failed);
}

Result<Candidate> signed_with(const Path& key, const pipeline::Ballot& ballot,
                              pipeline::Decision decision) {
  Candidate candidate;
  candidate.decision = decision;
  TRY_LET(candidate.signature, ssh::sign(key, std::string(pipeline::approval_namespace),
                                         pipeline::canonical_request(ballot.request, decision)));
  TRY_LET(candidate.key, ssh::public_key_in(candidate.signature));
  return candidate;
}

Status not_decided(const engine::Loaded& loaded, const std::string& run) {
  const auto& ending = loaded.history.ending;
  if (ending.empty()) return {};
  const auto text = loaded.history.finished.value("text", std::string());
  if (ending == "superseded")
    return fail(Fault::conflict,
                fmt::format("Refused: the plan of run {} no longer holds: {}. Make "
                            "a new one: belay {}",
                            run, text, loaded.plan.pipeline));
  if (ending == "expired")
    return fail(Fault::refused,
                fmt::format("Refused: the request of run {} has expired ({}); start the run again",
                            run, text));
  return fail(Fault::refused, fmt::format("Refused: run {} is decided already: {}{}", run, ending,
                                          text.empty() ? "" : ", " + text));
}

Result<pipeline::Vote> cast(app::Desk& desk, const std::string& run, const Candidate& candidate) {
  for (;;) {
    TRY_LET(auto loaded, engine::load_run(*desk.journal, run));
    TRY(not_decided(loaded, run));
    TRY_LET(auto ballot, pipeline::ballot_of(loaded.plan, loaded.history, run));
    ballot.others = other_requests(desk, run);
    if (!ballot.passed_at) ballot.why_changed = changed_meanwhile(desk, loaded.plan);
    ballot.superseded = ballot.superseded || !ballot.why_changed.empty();
    TRY_LET(auto vote, pipeline::judge_vote(ballot, candidate, desk.world().clock.now(),
                                            engine::verify_signature));
    Status done =
        desk.journal->append(run, loaded.history.last_seq,
                             {{"approval.vote", "", canonical(pipeline::to_json(vote)), 1}});
    if (done) return vote;
    if (done.error().fault != Fault::conflict) return std::move(done).error();
  }
}

}  // namespace belay::cli
