// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "engine/drive.hpp"

namespace belay::engine {

using pipeline::History;
using pipeline::Step;

namespace {

constexpr int checks_after_unknown = 3;

}  // namespace

std::string attempt_key(const std::string& run, const std::string& step, int attempt) {
  std::string name = step;
  for (char& c : name) {
    if (c == ':') c = '.';
  }
  return fmt::format("run-{}.{}.{}", run, name, attempt);
}

Json outcome_body(const std::string& step, int attempt, Millis took, const Result<Json>& result,
                  bool adopted) {
  Json body{{"step", step},
            {"attempt", attempt},
            {"ok", result.ok()},
            {"ms", took.count()},
            {"adopted", adopted}};
  if (result.ok()) {
    body["result"] = *result;
  } else {
    body["error"] = result.error().message();
    body["fault"] = to_string(result.error().fault);
  }
  return body;
}

StepContext Drive::context(const Step& step, int attempt, Json baseline, const History& seen) {
  return {run_,    loaded_.plan,        step,  seen,   attempt_key(run_, step.id, attempt),
          attempt, std::move(baseline), stop_, world_, reporter_,
          false};
}

Drive::Turn Drive::act(const pipeline::Perform& next) {
  const History seen = history();
  std::vector<Attempt> attempts;
  std::vector<journal::NewEvent> intents;
  for (const auto& id : next.steps) {
    const Step& step = *loaded_.plan.step(id);
    const auto* before = seen.record(id);
    auto made = context(step, before == nullptr ? 1 : before->attempt + 1, Json::object(), seen);
    auto baseline = kind(step).baseline(made);
    if (!baseline && interrupted(baseline)) return again();
    made.baseline = baseline ? *baseline : Json{{"error", baseline.error().message()}};
    intents.push_back(make_event(
        "step.intent", {{"step", id}, {"attempt", made.attempt}, {"baseline", made.baseline}},
        made.key));
    attempts.push_back({std::move(made)});
  }
  TRY_LET(const bool begun, decided(std::move(intents)));
  if (!begun) return again();
  return all(attempts, [this](Attempt& one) { return perform(one); });
}

Drive::Turn Drive::act(const pipeline::Resolve& next) {
  const History seen = history();
  std::vector<Attempt> attempts;
  for (const auto& id : next.steps) {
    const auto* record = seen.record(id);
    auto made = context(*loaded_.plan.step(id), record->attempt, record->baseline, seen);
    made.key = record->key;
    made.elsewhere = record->machine != claims_.machine();
    if (made.elsewhere) children_.begun_elsewhere(record->key);
    attempts.push_back({std::move(made)});
  }
  return all(attempts, [this](Attempt& one) { return resolve(one); });
}

// A step that throws leaves its attempt open, and the other steps and runs of this process alone.
Status Drive::guarded(Attempt& one, const std::function<Status(Attempt&)>& each) {
  try {
    return each(one);
  } catch (const std::exception& e) {
    return unknown_effect(Fault::internal, fmt::format("step {} of run {} ended without an answer: "
                                                       "{}",
                                                       one.context.step.id, run_, e.what()));
  }
}

// The event that calls for it is the intent, and its number is in the key: a notifier finds by that
// what a dead process had begun. The record is kept also where nobody is to be told: nobody looks
// again.
Result<bool> Drive::announce(const std::string& about, std::int64_t seq, const std::string& text) {
  Step news{about, "announce", "tell people"};
  news.args = {{"event", about}, {"text", text}};
  return tell(news, seq);
}

Status Drive::follow(const std::string& about, std::int64_t seq, const std::string& text,
                     const std::string& ending) {
  Step news{about, "follow", "tell those who follow"};
  news.args = {{"event", about}, {"text", text}};
  if (!ending.empty()) news.args["ending"] = ending;
  TRY(tell(news, seq));
  return {};
}

Result<bool> Drive::tell(const Step& news, std::int64_t seq) {
  if (history().told_of.contains(seq) || !steps_.contains(news.kind)) return false;
  const History seen = history();
  Attempt attempt{context(news, static_cast<int>(seq), Json::object(), seen)};
  Json result = Json::object();
  const Status done = guarded(attempt, [&](Attempt& one) -> Status {
    TRY_LET(result, kind(news).perform(one.context));
    return {};
  });
  if (!done) result["not_announced"] = Json::array({done.error().message()});
  TRY(append({make_event("announced",
                         {{"about", news.id},
                          {"of", seq},
                          {"not_announced", result.value("not_announced", Json::array())}},
                         attempt.context.key)}));
  return true;
}

Drive::Turn Drive::all(std::vector<Attempt>& attempts,
                       const std::function<Status(Attempt&)>& each) {
  std::vector<std::function<void()>> work;
  std::mutex first_error;
  std::optional<Error> error;
  for (auto& one : attempts) {
    work.push_back([this, &each, &one, &first_error, &error] {
      Status done = guarded(one, each);
      if (done) return;
      std::lock_guard guard(first_error);
      if (!error) error = done.error();
    });
  }
  world_.executor.run_all(std::move(work));
  if (error) return std::move(*error);
  return again();
}

Status Drive::perform(Attempt& attempt) {
  const auto& one = attempt.context;
  const auto since = world_.clock.steady();
  if (one.baseline.contains("error")) {
    return outcome(one, since, fail(Fault::unreachable, one.baseline["error"].get<std::string>()),
                   false);
  }
  Result<Json> result = kind(one.step).perform(one);
  if (!result && interrupted(result)) return {};
  if (!result && result.error().effect == Effect::unknown)
    return ask(attempt, since, result.error());
  return outcome(one, since, result, false);
}

// The reply was lost: wait out what may still arrive, then ask; never repeat blindly.
Status Drive::ask(Attempt& attempt, Millis since, const Error& lost) {
  const auto& one = attempt.context;
  attempt.lost = lost.message();
  for (int i = 0; i < checks_after_unknown; ++i) {
    if (!world_.clock.sleep(std::max(kind(one.step).grace(), Millis(i * 1000)), one.stop))
      return {};
    auto checked = kind(one.step).check(one);
    if (checked && checked->answer != Answer::unknown) return settle(attempt, since, *checked);
  }
  return outcome(one, since,
                 fail(Fault::timeout, lost.message() + "; and whether it was done cannot be told"),
                 false);
}

Status Drive::resolve(Attempt& attempt) {
  const auto& one = attempt.context;
  const auto since = world_.clock.steady();
  const auto due = tried_at(one) + kind(one.step).grace();
  if (world_.clock.now() < due && !world_.clock.sleep(due - world_.clock.now(), one.stop))
    return {};
  if (one.history.cancelled && !one.history.way_back) {
    if (auto ended = kind(one.step).abandon(one); !ended) return cannot_end(one, ended.error());
    return outcome(one, since, fail(Fault::cancelled, "cancelled: " + *one.history.cancelled),
                   false);
  }
  auto checked = kind(one.step).check(one);
  if (!checked && interrupted(checked)) return {};
  if (!checked) return outcome(one, since, checked.error(), true);
  return settle(attempt, since, *checked);
}

// The attempt stays open: resuming, or cancelling again, ends it once more.
Status Drive::cannot_end(const StepContext& one, const Error& error) {
  return append({make_event(
      "run.stopped",
      {{"because", fmt::format("{} was cancelled and still runs: {}; end it by hand, then resume",
                               one.step.id, error.message())}})});
}

TimePoint Drive::tried_at(const StepContext& one) const {
  const auto* record = one.history.record(one.step.id);
  return record == nullptr ? one.history.last_at : record->tried;
}

Status Drive::settle(Attempt& attempt, Millis since, const Checked& checked) {
  const auto& one = attempt.context;
  switch (checked.answer) {
    case Answer::applied: return outcome(one, since, checked.result, true);
    case Answer::adopt: return finish_adopted(one, since);
    case Answer::absent: return perform_anew(attempt, since);
    case Answer::unknown: break;
  }
  return outcome(
      one, since,
      fail(Fault::timeout, "whether it was done cannot be told" +
                               (checked.evidence.empty() ? "" : ": " + checked.evidence)),
      true);
}

Status Drive::finish_adopted(const StepContext& one, Millis since) {
  Result<Json> result = kind(one.step).perform(one);
  if (!result && interrupted(result)) return {};
  return outcome(one, since, result, true);
}

// Surely not done: a new attempt, with an intent of its own. What is lost twice is not worth a
// third try: it fails, and the plan says what follows.
Status Drive::perform_anew(Attempt& attempt, Millis since) {
  auto& one = attempt.context;
  if (attempt.anew) {
    return outcome(one, since,
                   fail(Fault::timeout, attempt.lost + "; tried twice, and it was not done"),
                   false);
  }
  attempt.anew = true;
  ++one.attempt;
  one.key = attempt_key(run_, one.step.id, one.attempt);
  one.elsewhere = false;
  TRY(append({make_event(
      "step.intent", {{"step", one.step.id}, {"attempt", one.attempt}, {"baseline", one.baseline}},
      one.key)}));
  return perform(attempt);
}

Status Drive::outcome(const StepContext& one, Millis since, const Result<Json>& result,
                      bool adopted) {
  const auto took = world_.clock.steady() - since;
  return append({make_event(
      "step.outcome", outcome_body(one.step.id, one.attempt, took, result, adopted), one.key)});
}

}  // namespace belay::engine
