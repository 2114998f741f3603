// SPDX-License-Identifier: Apache-2.0
// What commands have in common: errors told, the project opened, questions asked, runs driven.
#pragma once

#include <functional>

#include "app/vault_key.hpp"
#include "app/wire.hpp"
#include "cli/cli.hpp"
#include "cli/screen.hpp"
#include "engine/runner.hpp"

namespace belay::cli {

// Tells the error on standard error and gives the exit code for its fault.
int tell(const Error& error, Exit code = exit_failed);
Exit exit_for(const Error& error);

// Who has to hear of secrets before they are used: the job that this is, if it is one.
app::OnSecret hears(const Session& session);

// belay.yaml and the state; the environment is the given one, or the only one there is.
struct Opened {
  std::unique_ptr<app::Desk> desk;
  std::string environment;
};
Result<Opened> open(Session& session, const Args& args,
                    app::Opening opening = app::Opening::to_act);
// Without an environment. Both name, on standard error, the unfinished runs that nobody drives, so
// that none is forgotten.
Result<std::unique_ptr<app::Desk>> open_state(Session& session, const Args& args,
                                              app::Opening opening = app::Opening::to_act);

// True when the person agrees. Without a terminal: --yes, else denied with the way to say it.
Result<bool> agree(const Session& session, const std::string& question,
                   const std::string& expected = "yes");

// Drives the run here, or follows it while somebody else does. Ends with the run's exit code; 6,
// naming `belay resume`, when the run is not finished and cannot go on here.
int drive_or_follow(Session& session, app::Desk& desk, const std::string& run, bool wait = true);

// Makes the run of this plan and drives it. Everything that the run will need is wired before it
// exists: a missing secret is named now. `made` sees the run before it is driven; what it returns,
// unless exit_done, is the end of it here.
int begin_run(Session& session, app::Desk& desk, const pipeline::Plan& plan, bool wait,
              const std::function<int(const std::string& run)>& made = {});

// Makes the run of this plan, has its tests run, and leaves it: `belay resume RUN` goes on, on any
// machine that has the journal. Needs no secret of database, store or platform. exit_done when it
// is left, else the end that it has come to.
int make_for_later(Session& session, app::Desk& desk, const pipeline::Plan& plan);

// Says how a drive of the run has come to its end, or why it is not over. The run's exit code.
int tell_end(Session& session, app::Desk& desk, const std::string& run, engine::RunState state);

// For a run that is about to be driven here: with the key of the vault that its first restore point
// makes, which is shown once.
Result<std::unique_ptr<app::Works>> wire_to_drive(app::Desk& desk, const pipeline::Plan& plan);
// On standard error, never among a run's lines: the key itself on a terminal, else where it is.
void show_fresh_key(const app::FreshKey& key);

// Asks on the terminal what the run has stopped for, and writes the answer into its journal. False
// when there is no question, no terminal, or no answer: then the run stays as it is.
bool answer_question(const Session& session, app::Desk& desk, const std::string& run);

bool agent_is_running(const app::Desk& desk);

// For a finished, stopped or waiting run.
int exit_of(const engine::Loaded& loaded, engine::RunState state);

}  // namespace belay::cli
