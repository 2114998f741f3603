// SPDX-License-Identifier: Apache-2.0
// belay status and belay history: what is live, what runs, what was.
#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/session.hpp"
#include "engine/releases.hpp"

namespace belay::cli {

namespace {

Result<std::unique_ptr<app::Desk>> open_all(Session& session) {
  TRY_LET(auto project, app::load_project(session.file, session.here, session.env));
  return app::open_desk(std::move(project));
}

Json environment_json(const std::string& name, const engine::Releases& releases) {
  Json out{{"environment", name}, {"live", nullptr}};
  if (releases.live) {
    out["live"] = {{"release", releases.live->tag},
                   {"commit", releases.live->commit},
                   {"since", to_text(releases.live_since)},
                   {"run", releases.live_run}};
  }
  return out;
}

void print_environment(app::Desk& desk, const std::string& name, const engine::Releases& releases) {
  if (!releases.live) {
    fmt::print("{:<12} nothing is live\n", name);
    return;
  }
  const auto age = desk.world().clock.now() - releases.live_since;
  fmt::print("{:<12} {}  {}  for {}  \"{}\"\n", name, releases.live->tag,
             releases.live->commit.substr(0, 7), for_people(age), releases.live->subject);
}

int status(Session& session, const Args&) {
  auto desk = open_all(session);
  if (!desk) return tell(desk.error());
  Json out{{"state", (*desk)->project.places.state.string()},
           {"environments", Json::array()},
           {"open_runs", Json::array()}};
  for (const auto& env : (*desk)->project.spec.environments) {
    auto releases = engine::read_releases(*(*desk)->journal, env.name);
    if (!releases) return tell(releases.error());
    out["environments"].push_back(environment_json(env.name, *releases));
    if (!session.json) print_environment(**desk, env.name, *releases);
  }
  auto open_runs = (*desk)->journal->open_runs();
  if (!open_runs) return tell(open_runs.error());
  for (const auto& row : *open_runs) {
    out["open_runs"].push_back(
        {{"run", row.run}, {"pipeline", row.pipeline}, {"environment", row.environment}});
    if (!session.json)
      fmt::print("run {:<8} {} in {}, since {}\n", row.run, row.pipeline, row.environment,
                 to_text(row.created));
  }
  auto locks = (*desk)->journal->locks();
  for (const auto& lock : locks ? *locks : std::vector<journal::Lock>{}) {
    if (!session.json)
      fmt::print("lock         {} is held by run {} since {}\n", lock.environment, lock.run,
                 to_text(lock.since));
  }
  if (session.json)
    fmt::print("{}\n", canonical(out));
  else
    fmt::print("state        {}{}\n", (*desk)->project.places.state.string(),
               agent_is_running(**desk) ? "  (an agent is at work)" : "");
  return exit_done;
}

int history(Session& session, const Args& args) {
  auto desk = open_all(session);
  if (!desk) return tell(desk.error());
  auto rows = (*desk)->journal->runs(args.get("--env"), 50);
  if (!rows) return tell(rows.error());
  if (rows->empty() && !session.json) put("no runs yet; what a deploy would do: belay plan\n");
  for (const auto& row : *rows) {
    auto summary = parse_json(row.summary.empty() ? "{}" : row.summary);
    const Json facts = summary ? *summary : Json::object();
    if (session.json) {
      fmt::print("{}\n", canonical({{"run", row.run},
                                    {"pipeline", row.pipeline},
                                    {"environment", row.environment},
                                    {"state", row.state},
                                    {"created", to_text(row.created)},
                                    {"summary", facts}}));
      continue;
    }
    fmt::print("{:>5}  {}  {:<9} {:<11} {:<12} {:<22} {}\n", row.run,
               to_text(row.created).substr(0, 19), row.pipeline, row.environment, row.state,
               facts.value("release", ""), facts.value("subject", ""));
  }
  return exit_done;
}

}  // namespace

Command status_command() {
  return {"status",           "what is live, what runs, what waits for whom", "", 0, 0, {}, status,
          manual_of("status")};
}
Command history_command() {
  return {"history", "releases and runs, newest first",           "",      0,
          0,         {{"--env", "ENV", "only this environment"}}, history, manual_of("history")};
}

}  // namespace belay::cli
