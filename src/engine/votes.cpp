// SPDX-License-Identifier: Apache-2.0
#include "engine/votes.hpp"

#include <fmt/format.h>

#include "base/ssh_signature.hpp"
#include "engine/releases.hpp"

namespace belay::engine {

Result<bool> verify_signature(const std::string& key, std::string_view bytes,
                              const std::string& signature) {
  // What can be told from the text alone first: everything after it is about this machine.
  if (!ssh::fingerprint(key) || !ssh::public_key_in(signature)) return false;
  return ssh::verify(key, std::string(pipeline::approval_namespace), bytes, signature)
      .in("cannot check a signature");
}

journal::NewEvent gate_opened(const pipeline::OpenGate& gate, World& world) {
  return make_event("approval.requested",
                    {{"step", gate.step},
                     {"nonce", world.random.hex(16)},
                     {"not_after", to_text(world.clock.now() + gate.expires)}});
}

Status open_gate(journal::Journal& journal, World& world, const std::string& run) {
  for (;;) {
    TRY_LET(auto loaded, load_run(journal, run));
    const auto next = pipeline::decide(loaded.plan, loaded.history, world.clock.now());
    const auto* gate = std::get_if<pipeline::OpenGate>(&next);
    if (gate == nullptr) return {};
    Status done = journal.append(run, loaded.history.last_seq, {gate_opened(*gate, world)});
    if (done || done.error().fault != Fault::conflict) return done;
  }
}

Result<std::string> why_changed(journal::Journal& journal, source::Source* source,
                                const pipeline::Plan& plan) {
  TRY_LET(auto releases, read_releases(journal, plan.environment));
  const std::string live = releases.live ? releases.live->tag : "";
  if (live != plan.live) {
    return fmt::format("{} is live now, and the plan was made over {}",
                       live.empty() ? "nothing" : live, plan.live.empty() ? "nothing" : plan.live);
  }
  if (plan.pipeline != "deploy" || source == nullptr) return std::string();
  TRY_LET(auto commit, source->resolve(plan.ref));
  if (commit.id == plan.commit) return std::string();
  return fmt::format("{} moved from {} to {}", plan.ref, plan.commit.substr(0, 7),
                     commit.id.substr(0, 7));
}

}  // namespace belay::engine
