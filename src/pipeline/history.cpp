// SPDX-License-Identifier: Apache-2.0
#include "pipeline/history.hpp"

#include <fmt/format.h>

namespace belay::pipeline {

namespace {

using Fold = void (*)(History&, const Event&);

void step_intent(History& history, const Event& event) {
  const auto id = event.body.at("step").get<std::string>();
  StepRecord record;
  record.attempt = event.body.at("attempt").get<int>();
  record.key = event.key;
  record.baseline = event.body.at("baseline");
  record.begun = event.at;
  // The first attempt's begin stays: durations are from the first try to the last outcome.
  if (const auto* before = history.record(id)) record.begun = before->begun;
  history.steps[id] = std::move(record);
  ++history.attempts_since_resume[id];
}

void step_outcome(History& history, const Event& event) {
  const auto id = event.body.at("step").get<std::string>();
  auto& record = history.steps[id];
  // An outcome belongs to its own attempt: a late reply of an earlier one is evidence only.
  if (!record.key.empty() && record.key != event.key) return;
  if (record.key.empty()) record.begun = event.at;
  record.key = event.key;
  const bool ok = event.body.at("ok").get<bool>();
  record.state = ok ? StepRecord::State::done : StepRecord::State::failed;
  record.result = event.body.value("result", Json::object());
  record.error = event.body.value("error", "");
  record.fault = event.body.value("fault", "");
  record.adopted = event.body.value("adopted", false);
  record.ended = event.at;
}

void approval_requested(History& history, const Event& event) {
  auto not_after = parse_time(event.body.at("not_after").get<std::string>());
  history.asked =
      Asked{event.body.at("step").get<std::string>(), event.body.at("nonce").get<std::string>(),
            event.at, not_after ? *not_after : event.at};
}

void run_finished(History& history, const Event& event) {
  history.ending = event.body.at("ending").get<std::string>();
  history.finished = event.body;
  history.finished_at = event.at;
  history.stopped.reset();
}

void run_resumed(History& history, const Event& event) {
  history.stopped.reset();
  history.attempts_since_resume.clear();
  if (event.body.contains("rewind_data"))
    history.data_answer = event.body["rewind_data"].get<bool>();
}

const std::map<std::string, Fold>& folds() {
  static const std::map<std::string, Fold> table{
      {"run.created",
       [](History& h, const Event& e) {
         h.created = e.body;
         h.created_at = e.at;
       }},
      {"run.claimed",
       [](History& h, const Event& e) { h.claimed_by = e.body.at("by").get<std::string>(); }},
      {"step.intent", step_intent},
      {"step.outcome", step_outcome},
      {"approval.requested", approval_requested},
      {"approval.vote", [](History& h, const Event& e) { h.votes.push_back(e); }},
      {"lock.granted", [](History& h, const Event&) { h.locked = true; }},
      {"cancel.requested",
       [](History& h, const Event& e) { h.cancelled = e.body.at("because").get<std::string>(); }},
      {"way_back.begun",
       [](History& h, const Event& e) {
         h.way_back = e.body.at("because").get<std::string>();
         h.way_back_at = e.at;
       }},
      {"run.stopped",
       [](History& h, const Event& e) { h.stopped = e.body.at("because").get<std::string>(); }},
      {"run.resumed", run_resumed},
      {"run.finished", run_finished},
      {"note", [](History&, const Event&) {}},
  };
  return table;
}

}  // namespace

const StepRecord* History::record(const std::string& step) const {
  const auto at = steps.find(step);
  return at == steps.end() ? nullptr : &at->second;
}

bool History::done(const std::string& step) const {
  const auto* found = record(step);
  return found != nullptr && found->state == StepRecord::State::done;
}

Result<History> fold(const std::vector<Event>& events) {
  History history;
  for (const auto& event : events) {
    const auto at = folds().find(event.kind);
    if (at == folds().end()) {
      return fail(Fault::refused,
                  fmt::format("event {} is of the kind {}, which this program does not know; go on "
                              "with the newer belay that wrote it",
                              event.seq, event.kind));
    }
    try {
      at->second(history, event);
    } catch (const Json::exception& e) {
      return fail(Fault::corrupt,
                  fmt::format("event {} ({}) cannot be read: {}", event.seq, event.kind, e.what()));
    }
    history.last_seq = event.seq;
    history.last_at = event.at;
  }
  return history;
}

}  // namespace belay::pipeline
