// SPDX-License-Identifier: Apache-2.0
#include "engine/runner.hpp"

#include <fmt/format.h>

#include <mutex>
#include <set>

#include "engine/make_way.hpp"
#include "pipeline/decide.hpp"

namespace belay::engine {

using pipeline::History;
using pipeline::Plan;
using pipeline::Step;

namespace {

constexpr int checks_after_unknown = 3;
constexpr Millis longest_wait = std::chrono::hours(1);

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

// One process driving one run. Its view of the run is reloaded after each append by others.
class Drive {
 public:
  Drive(journal::Journal& journal, const StepTable& steps, World& world, Reporter& reporter,
        Claims& claims, std::string run, std::stop_token stop, DriveOptions options)
      : journal_(journal),
        steps_(steps),
        world_(world),
        reporter_(reporter),
        claims_(claims),
        run_(std::move(run)),
        stop_(std::move(stop)),
        options_(std::move(options)) {}

  Result<RunState> go(const std::string& me) {
    TRY(refresh());
    TRY(can_be_carried_out(loaded_.plan, steps_).in("run " + run_));
    if (history().ending.empty()) TRY(append({make_event("run.claimed", {{"by", me}})}));
    for (;;) {
      if (stop_.stop_requested()) return RunState::interrupted;
      const auto next = pipeline::decide(loaded_.plan, history(), world_.clock.now());
      TRY_LET(std::optional<RunState> end,
              std::visit([this](const auto& n) { return act(n); }, next));
      if (end) return *end;
    }
  }

 private:
  using Turn = Result<std::optional<RunState>>;  // none: decide again
  static Turn again() { return std::optional<RunState>{}; }

  const History& history() const { return loaded_.history; }

  // Takes in what the journal has beyond what was seen.
  Status refresh() {
    std::lock_guard guard(mutex_);
    return refresh_locked();
  }

  Status refresh_locked() {
    TRY_LET(auto fresh, journal_.load(run_, seen_));
    for (const auto& event : fresh) {
      TRY_LET(auto read, read_event(event));
      loaded_.events.push_back(read);
      seen_ = event.seq;
    }
    if (fresh.empty()) return {};
    if (loaded_.plan.pipeline.empty()) {
      TRY_LET(loaded_.plan,
              pipeline::plan_from_json(loaded_.events.front().body.value("plan", Json::object())));
    }
    TRY_LET(loaded_.history, pipeline::fold(loaded_.events));
    for (auto at = loaded_.events.end() - static_cast<std::ptrdiff_t>(fresh.size());
         at != loaded_.events.end(); ++at) {
      reporter_.event(run_, loaded_.plan, *at);
    }
    return {};
  }

  // Durable when it returns. Votes and cancels of others may come between: they do not make our
  // event wrong, another driver would (the claim rules that out; its event ends us all the same).
  Status append(std::vector<journal::NewEvent> events) {
    std::lock_guard guard(mutex_);
    for (;;) {
      Status done = journal_.append(run_, seen_, events);
      if (done) return refresh_locked();
      if (done.error().fault != Fault::conflict) return done;
      const auto before = seen_;
      TRY(refresh_locked());
      if (seen_ == before) return done;
      for (const auto& event : loaded_.events) {
        if (event.seq > before && event.kind == "run.claimed") {
          return fail(Fault::busy,
                      fmt::format("run {} is now driven by {}", run_, history().claimed_by));
        }
      }
    }
  }

  StepContext context(const Step& step, int attempt, Json baseline, const History& seen) {
    return {run_,    loaded_.plan,        step,  seen,   attempt_key(run_, step.id, attempt),
            attempt, std::move(baseline), stop_, world_, reporter_};
  }

  Turn act(const pipeline::Perform& next) {
    const History seen = history();
    std::vector<StepContext> contexts;
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
      contexts.push_back(std::move(made));
    }
    TRY(append(std::move(intents)));
    return all(contexts, [this](StepContext& one) { return perform(one); });
  }

  Turn act(const pipeline::Resolve& next) {
    const History seen = history();
    std::vector<StepContext> contexts;
    for (const auto& id : next.steps) {
      const auto* record = seen.record(id);
      auto made = context(*loaded_.plan.step(id), record->attempt, record->baseline, seen);
      made.key = record->key;
      contexts.push_back(std::move(made));
    }
    return all(contexts, [this](StepContext& one) { return resolve(one); });
  }

