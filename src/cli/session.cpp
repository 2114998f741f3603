// SPDX-License-Identifier: Apache-2.0
#include "cli/session.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

#include "app/agent_service.hpp"
#include "app/plan_sources.hpp"
#include "app/planner.hpp"
#include "base/text.hpp"
#include "cli/job.hpp"
#include "pipeline/decide.hpp"

namespace belay::cli {

namespace {

std::string first_environment(const pipeline::Spec& spec) {
  return spec.environments.size() == 1 ? spec.environments.front().name : std::string();
}

}  // namespace

Exit exit_for(const Error& error) {
  switch (error.fault) {
    case Fault::invalid:
    case Fault::missing: return exit_usage;  // no such run, tag, file, secret, program
    case Fault::busy: return exit_busy;
    case Fault::conflict:
    case Fault::denied:
    case Fault::timeout:
    case Fault::unreachable:
    case Fault::refused:
    case Fault::corrupt:
    case Fault::cancelled:
    case Fault::internal: break;
  }
  return exit_failed;
}

int tell(const Error& error, Exit code) {
  std::fputs((printable(trim(error.message()), true) + "\n").c_str(), stderr);
  return code == exit_failed ? exit_for(error) : code;
}

namespace {

// Neither the run that the command is about, nor one that somebody is at work on.
void name_unfinished(const app::Desk& desk, const std::string& but_run) {
  if (agent_is_running(desk)) return;
  auto rows = desk.journal->open_runs();
  for (const auto& row : rows ? *rows : std::vector<journal::RunRow>{}) {
    if (row.run == but_run || !desk.claims->is_free(row.run)) continue;
    std::fputs(
        fmt::format("Run {} ({} in {}) is not finished: belay resume {}, or belay cancel {}\n",
                    row.run, row.pipeline, row.environment, row.run, row.run)
            .c_str(),
        stderr);
  }
}

}  // namespace

namespace {

Result<app::Project> project_here(const Session& session) {
  TRY_LET(auto project, app::load_project(session.file, session.here, session.env));
  project.on_secret = hears(session);
  return project;
}

}  // namespace

app::OnSecret hears(const Session& session) {
  if (session.job == nullptr) return {};
  return [job = session.job](const Secret& secret) { job->mask(secret); };
}

Result<std::unique_ptr<app::Desk>> open_state(Session& session, const Args& args,
                                              app::Opening opening) {
  TRY_LET(auto project, project_here(session));
  TRY_LET(auto desk, app::open_desk(std::move(project), opening));
  name_unfinished(*desk, args.word(0));
  return desk;
}

Result<Opened> open(Session& session, const Args& args, app::Opening opening) {
  TRY_LET(auto project, project_here(session));
  Opened opened;
  opened.environment = args.get("--env", first_environment(project.spec));
  if (opened.environment.empty()) {
    opened.environment = project.spec.environment("production") != nullptr ? "production" : "";
  }
  if (opened.environment.empty()) {
    std::vector<std::string> names;
    for (const auto& one : project.spec.environments) names.push_back(one.name);
    return fail(Fault::invalid, "which environment? --env one of: " + join(names, ", "));
  }
  TRY(app::environment_of(project.spec, opened.environment));
  TRY_LET(opened.desk, app::open_desk(std::move(project), opening));
  name_unfinished(*opened.desk, args.word(0));
  return opened;
}

Result<bool> agree(const Session& session, const std::string& question,
                   const std::string& expected) {
  if (session.yes) return true;
  if (!session.terminal.ask) {
    return fail(Fault::denied,
                question + "\nthere is no terminal to ask on; to agree beforehand, add --yes");
  }
  fmt::print("{} [type {}] ", question, expected);
  std::fflush(stdout);
  std::string answer;
  if (std::getline(std::cin, answer) && trim(answer) == expected) return true;
  put("Not agreed.\n");
  return false;
}

bool agent_is_running(const app::Desk& desk) {
  return app::agent_at_work(desk.project.places);
}

namespace {

bool waits_for_a_lock(const engine::Loaded& loaded) {
  const auto next = pipeline::decide(loaded.plan, loaded.history, loaded.history.last_at);
  return std::holds_alternative<pipeline::TakeLock>(next);
}

// Documents that were not put back, because somebody changed them since.
bool left_something(const pipeline::History& history) {
  const auto* apply = history.record("apply");
  return apply != nullptr && apply->result.value("left_alone", 0U) > 0;
}

}  // namespace

int exit_of(const engine::Loaded& loaded, engine::RunState state) {
  switch (state) {
    case engine::RunState::interrupted: return exit_interrupted;
    case engine::RunState::waiting: return waits_for_a_lock(loaded) ? exit_busy : exit_approval;
    case engine::RunState::needs_person: return exit_needs_person;
    case engine::RunState::finished: break;
  }
  const auto& ending = loaded.history.ending;
  if (ending == "done") return left_something(loaded.history) ? exit_failed : exit_done;
  if (ending == "refused" || ending == "expired") return exit_approval;
  if (ending == "busy") return exit_busy;
  return exit_failed;
}

int begin_run(Session& session, app::Desk& desk, const pipeline::Plan& plan, bool wait,
              const std::function<int(const std::string& run)>& made) {
  if (auto works = app::wire_run(desk, plan); !works) return tell(works.error(), exit_usage);
  auto run = desk.journal->create_run({"run.created", "", canonical(app::created_body(plan)), 1});
  if (!run) return tell(run.error());
  if (const int code = made ? made(*run) : exit_done; code != exit_done) return code;
  return drive_or_follow(session, desk, *run, wait);
}

void show_fresh_key(const app::FreshKey& key) {
  const bool person = ::isatty(STDERR_FILENO) == 1;
  const auto shown = person ? "  shown only this once: " + key.key.reveal() + "\n" : "";
  std::fputs(
      fmt::format("A vault key was made: {}\n{}  Keep a copy elsewhere: without it no restore "
                  "point can be read.\n",
                  key.path.string(), shown)
          .c_str(),
      stderr);
}

Result<std::unique_ptr<app::Works>> wire_to_drive(app::Desk& desk, const pipeline::Plan& plan) {
  TRY_LET(auto works, app::wire_run(desk, plan));
  if (!works->vault_absent) return works;
  TRY_LET(auto fresh, app::make_vault_key(desk, plan).in("vault.key"));
  if (fresh) show_fresh_key(*fresh);
  return app::wire_run(desk, plan);
}

}  // namespace belay::cli
