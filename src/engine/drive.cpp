// SPDX-License-Identifier: Apache-2.0
#include "engine/drive.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "engine/make_way.hpp"
#include "engine/votes.hpp"
#include "pipeline/repeat.hpp"

namespace belay::engine {

namespace {

constexpr Millis longest_wait = std::chrono::hours(1);

// A plan is made before its run has a number.
std::string with_run(std::string text, const std::string& run) {
  constexpr std::string_view mark = "{run}";
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + run.size()))
    text.replace(at, mark.size(), run);
  return text;
}

}  // namespace

Result<RunState> Drive::go(const std::string& me) {
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

// Takes in what the journal has beyond what was seen.
Status Drive::refresh() {
  std::lock_guard guard(mutex_);
  return refresh_locked();
}

Status Drive::refresh_locked() {
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
Status Drive::append(std::vector<journal::NewEvent> events) {
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

Drive::Turn Drive::act(const pipeline::OpenGate& next) {
  TRY(append({make_event("approval.requested",
                         {{"step", next.step},
                          {"nonce", world_.random.hex(16)},
                          {"not_after", to_text(world_.clock.now() + next.expires)}})}));
  return again();
}

// What was recorded is believed no more than what is handed in.
Drive::Turn Drive::act(const pipeline::PassGate& next) {
  TRY_LET(auto ballot, pipeline::ballot_of(loaded_.plan, history(), run_));
  TRY_LET(auto repeated, pipeline::repeat_votes(ballot, verify_signature));
  if (!repeated.doubts.empty())
    return act(pipeline::Stop{join(repeated.doubts, "; ") + "; see: belay audit verify"});
  Json body = outcome_body(next.step, 1, Millis(0), Result<Json>(next.result), false);
  TRY(append({make_event("step.outcome", body, attempt_key(run_, next.step, 1))}));
  return again();
}

Drive::Turn Drive::act(const pipeline::TakeLock& next) {
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
Result<bool> Drive::take_over() {
  TRY_LET(auto holder,
          ask_deploy_to_stop(journal_, loaded_.plan.environment,
                             fmt::format("{} {} takes over", loaded_.plan.pipeline, run_)));
  if (!holder) return false;
  if (options_.drive_other && claims_.claim(*holder)) options_.drive_other(*holder);
  return true;
}

Drive::Turn Drive::act(const pipeline::Wait& next) {
  TRY_LET(auto head, journal_.head());
  return pause(next, head.first);
}

// Until the journal grows beyond `head`. What came before that and was not decided on is decided
// on first. A lock's release is in another run's events: the wait is over the whole journal.
Drive::Turn Drive::pause(const pipeline::Wait& next, std::int64_t head) {
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

Drive::Turn Drive::act(const pipeline::GoBack& next) {
  TRY(append({make_event("way_back.begun", {{"because", next.because}})}));
  return again();
}

Drive::Turn Drive::act(const pipeline::Stop& next) {
  if (!history().stopped)
    TRY(append({make_event("run.stopped", {{"because", with_run(next.because, run_)}})}));
  return std::optional(RunState::needs_person);
}

Drive::Turn Drive::act(const pipeline::Finish& next) {
  return finish(next.ending, next.text);
}

Drive::Turn Drive::finish(const std::string& ending, const std::string& text) {
  TRY(append({make_event("run.finished", {{"ending", ending}, {"text", text}})}));
  return std::optional(RunState::finished);
}

Drive::Turn Drive::act(const pipeline::Ended&) {
  return std::optional(RunState::finished);
}

}  // namespace belay::engine
