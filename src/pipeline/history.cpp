// SPDX-License-Identifier: Apache-2.0
#include "pipeline/history.hpp"

#include <fmt/format.h>

namespace belay::pipeline {

namespace {

using Fold = Status (*)(History&, const Event&);

Status step_intent(History& history, const Event& event) {
  const auto id = event.body.at("step").get<std::string>();
  StepRecord record;
  record.attempt = event.body.at("attempt").get<int>();
  record.key = event.key;
  record.baseline = event.body.at("baseline");
  record.begun = record.tried = event.at;
  record.machine = history.machine;
  // The first attempt's begin stays: durations are from the first try to the last outcome.
  if (const auto* before = history.record(id)) record.begun = before->begun;
  history.steps[id] = std::move(record);
  ++history.attempts_since_resume[id];
  return {};
}

Status step_outcome(History& history, const Event& event) {
  const auto id = event.body.at("step").get<std::string>();
  auto& record = history.steps[id];
  // An outcome belongs to its own attempt: a late reply of an earlier one is evidence only.
  if (!record.key.empty() && record.key != event.key) return {};
  if (record.key.empty()) record.begun = event.at;
  record.key = event.key;
  const bool ok = event.body.at("ok").get<bool>();
  record.state = ok ? StepRecord::State::done : StepRecord::State::failed;
  record.result = event.body.value("result", Json::object());
  record.error = event.body.value("error", "");
  record.fault = event.body.value("fault", "");
  record.adopted = event.body.value("adopted", false);
  record.ended = event.at;
  return {};
}

Status approval_requested(History& history, const Event& event) {
  const auto text = event.body.at("not_after").get<std::string>();
  const auto not_after = parse_time(text);
  if (!not_after) return fail(Fault::corrupt, "not_after is no time: " + text);
  history.asked = Asked{event.body.at("step").get<std::string>(),
                        event.body.at("nonce").get<std::string>(), event.at, *not_after, event.seq};
  return {};
}

Status run_finished(History& history, const Event& event) {
  history.ending = event.body.at("ending").get<std::string>();
  history.finished = event.body;
  history.finished_at = event.at;
  history.stopped.reset();
  return {};
}

// Whoever cancels has seen why the run stopped: it goes on, back, with attempts of its own.
Status cancel_requested(History& history, const Event& event) {
  history.attempts_since_resume.clear();
  history.cancelled = event.body.at("because").get<std::string>();
  if (event.body.contains("superseded_by"))
    history.superseded_by = event.body["superseded_by"].get<std::string>();
  history.stopped.reset();
  return {};
}

Status run_resumed(History& history, const Event& event) {
  history.stopped.reset();
  history.attempts_since_resume.clear();
  if (event.body.contains("rewind_data"))
    history.data_answer = event.body["rewind_data"].get<bool>();
  return {};
}

Status run_created(History& history, const Event& event) {
  history.created = event.body;
  history.created_at = event.at;
  return {};
}

Status run_claimed(History& history, const Event& event) {
  history.claimed_by = event.body.at("by").get<std::string>();
  history.machine = event.body.value("machine", std::string());
  return {};
}

Status approval_vote(History& history, const Event& event) {
  history.votes.push_back(event);
  return {};
}

Status lock_granted(History& history, const Event&) {
  history.locked = true;
  return {};
}

Status way_back_begun(History& history, const Event& event) {
  history.way_back = event.body.at("because").get<std::string>();
  history.way_back_at = event.at;
  return {};
}

Status run_stopped(History& history, const Event& event) {
  history.stopped = event.body.at("because").get<std::string>();
  history.stopped_seq = event.seq;
  return {};
}

Status announced(History& history, const Event& event) {
  history.told_of.insert(event.body.at("of").get<std::int64_t>());
  return {};
}

Status noted(History&, const Event&) {
  return {};
}

const std::map<std::string, Fold>& folds() {
  static const std::map<std::string, Fold> table{
      {"run.created", run_created},
      {"run.claimed", run_claimed},
      {"step.intent", step_intent},
      {"step.outcome", step_outcome},
      {"approval.requested", approval_requested},
      {"approval.vote", approval_vote},
      {"lock.granted", lock_granted},
      {"cancel.requested", cancel_requested},
      {"way_back.begun", way_back_begun},
      {"run.stopped", run_stopped},
      {"announced", announced},
      {"run.resumed", run_resumed},
      {"run.finished", run_finished},
  };
  return table;
}

// None: a kind that this program does not know.
Fold fold_of(const std::string& kind) {
  if (kind == "note" || kind.starts_with("note.")) return noted;
  const auto at = folds().find(kind);
  return at == folds().end() ? nullptr : at->second;
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
    const Fold take_in = fold_of(event.kind);
    if (take_in == nullptr) {
      return fail(Fault::refused,
                  fmt::format("event {} is of the kind {}, which this program does not know; go on "
                              "with the newer belay that wrote it",
                              event.seq, event.kind));
    }
    try {
      TRY(take_in(history, event)
              .in(fmt::format("event {} ({}) cannot be read", event.seq, event.kind)));
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