  Turn all(std::vector<StepContext>& contexts, const std::function<Status(StepContext&)>& each) {
    std::vector<std::function<void()>> work;
    std::mutex first_error;
    std::optional<Error> error;
    for (auto& one : contexts) {
      work.push_back([&each, &one, &first_error, &error] {
        Status done = each(one);
        if (done) return;
        std::lock_guard guard(first_error);
        if (!error) error = done.error();
      });
    }
    world_.executor.run_all(std::move(work));
    if (error) return std::move(*error);
    return again();
  }

  // We were stopped: the attempt stays open, a later drive resolves it.
  template <class T>
  bool interrupted(const Result<T>& result) const {
    return stop_.stop_requested() && result.error().fault == Fault::cancelled;
  }

  StepKind& kind(const Step& step) { return *steps_.at(step.kind); }

  Status perform(StepContext& one) {
    const auto since = world_.clock.steady();
    if (one.baseline.contains("error")) {
      return outcome(one, since, fail(Fault::unreachable, one.baseline["error"].get<std::string>()),
                     false);
    }
    Result<Json> result = kind(one.step).perform(one);
    if (!result && interrupted(result)) return {};
    if (!result && result.error().effect == Effect::unknown) return ask(one, since, result.error());
    return outcome(one, since, result, false);
  }

  // The reply was lost: wait out what may still arrive, then ask; never repeat blindly.
  Status ask(StepContext& one, Millis since, const Error& lost) {
    for (int i = 0; i < checks_after_unknown; ++i) {
      if (!world_.clock.sleep(std::max(kind(one.step).grace(), Millis(i * 1000)), one.stop))
        return {};
      auto checked = kind(one.step).check(one);
      if (checked && checked->answer != Answer::unknown) return settle(one, since, *checked);
    }
    return outcome(
        one, since,
        fail(Fault::timeout, lost.message() + "; and whether it was done cannot be told"), false);
  }

  Status resolve(StepContext& one) {
    const auto since = world_.clock.steady();
    const auto due = tried_at(one) + kind(one.step).grace();
    if (world_.clock.now() < due && !world_.clock.sleep(due - world_.clock.now(), one.stop))
      return {};
    if (one.history.cancelled && !one.history.way_back) {
      kind(one.step).abandon(one);
      return outcome(one, since, fail(Fault::cancelled, "cancelled: " + *one.history.cancelled),
                     false);
    }
    auto checked = kind(one.step).check(one);
    if (!checked && interrupted(checked)) return {};
    if (!checked) return outcome(one, since, checked.error(), true);
    return settle(one, since, *checked);
  }

  TimePoint tried_at(const StepContext& one) const {
    const auto* record = one.history.record(one.step.id);
    return record == nullptr ? one.history.last_at : record->tried;
  }

  Status settle(StepContext& one, Millis since, const Checked& checked) {
    switch (checked.answer) {
      case Answer::applied: return outcome(one, since, checked.result, true);
      case Answer::adopt: return finish_adopted(one, since);
      case Answer::absent: return perform_anew(one);
      case Answer::unknown: break;
    }
    return outcome(
        one, since,
        fail(Fault::timeout, "whether it was done cannot be told" +
                                 (checked.evidence.empty() ? "" : ": " + checked.evidence)),
        true);
  }

  Status finish_adopted(StepContext& one, Millis since) {
    Result<Json> result = kind(one.step).perform(one);
    if (!result && interrupted(result)) return {};
    return outcome(one, since, result, true);
  }

  // Surely not done: a new attempt, with an intent of its own.
  Status perform_anew(StepContext& one) {
    ++one.attempt;
    one.key = attempt_key(run_, one.step.id, one.attempt);
    TRY(append({make_event(
        "step.intent",
        {{"step", one.step.id}, {"attempt", one.attempt}, {"baseline", one.baseline}}, one.key)}));
    return perform(one);
  }

  Status outcome(const StepContext& one, Millis since, const Result<Json>& result, bool adopted) {
    const auto took = world_.clock.steady() - since;
    return append({make_event(
        "step.outcome", outcome_body(one.step.id, one.attempt, took, result, adopted), one.key)});
  }

