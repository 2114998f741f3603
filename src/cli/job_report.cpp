// SPDX-License-Identifier: Apache-2.0
#include "cli/job_report.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/screen.hpp"

namespace belay::cli {

using engine::Loaded;
using pipeline::StepRecord;

namespace {

std::string status_of(const Loaded& loaded, engine::RunState state) {
  if (!loaded.history.ending.empty()) return loaded.history.ending;
  switch (state) {
    case engine::RunState::waiting: return "waiting";
    case engine::RunState::needs_person: return "stopped";
    case engine::RunState::interrupted:
    case engine::RunState::finished: break;
  }
  return "interrupted";
}

bool rolled_back(const Loaded& loaded) {
  const auto& history = loaded.history;
  if (loaded.plan.pipeline == "deploy") return history.way_back && !history.ending.empty();
  return loaded.plan.pipeline != "apply" && history.ending == "done";
}

std::string seconds(Millis time) {
  return fmt::format("{:.1f}", static_cast<double>(time.count()) / 1000.0);
}

const char* yes_or_no(bool is) {
  return is ? "true" : "false";
}

// The last one that the run took, of its way there or back.
std::string restore_point_of(const Loaded& loaded) {
  std::string name;
  for (const auto* list : {&loaded.plan.steps, &loaded.plan.back}) {
    for (const auto& step : *list) {
      const auto* record = loaded.history.record(step.id);
      const bool done = record != nullptr && record->state == StepRecord::State::done;
      if (done && step.kind == "restore_point") name = record->result.value("point", name);
    }
  }
  return name;
}

const char* mark(StepRecord::State state) {
  switch (state) {
    case StepRecord::State::done: return "✓";
    case StepRecord::State::failed: return "✗";
    case StepRecord::State::begun: break;
  }
  return "…";
}

std::string row(const pipeline::Step& step, const StepRecord& record) {
  const bool failed = record.state == StepRecord::State::failed;
  auto what = failed ? record.error : record.result.value("summary", std::string());
  if (what.empty()) what = step.title;
  const auto took =
      record.ended > record.begun ? for_people(record.ended - record.begun) : std::string("-");
  return fmt::format("| {} | {} | {} | {} |\n", mark(record.state), markdown_text(step.id),
                     markdown_text(what), took);
}

std::string steps_table(const Loaded& loaded) {
  std::string out;
  for (const auto* list : {&loaded.plan.steps, &loaded.plan.back}) {
    for (const auto& step : *list) {
      if (const auto* record = loaded.history.record(step.id)) out += row(step, *record);
    }
  }
  return out.empty() ? out : "| | step | | took |\n|---|---|---|---|\n" + out + "\n";
}

std::string folded_plan(const pipeline::Plan& plan) {
  return fmt::format("<details><summary>The plan, digest {}</summary>\n\n{}\n</details>\n\n",
                     pipeline::digest(plan).substr(0, 16),
                     markdown_block(plan_for_people(plan, "")));
}

std::string headline(const pipeline::Plan& plan, const std::string& run, const std::string& state) {
  return fmt::format("### {} {} {}: {}{}\n\n", markdown_text(plan.pipeline),
                     plan.pipeline == "deploy" ? "to" : "in", markdown_text(plan.environment),
                     state, run.empty() ? "" : " (run " + markdown_text(run) + ")");
}

}  // namespace

Outputs addresses(const engine::Site& site) {
  Outputs out;
  for (const auto& placed : site.env().services) {
    const auto url = site.url_of(placed.service);
    if (!url.empty()) out.emplace_back(placed.service + "_url", url);
  }
  return out;
}

Outputs outputs_of(const std::string& run, const Loaded& loaded, engine::RunState state) {
  Outputs out{{"run_id", run},
              {"release_tag", loaded.plan.release},
              {"status", status_of(loaded, state)},
              {"rolled_back", yes_or_no(rolled_back(loaded))},
              {"digest", pipeline::digest(loaded.plan)},
              {"restore_point", restore_point_of(loaded)}};
  const auto durations = durations_of(loaded);
  if (durations.deployment) out.emplace_back("deployment_seconds", seconds(*durations.deployment));
  if (durations.rollback) out.emplace_back("rollback_seconds", seconds(*durations.rollback));
  if (durations.within_budget)
    out.emplace_back("within_budget", yes_or_no(*durations.within_budget));
  return out;
}

std::string summary_of(const std::string& run, const Loaded& loaded) {
  const auto& history = loaded.history;
  const auto state = history.stopped          ? "stopped, a person is needed"
                     : history.ending.empty() ? "not finished"
                                              : markdown_text(history.ending);
  return headline(loaded.plan, run, state) +
         markdown_block(std::string(trim(ending_for_people(run, loaded)))) + "\n" +
         steps_table(loaded) + folded_plan(loaded.plan);
}

std::string summary_of(const pipeline::Plan& plan, const std::string& run) {
  return headline(plan, run, "the plan") + markdown_block(plan_for_people(plan, "")) +
         fmt::format("\nDigest `{}`\n\n", pipeline::digest(plan));
}

void tell(Job& job, const Outputs& outputs) {
  for (const auto& [name, value] : outputs) job.output(name, value);
}

}  // namespace belay::cli
