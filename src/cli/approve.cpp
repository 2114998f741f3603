// SPDX-License-Identifier: Apache-2.0
// belay approve and belay reject: a reviewer's SSH signature over this plan of this run.
#include <fmt/format.h>

#include "base/ssh_signature.hpp"
#include "cli/voting.hpp"
#include "pipeline/gate.hpp"

namespace belay::cli {

using pipeline::Ballot;
using pipeline::Candidate;
using pipeline::Decision;

namespace {

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
  TRY_LET(auto own, signed_with(args.get("--key"), ballot, decision));
  own.reason = candidate.reason;
  return own;
}

int vote(Session& session, const Args& args, Decision decision) {
  auto opened = open(session, args);
  if (!opened) return tell(opened.error());
  auto& desk = *opened->desk;
  const auto run = args.word(0);
  auto loaded = engine::load_run(*desk.journal, run);
  if (!loaded) return tell(loaded.error());
  if (auto decided = not_decided(*loaded, run); !decided) return tell_of_vote(decided.error());
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
  if (session.json) {
    fmt::print("{}\n", canonical({{"run", run},
                                  {"person", counted->person},
                                  {"decision", pipeline::to_string(decision)},
                                  {"key", counted->key},
                                  {"approved", state.approved},
                                  {"missing", state.missing},
                                  {"needed", state.needed},
                                  {"gate", pipeline::gate_for_people(state)}}));
    return exit_done;
  }
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