  Turn act(const pipeline::OpenGate& next) {
    TRY(append({make_event("approval.requested",
                           {{"step", next.step},
                            {"nonce", world_.random.hex(16)},
                            {"not_after", to_text(world_.clock.now() + next.expires)}})}));
    return again();
  }

  Turn act(const pipeline::PassGate& next) {
    Json body = outcome_body(next.step, 1, Millis(0), Result<Json>(next.result), false);
    TRY(append({make_event("step.outcome", body, attempt_key(run_, next.step, 1))}));
    return again();
  }

  Turn act(const pipeline::TakeLock& next) {
    const Json& args = loaded_.plan.step(next.step)->args;
    const auto rule = args.value("busy", std::string("queue"));
    if (rule == "supersede") TRY(supersede_waiting(journal_, loaded_.plan.environment, run_));
    // Before the attempt: a lock that is freed right after it ends the wait.
    TRY_LET(auto head, journal_.head());
    Json passed = outcome_body(next.step, 1, Millis(0), Result<Json>(Json::object()), false);
    Status taken = append({make_event("lock.granted", {{"environment", loaded_.plan.environment}}),
                           make_event("step.outcome", passed, attempt_key(run_, next.step, 1))});
    if (taken) return again();
    if (taken.error().fault != Fault::busy) return taken.error();
    if (args.value("takes_over", false)) {
      TRY_LET(const bool stopping, take_over());
      if (stopping)
        return pause({std::nullopt, "a deploy is taken back first", next.step}, head.first);
    }
    if (rule == "refuse") return finish("busy", taken.error().message());
    return pause({std::nullopt, taken.error().message(), next.step}, head.first);
  }

  // A deploy that holds the lock is asked to stop. One that nobody drives would never hear it.
  Result<bool> take_over() {
    TRY_LET(auto holder,
            ask_deploy_to_stop(journal_, loaded_.plan.environment,
                               fmt::format("{} {} takes over", loaded_.plan.pipeline, run_)));
    if (!holder) return false;
    if (options_.drive_other && claims_.claim(*holder)) options_.drive_other(*holder);
    return true;
  }

  Turn act(const pipeline::Wait& next) {
    TRY_LET(auto head, journal_.head());
    return pause(next, head.first);
  }

  // Until the journal grows beyond `head`. What came before that and was not decided on is decided
  // on first. A lock's release is in another run's events: the wait is over the whole journal.
  Turn pause(const pipeline::Wait& next, std::int64_t head) {
    if (!options_.wait) return std::optional(RunState::waiting);
    const auto decided_on = seen_;
    TRY(refresh());
    if (seen_ != decided_on) return again();
    const auto now = world_.clock.now();
    const auto limit = next.until ? std::min(*next.until - now, longest_wait) : longest_wait;
    if (limit > Millis(0)) {
      auto grown = journal_.wait(head, limit, stop_);
      if (!grown && grown.error().fault != Fault::cancelled) return std::move(grown).error();
    }
    TRY(refresh());
    return again();
  }

  Turn act(const pipeline::GoBack& next) {
    TRY(append({make_event("way_back.begun", {{"because", next.because}})}));
    return again();
  }

  Turn act(const pipeline::Stop& next) {
    if (!history().stopped) TRY(append({make_event("run.stopped", {{"because", next.because}})}));
    return std::optional(RunState::needs_person);
  }

  Turn act(const pipeline::Finish& next) { return finish(next.ending, next.text); }

  Turn finish(const std::string& ending, const std::string& text) {
    TRY(append({make_event("run.finished", {{"ending", ending}, {"text", text}})}));
    return std::optional(RunState::finished);
  }

  Turn act(const pipeline::Ended&) { return std::optional(RunState::finished); }

  journal::Journal& journal_;
  const StepTable& steps_;
  World& world_;
  Reporter& reporter_;
  Claims& claims_;
  std::string run_;
  std::stop_token stop_;
  DriveOptions options_;
  std::mutex mutex_;  // guards loaded_ and seen_ while steps run side by side
  Loaded loaded_;
  std::int64_t seen_ = 0;
};

}  // namespace

Result<RunState> Runner::drive(const std::string& run, std::stop_token stop, DriveOptions options) {
  TRY_LET(auto claim, claims_.claim(run));
  Drive drive(journal_, steps_, world_, reporter_, claims_, run, std::move(stop),
              std::move(options));
  return drive.go(claims_.whoami());
}

}  // namespace belay::engine
