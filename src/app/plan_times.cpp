// SPDX-License-Identifier: Apache-2.0
// How long things took in earlier runs, and what follows from that for a plan.
#include <fmt/format.h>

#include <set>

#include "app/plan_sources.hpp"
#include "base/text.hpp"

namespace belay::app {

using pipeline::Plan;
using pipeline::Step;

namespace {

constexpr int runs_looked_at = 20;
constexpr int runs_counted = 5;

using Times = std::map<std::string, std::vector<std::int64_t>>;

Json medians(Times taken) {
  Json out = Json::object();
  for (auto& [step, times] : taken) {
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    out[step] = *middle;
  }
  return out;
}

// Calls back with every step that succeeded in a finished run, newest run first.
template <class Take>
void each_step(Desk& desk, const std::string& environment, const Take& take) {
  auto rows = desk.journal->runs(environment, runs_looked_at);
  for (const auto& row : rows ? *rows : std::vector<journal::RunRow>{}) {
    if (row.state == "open") continue;
    auto loaded = engine::load_run(*desk.journal, row.run);
    if (!loaded) continue;
    for (const auto& event : loaded->events) {
      if (event.kind != "step.outcome" || !event.body.value("ok", false)) continue;
      take(row, event.body.value("step", std::string()), event.body.value("ms", std::int64_t{0}));
    }
  }
}

// "back:switch" and "switch" move the same traffic.
std::string kind_of_way(const std::string& step) {
  return step.starts_with("back:") ? step.substr(5) : step;
}

bool is_waiting(const Step& step) {
  return step.kind == "approve" || step.kind == "lock" || step.kind == "ask";
}

// Of these steps together; nothing while the switch or the rewind among them was never measured.
std::optional<Millis> expected(const std::vector<Step>& steps, const Json& times) {
  Millis all{0};
  for (const auto& step : steps) {
    if (is_waiting(step)) continue;
    const auto at = times.find(kind_of_way(step.id));
    const bool matters = step.kind == "switch" || step.kind == "rewind";
    if (at == times.end() && matters) return std::nullopt;
    if (at != times.end()) all += Millis(at->get<std::int64_t>());
  }
  return all;
}

// Who goes on writing while data goes back, although others are held; or would, if it went back.
std::string not_held(const Plan& plan, const pipeline::EnvironmentSpec& env) {
  const bool deploy = plan.pipeline == "deploy";
  const auto& steps = deploy ? plan.back : plan.steps;
  const auto has = [&](const char* kind) {
    return std::any_of(steps.begin(), steps.end(),
                       [kind](const Step& step) { return step.kind == kind; });
  };
  const bool fenced = plan.first_of("hold") != nullptr;
  // Without any fence a plan of the way back says more than this.
  if ((!has("rewind") && !(deploy && fenced)) || (!deploy && !fenced)) return {};
  std::vector<std::string> names;
  for (const auto& placed : env.services) {
    const bool command = placed.target == pipeline::Placement::Target::command;
    if ((is_hosted(placed) && !placed.hold) || command) names.push_back(placed.service);
  }
  if (names.empty()) return {};
  return fmt::format("{} {} not held back from writing {}: {}", join(names, ", "),
                     names.size() == 1 ? "is" : "are",
                     deploy && fenced ? "from hold to lift, nor if the data goes back"
                     : deploy         ? "if the data goes back"
                                      : "while the data goes back",
                     "stop what writes there by hand");
}

}  // namespace

// What steps took in earlier runs of the same pipeline.
Json estimates(Desk& desk, const Plan& plan) {
  Times taken;
  std::set<std::string> used;
  each_step(desk, plan.environment,
            [&](const journal::RunRow& row, const std::string& step, std::int64_t ms) {
              if (row.pipeline != plan.pipeline) return;
              if (used.insert(row.run).second && used.size() > runs_counted) return;
              if (taken[step].size() < runs_counted) taken[step].push_back(ms);
            });
  return medians(std::move(taken));
}

Json times_back(Desk& desk, const std::string& environment) {
  Times taken;
  each_step(desk, environment,
            [&](const journal::RunRow& row, const std::string& step, std::int64_t ms) {
              // A deploy's own switch moves to a version that was just built and started.
              if (row.pipeline == "deploy" && !step.starts_with("back:")) return;
              auto& times = taken[kind_of_way(step)];
              if (times.size() < runs_counted) times.push_back(ms);
            });
  return medians(std::move(taken));
}

Json warnings_of(const Plan& plan, const pipeline::EnvironmentSpec& env) {
  Json out = Json::array();
  const bool back = plan.pipeline != "deploy";
  const auto time =
      expected(back ? plan.steps : plan.back, plan.notes.value("times_back", Json::object()));
  if (time && *time > env.rollback.budget) {
    out.push_back(fmt::format("{} about {} by earlier runs; rollback.budget is {}",
                              back ? "this takes" : "going back takes", for_people(*time),
                              belay::to_text(env.rollback.budget)));
  }
  const bool migrates = plan.first_of("migrate") != nullptr;
  const bool overlap = migrates && !plan.live.empty() && plan.first_of("hold") == nullptr;
  if (overlap) {
    out.push_back(fmt::format(
        "until the switch the old code meets the migrated data{}",
        env.strategy == pipeline::Strategy::all_at_once
            ? ": no service is behind Belay's proxy, so nobody can be held"
            : "; for a migration that it cannot bear: strategy: all_at_once, where customers' "
              "requests wait from before the migration until after the switch"));
  }
  if (auto text = not_held(plan, env); !text.empty()) out.push_back(std::move(text));
  return out;
}

}  // namespace belay::app
