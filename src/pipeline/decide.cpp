// SPDX-License-Identifier: Apache-2.0
#include "pipeline/decide.hpp"

#include <fmt/format.h>

#include "pipeline/gate.hpp"

namespace belay::pipeline {

namespace {

using State = StepRecord::State;

bool is_gate(const Step& step) {
  return step.kind == "approve" || step.kind == "lock";
}

std::vector<std::string> unresolved(const Plan& plan, const History& history) {
  std::vector<std::string> open;
  for (const auto* list : {&plan.steps, &plan.back}) {
    for (const auto& step : *list) {
      const auto* record = history.record(step.id);
      if (record != nullptr && record->state == State::begun) open.push_back(step.id);
    }
  }
  return open;
}

const Step* first_failed(const Plan& plan, const History& history) {
  for (const auto& step : plan.steps) {
    const auto* record = history.record(step.id);
    if (record != nullptr && record->state == State::failed) return &step;
  }
  return nullptr;
}

// A failure, or a cancel, before anything was touched simply ends the run.
Next ended_untouched(const Step* failed, const History& history) {
  if (history.superseded_by) return Finish{"superseded", *history.cancelled};
  if (failed == nullptr) return Finish{"cancelled", *history.cancelled};
  const auto* record = history.record(failed->id);
  if (failed->kind == "recheck" && record->fault == to_string(Fault::conflict)) {
    return Finish{"superseded", record->error};
  }
  if (record->fault == to_string(Fault::cancelled) && history.cancelled) {
    return Finish{"cancelled", *history.cancelled};
  }
  return Finish{"failed", failed->id + ": " + record->error};
}

// Nothing is taken back unasked. Resuming tries the failed step again, but never a migration: how
// far that came nobody knows.
Next stay(const Step& failed, const History& history, const std::string& because) {
  const bool again = failed.kind != "migrate";
  if (again && !history.attempts_since_resume.contains(failed.id)) return Perform{{failed.id}};
  return Stop{because + "; rollback.auto is off, so nothing was taken back; " +
              (again ? "belay resume tries it again, " : "") + "belay cancel takes it back"};
}

// A plan without a way back: what it did is as it should be, as far as it came.
Next leave_it(const Step* failed, const History& history) {
  if (history.cancelled) return Finish{"cancelled", *history.cancelled};
  if (!history.attempts_since_resume.contains(failed->id)) return Perform{{failed->id}};
  return Stop{failed->id + ": " + history.record(failed->id)->error +
              "; what it did stays; belay resume goes on with it, belay cancel leaves it so"};
}

Next turn_back(const Plan& plan, const History& history, const Step* failed) {
  if (plan.back.empty()) return leave_it(failed, history);
  const std::string because = failed != nullptr
                                  ? failed->id + ": " + history.record(failed->id)->error
                                  : "cancelled: " + *history.cancelled;
  const bool automatic = plan.facts.value("automatic_rollback", true) || history.cancelled;
  return automatic ? Next(GoBack{because}) : stay(*failed, history, because);
}

bool ready(const Step& step, const History& history) {
  return !history.begun(step.id) && std::all_of(step.after.begin(), step.after.end(),
                                                [&](const auto& id) { return history.done(id); });
}

Next pass_gate(const Plan& plan, const Step& gate, const History& history, TimePoint now) {
  if (gate.kind == "lock") {
    if (auto held = hold_at_lock(plan, history, now)) return std::move(*held);
    return TakeLock{gate.id};
  }
  return decide_gate(plan, gate, history, now);
}

// "Done" is said of what was done, never of a plan that no step of can go on.
Next all_done(const Plan& plan, const History& history) {
  for (const auto& step : plan.steps) {
    if (history.done(step.id)) continue;
    const auto missing = std::find_if_not(step.after.begin(), step.after.end(),
                                          [&](const auto& id) { return history.done(id); });
    return Stop{fmt::format("{} waits for {}, which will never be done", step.id, *missing)};
  }
  return Finish{"done", ""};
}

Next forward(const Plan& plan, const History& history, TimePoint now) {
  const Step* failed = first_failed(plan, history);
  if (failed != nullptr || history.cancelled) {
    return changed(plan, history) ? turn_back(plan, history, failed)
                                  : ended_untouched(failed, history);
  }
  Perform perform;
  const Step* gate = nullptr;
  for (const auto& step : plan.steps) {
    if (!ready(step, history)) continue;
    if (!is_gate(step))
      perform.steps.push_back(step.id);
    else if (gate == nullptr)
      gate = &step;
  }
  if (!perform.steps.empty()) return perform;
  if (gate != nullptr) return pass_gate(plan, *gate, history, now);
  return all_done(plan, history);
}

Next try_again(const Step& step, const StepRecord& record, const History& history, TimePoint now) {
  const auto at = history.attempts_since_resume.find(step.id);
  const int attempts = at == history.attempts_since_resume.end() ? 0 : at->second;
  if (attempts >= way_back_attempts) {
    return Stop{
        fmt::format("{} failed {} times on the way back: {}", step.id, attempts, record.error)};
  }
  const auto due = record.ended + way_back_pause(attempts);
  if (now < due) return Wait{due, step.id + " failed and is tried again: " + record.error, step.id};
  return Perform{{step.id}};
}

// By a person, or because there is nothing to ask about.
bool answered(const Plan& plan, const History& history) {
  return history.data_answer || nothing_to_take_back(plan, history);
}

bool keeps_data(const Plan& plan, const History& history) {
  return history.data_answer ? !*history.data_answer : nothing_to_take_back(plan, history);
}

// How the run ends when the way back is done.
Finish came_back(const Plan& plan, const History& history) {
  const bool was_up = !plan.live.empty() || plan.pipeline != "deploy";
  if (!was_up) return {"failed", *history.way_back};
  return {"rolled_back", *history.way_back};
}

// Steps of the way back that name what they come after need not wait for the rest.
Perform with_those_beside(const Step& first, const std::vector<const Step*>& steps,
                          const History& history) {
  Perform perform{{first.id}};
  for (const Step* step : steps) {
    if (step != &first && !step->after.empty() && ready(*step, history))
      perform.steps.push_back(step->id);
  }
  return perform;
}

Next backward(const Plan& plan, const History& history, TimePoint now) {
  const auto steps = way_back(plan, history);
  for (const Step* step : steps) {
    const auto* record = history.record(step->id);
    if (record != nullptr && record->state == State::done) continue;
    if (step->kind == "ask") {
      if (answered(plan, history)) continue;
      return Stop{step->title};
    }
    if (record == nullptr) return with_those_beside(*step, steps, history);
    return try_again(*step, *record, history, now);
  }
  return came_back(plan, history);
}

}  // namespace

Millis way_back_pause(int attempt) {
  return Millis(1000) * (attempt * attempt);
}

bool changed(const Plan& plan, const History& history) {
  return std::any_of(plan.steps.begin(), plan.steps.end(),
                     [&](const Step& step) { return step.changes && history.begun(step.id); });
}

bool nothing_to_take_back(const Plan& plan, const History& history) {
  return std::any_of(plan.back.begin(), plan.back.end(), [&](const Step& step) {
    if (step.kind != "preview" || !history.done(step.id)) return false;
    const auto& result = history.record(step.id)->result;
    return result.contains("differences") && result["differences"].empty();
  });
}

const Step* open_question(const Plan& plan, const History& history) {
  if (!history.way_back || !history.ending.empty()) return nullptr;
  for (const Step* step : way_back(plan, history)) {
    if (history.done(step->id)) continue;
    if (step->kind != "ask") return nullptr;
    if (!answered(plan, history)) return step;
  }
  return nullptr;
}

bool fenced(const Plan& plan, const History& history) {
  std::optional<TimePoint> held, lifted;
  for (const auto* list : {&plan.steps, &plan.back}) {
    for (const auto& step : *list) {
      const auto* record = history.record(step.id);
      if (record == nullptr) continue;
      if (step.kind == "hold") held = std::max(held.value_or(record->tried), record->tried);
      if (step.kind == "lift" && record->state == State::done)
        lifted = std::max(lifted.value_or(record->ended), record->ended);
    }
  }
  return held && (!lifted || *lifted < *held);
}

std::vector<const Step*> way_back(const Plan& plan, const History& history) {
  std::vector<const Step*> steps;
  for (const auto& step : plan.back) {
    const bool called_for =
        step.undoes.empty() || std::any_of(step.undoes.begin(), step.undoes.end(),
                                           [&](const auto& id) { return history.begun(id); });
    // A person decided to keep the data, or it is as it was: what would have rewound it stays
    // undone.
    const bool kept = step.args.value("only_if_rewinding", false) && keeps_data(plan, history);
    if (called_for && !kept) steps.push_back(&step);
  }
  return steps;
}

Next decide(const Plan& plan, const History& history, TimePoint now) {
  if (!history.ending.empty()) return Ended{};
  if (history.stopped) return Stop{*history.stopped};
  if (auto open = unresolved(plan, history); !open.empty()) return Resolve{std::move(open)};
  return history.way_back ? backward(plan, history, now) : forward(plan, history, now);
}

}  // namespace belay::pipeline
