// SPDX-License-Identifier: Apache-2.0
// belay status and belay history: what is live, what runs, what was.
#include <fmt/format.h>

#include "app/plan_sources.hpp"
#include "base/text.hpp"
#include "cli/job.hpp"
#include "cli/session.hpp"
#include "pipeline/decide.hpp"

namespace belay::cli {

namespace {

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
             releases.live->commit.substr(0, 7), for_people(age),
             printable(releases.live->subject));
}

// What holds an unfinished run up, from its journal: people, a time, a lock, nobody.
struct Holdup {
  std::string state;  // "stopped", "waits", "in progress"
  std::string text;
};

Holdup holdup_of(const app::Desk& desk, const engine::Loaded& loaded,
                 const std::vector<journal::Lock>& locks) {
  if (loaded.history.stopped) return {"stopped", *loaded.history.stopped};
  const auto next = pipeline::decide(loaded.plan, loaded.history, desk.world().clock.now());
  if (const auto* wait = std::get_if<pipeline::Wait>(&next)) {
    const auto until = wait->until ? ", until " + to_text(*wait->until) + " at the latest" : "";
    return {"waits", wait->what + until};
  }
  if (!std::holds_alternative<pipeline::TakeLock>(next)) return {"in progress", ""};
  for (const auto& lock : locks) {
    if (lock.environment == loaded.plan.environment)
      return {"waits", fmt::format("for {}, which run {} holds", lock.environment, lock.run)};
  }
  return {"in progress", ""};
}

Json run_json(const app::Desk& desk, const journal::RunRow& row,
              const std::vector<journal::Lock>& locks, bool agent) {
  Json out{{"run", row.run},
           {"pipeline", row.pipeline},
           {"environment", row.environment},
           {"since", to_text(row.created)},
           {"driven", !desk.claims->is_free(row.run)}};
  auto loaded = engine::load_run(*desk.journal, row.run);
  const Holdup holdup =
      loaded ? holdup_of(desk, *loaded, locks) : Holdup{"unreadable", loaded.error().message()};
  out["state"] = holdup.state;
  out["text"] = holdup.text;
  if (holdup.state == "in progress" && !agent && !out["driven"].get<bool>())
    out["text"] = "nobody drives it: belay resume " + row.run;
  return out;
}

void print_run(const Json& run) {
  const auto text = [&](const char* member) { return run.at(member).get<std::string>(); };
  fmt::print("run {:<8} {} in {}, since {}\n", text("run"), text("pipeline"), text("environment"),
             text("since"));
  const auto why = text("text");
  fmt::print("             {}{}\n", text("state"), why.empty() ? "" : ": " + why);
}

int status(Session& session, const Args& args) {
  auto desk = open_state(session, args, app::Opening::to_look);
  if (!desk) return tell(desk.error());
  const auto& journal = (*desk)->journal;
  const bool agent = agent_is_running(**desk);
  Json out{{"state", (*desk)->project.places.state.string()},
           {"agent", agent},
           {"environments", Json::array()},
           {"open_runs", Json::array()},
           {"locks", Json::array()}};
  for (const auto& env : (*desk)->project.spec.environments) {
    auto releases = app::releases_of(**desk, env.name);
    if (!releases) return tell(releases.error());
    out["environments"].push_back(environment_json(env.name, *releases));
    if (!session.json) print_environment(**desk, env.name, *releases);
  }
  auto open_runs = journal->open_runs();
  if (!open_runs) return tell(open_runs.error());
  auto locks = journal->locks();
  if (!locks) return tell(locks.error());
  for (const auto& row : *open_runs) {
    out["open_runs"].push_back(run_json(**desk, row, *locks, agent));
    if (!session.json) print_run(out["open_runs"].back());
  }
  for (const auto& lock : *locks) {
    out["locks"].push_back(
        {{"environment", lock.environment}, {"run", lock.run}, {"since", to_text(lock.since)}});
    if (!session.json)
      fmt::print("lock         {} is held by run {} since {}\n", lock.environment, lock.run,
                 to_text(lock.since));
  }
  if (session.job != nullptr) {
    for (const auto& lock : *locks) session.job->output(lock.environment + "_held_by", lock.run);
  }
  if (session.json)
    fmt::print("{}\n", canonical(out));
  else
    fmt::print("state        {}{}\n", (*desk)->project.places.state.string(),
               agent ? "  (an agent is at work)" : "");
  return exit_done;
}

int history(Session& session, const Args& args) {
  auto desk = open_state(session, args, app::Opening::to_look);
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
               printable(facts.value("release", "")), printable(facts.value("subject", "")));
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
