// SPDX-License-Identifier: Apache-2.0
// belay approve and belay reject: a reviewer's SSH signature over this plan of this run.
#include <fmt/format.h>

#include "base/ssh_signature.hpp"
#include "base/text.hpp"
#include "cli/session.hpp"
#include "engine/votes.hpp"
#include "pipeline/gate.hpp"

namespace belay::cli {

using pipeline::Ballot;
using pipeline::Candidate;
using pipeline::Decision;

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

Result<Candidate> candidate_of(const Args& args, const Ballot& ballot, Decision decision) {
  Candidate candidate;
  candidate.decision = decision;
  candidate.reason = args.get("--reason");
  if (const auto file = args.get("--signature"); !file.empty()) {
    TRY_LET(candidate.signature, read_file(file, 65536));
    auto key = ssh::public_key_in(candidate.signature);
    if (!key) {
      return fail(Fault::denied, fmt::format("Refused: {} cannot be a reviewer's signature: {}",
                                             file, key.error().message()));
    }
    candidate.key = std::move(*key);
    return candidate;
  }
  if (args.get("--key").empty()) {
    return fail(Fault::invalid,
                "sign with your SSH key: --key ~/.ssh/id_ed25519, or hand in --signature FILE made "
                "elsewhere");
  }
  const auto bytes = pipeline::canonical_request(ballot.request, decision);
  TRY_LET(candidate.signature,
          ssh::sign(args.get("--key"), std::string(pipeline::approval_namespace), bytes));
  TRY_LET(candidate.key, ssh::public_key_in(candidate.signature));
  return candidate;
}

Status still_open(const engine::Loaded& loaded, const std::string& run) {
  const auto& ending = loaded.history.ending;
  if (ending.empty()) return {};
  const auto text = loaded.history.finished.value("text", std::string());
  if (ending == "superseded")
    return fail(Fault::conflict,
                fmt::format("Refused: the plan of run {} no longer holds: {}. Make "
                            "a new one: belay deploy",
                            run, text));
  if (ending == "expired")
    return fail(Fault::refused,
                fmt::format("Refused: the request of run {} has expired ({}); start the run again",
                            run, text));
  return fail(Fault::refused, fmt::format("Refused: run {} is decided already: {}{}", run, ending,
                                          text.empty() ? "" : ", " + text));
}

// Judged again against whatever the run looks like when the vote is appended: somebody else may
// have voted, or the run may have ended, meanwhile.
Result<pipeline::Vote> cast(app::Desk& desk, const std::string& run, const Candidate& candidate) {
  for (;;) {
    TRY_LET(auto loaded, engine::load_run(*desk.journal, run));
    TRY(still_open(loaded, run));
    TRY_LET(auto ballot, pipeline::ballot_of(loaded.plan, loaded.history, run));
    ballot.others = other_requests(desk, run);
    TRY_LET(auto vote, pipeline::judge_vote(ballot, candidate, desk.world().clock.now(),
                                            engine::verify_signature));
    Status done =
        desk.journal->append(run, loaded.history.last_seq,
                             {{"approval.vote", "", canonical(pipeline::to_json(vote)), 1}});
    if (done) return vote;
    if (done.error().fault != Fault::conflict) return std::move(done).error();
  }
}

// A vote that does not count is one thing, a machine that cannot tell another.
int tell_of_vote(const Error& error) {
  return tell(error, error.text.starts_with("Refused: ") ? exit_approval : exit_failed);
}

int vote(Session& session, const Args& args, Decision decision) {
  auto opened = open(session, args);
  if (!opened) return tell(opened.error());
  auto& desk = *opened->desk;
  const auto run = args.word(0);
  auto loaded = engine::load_run(*desk.journal, run);
  if (!loaded) return tell(loaded.error());
  if (auto open_still = still_open(*loaded, run); !open_still)
    return tell_of_vote(open_still.error());
  auto ballot = pipeline::ballot_of(loaded->plan, loaded->history, run);
  if (!ballot) return tell(ballot.error());
  auto candidate = candidate_of(args, *ballot, decision);
  if (!candidate) return tell_of_vote(candidate.error());
  auto counted = cast(desk, run, *candidate);
  if (!counted) return tell_of_vote(counted.error());
  auto after = engine::load_run(*desk.journal, run);
  if (!after) return tell(after.error());
  ballot->votes = pipeline::votes_of(after->history);
  const auto state = pipeline::state_of(*ballot, desk.world().clock.now());
  fmt::print("{} {} run {} with {}. {}\n", counted->person,
             decision == Decision::approve ? "approved" : "refused", run,
             pipeline::key_for_people(counted->key), pipeline::gate_for_people(state));
  return exit_done;
}

int approve(Session& session, const Args& args) {
  return vote(session, args, Decision::approve);
}
int reject(Session& session, const Args& args) {
  return vote(session, args, Decision::reject);
}

}  // namespace

Command approve_command() {
  return {"approve",
          "sign a run's plan",
          "RUN",
          1,
          1,
          {{"--env", "ENV", "environment"},
           {"--key", "FILE", "your SSH private key (or the public one, when the agent has it)"},
           {"--signature", "FILE", "a signature made elsewhere over: belay show RUN --request"}},
          approve,
          manual_of("approve")};
}

Command reject_command() {
  return {"reject",
          "refuse a run, with a reason",
          "RUN",
          1,
          1,
          {{"--env", "ENV", "environment"},
           {"--key", "FILE", "your SSH private key"},
           {"--signature", "FILE",
            "a signature made elsewhere over: belay show RUN --request --reject"},
           {"--reason", "TEXT", "why"}},
          reject,
          manual_of("reject")};
}

}  // namespace belay::cli
