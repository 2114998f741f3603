// SPDX-License-Identifier: Apache-2.0
#include "engine/drive.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "engine/make_way.hpp"
#include "engine/votes.hpp"
#include "pipeline/repeat.hpp"

namespace belay::engine {

namespace {

constexpr Millis until_asked_again = std::chrono::seconds(15);  // for votes given elsewhere

// Followers are told of the end before it is written: who dies in between tells it once more, of
// which the record keeps him. No event has this number.
constexpr std::int64_t of_the_end = 0;

// A plan is made before its run has a number.
std::string with_run(std::string text, const std::string& run) {
  constexpr std::string_view mark = "{run}";
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + run.size()))
    text.replace(at, mark.size(), run);
  return text;
}

journal::NewEvent claimed(const std::string& by, const std::string& machine) {
  Json body{{"by", by}};
  if (!machine.empty()) body["machine"] = machine;
  return make_event("run.claimed", body);
}

}  // namespace

Result<RunState> Drive::go(const std::string& me) {
  TRY(refresh());
  TRY(can_be_carried_out(loaded_.plan, steps_).in("run " + run_));
  if (history().ending.empty()) TRY(append({claimed(me, claims_.machine())}));
  claimed_ = seen_;
  for (;;) {
    if (stop_.stop_requested()) return RunState::interrupted;
    const auto next = pipeline::decide(loaded_.plan, history(), world_.clock.now());
    if (leaving(next)) return RunState::interrupted;
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
    // Another driver (the claim rules that out) ends us, before what it does is taken for ours.
    if (claimed_ != 0 && at->kind == "run.claimed")
      return fail(Fault::busy,
                  fmt::format("run {} is now driven by {}", run_, history().claimed_by));
    reporter_.event(run_, loaded_.plan, *at);
  }
  return {};
}

// What ends the run is still written; what stands behind a fence goes on, customers wait for it.
bool Drive::leaving(const pipeline::Next& next) const {
  const bool ends = std::holds_alternative<pipeline::Finish>(next) ||
                    std::holds_alternative<pipeline::Stop>(next) ||
                    std::holds_alternative<pipeline::Ended>(next);
  return options_.leave.stop_requested() && !ends && !pipeline::fenced(loaded_.plan, history());
}

// After a conflict. Votes and cancels of others may come at any time.
Status Drive::take_in_others() {
  const auto before = seen_;
  TRY(refresh_locked());
  if (seen_ == before)
    return fail(Fault::conflict, "the journal refuses run " + run_ + " and has nothing new of it");
  return {};
}

Result<bool> Drive::decided(std::vector<journal::NewEvent> events) {
  std::lock_guard guard(mutex_);
  Status done = journal_.append(run_, seen_, std::move(events));
  if (!done && done.error().fault != Fault::conflict) return std::move(done).error();
  TRY(done ? refresh_locked() : take_in_others());
  return done.ok();
}

// The first writes for all that have come meanwhile.
Status Drive::append(std::vector<journal::NewEvent> events) {
  Fact mine{std::move(events)};
  std::unique_lock lock(facts_mutex_);
  facts_.push_back(&mine);
  while (!mine.done) {
    if (writing_) {
      written_.wait(lock);
      continue;
    }
    writing_ = true;
    const auto group = std::exchange(facts_, {});
    lock.unlock();
    const Status status = write(group);
    lock.lock();
    for (Fact* fact : group) {
      fact->status = status;
      fact->done = true;
    }
    writing_ = false;
    written_.notify_all();
  }
  return mine.status;
}

Status Drive::write(const std::vector<Fact*>& facts) {
  std::vector<journal::NewEvent> events;
  for (const Fact* fact : facts)
    events.insert(events.end(), fact->events.begin(), fact->events.end());
  std::lock_guard guard(mutex_);
  for (;;) {
    const Status done = journal_.append(run_, seen_, events);
    if (done) return refresh_locked();
    if (done.error().fault != Fault::conflict) return done;
    TRY(take_in_others());
  }
}

Drive::Turn Drive::act(const pipeline::OpenGate& next) {
  TRY(decided({gate_opened(next, world_)}));
  return again();
}

// What was recorded is believed no more than what is handed in.
Drive::Turn Drive::act(const pipeline::PassGate& next) {
  TRY_LET(auto ballot, pipeline::ballot_of(loaded_.plan, history(), run_));
  TRY_LET(auto repeated, pipeline::repeat_votes(ballot, verify_signature));
  if (!repeated.doubts.empty())
    return act(pipeline::Stop{join(repeated.doubts, "; ") + "; see: belay audit verify"});
  Json body = outcome_body(next.step, 1, Millis(0), Result<Json>(next.result), false);
  TRY(decided({make_event("step.outcome", body, attempt_key(run_, next.step, 1))}));
  return again();
}

Drive::Turn Drive::act(const pipeline::TakeLock& next) {
  const Json& args = loaded_.plan.step(next.step)->args;
  const auto rule = args.value("busy", std::string("queue"));
  if (rule == "supersede") TRY(supersede_waiting(journal_, loaded_.plan.environment, run_));
  Json passed = outcome_body(next.step, 1, Millis(0), Result<Json>(Json::object()), false);
  const auto taken =
      decided({make_event("lock.granted", {{"environment", loaded_.plan.environment}}),
               make_event("step.outcome", passed, attempt_key(run_, next.step, 1))});
  if (taken) {
    // Nothing may keep a way back waiting: of one, only its end is told.
    if (history().locked && loaded_.plan.pipeline == "deploy")
      TRY(follow("begun", loaded_.events.back().seq, ""));
    return again();
  }
  if (taken.error().fault != Fault::busy) return taken.error();
  if (args.value("takes_over", false)) {
    TRY_LET(const auto stopping, take_over());
    if (!stopping.empty()) return wait_for_lock(next.step, stopping);
  }
  if (rule == "refuse") return finish("busy", taken.error().message());
  return wait_for_lock(next.step, taken.error().message());
}

// The head is read before the lock is looked at: one that is freed afterwards ends the wait.
Drive::Turn Drive::wait_for_lock(const std::string& step, const std::string& what) {
  TRY_LET(const auto head, journal_.head());
  TRY_LET(const auto locks, journal_.locks());
  const bool held = std::any_of(locks.begin(), locks.end(), [this](const auto& lock) {
    return lock.environment == loaded_.plan.environment;
  });
  if (!held) return again();
  return pause({std::nullopt, what, step}, head.first);
}

// A deploy that holds the lock is asked to stop. One that nobody drives would never hear it; one
// that waits for a person would only say so again. Empty: nobody was asked.
Result<std::string> Drive::take_over() {
  TRY_LET(const auto holder,
          ask_deploy_to_stop(journal_, loaded_.plan.environment,
                             fmt::format("{} {} takes over", loaded_.plan.pipeline, run_)));
  if (!holder) return std::string();
  const auto stopped = [&]() -> Result<std::optional<std::string>> {
    TRY_LET(const auto other, load_run(journal_, *holder));
    return other.history.stopped;
  };
  TRY_LET(auto because, stopped());
  if (!because && options_.drive_other && claims_.is_free(*holder)) {
    options_.drive_other(*holder);
    TRY_LET(because, stopped());
  }
  if (!because) return std::string("a deploy is taken back first");
  auto text = fmt::format(
      "run {0} holds {1} and needs a person first: {2}; when the cause is mended: belay resume {0}",
      *holder, loaded_.plan.environment, *because);
  if (options_.tell && std::exchange(told_, text) != text) options_.tell(text);
  return text;
}

Drive::Turn Drive::act(const pipeline::Wait& next) {
  const bool ask = next.approvals && steps_.contains("reviews");
  if (ask) {
    TRY_LET(auto moved, gather());
    if (moved) return std::move(*moved);
  }
  if (next.approvals) {
    TRY_LET(const bool told, announce("waiting", history().asked->seq, next.what));
    if (told) return again();
  }
  TRY_LET(auto head, journal_.head());
  return ask ? pause(next, head.first, until_asked_again) : pause(next, head.first);
}

// Until the journal grows beyond `head`. What came before that and was not decided on is decided
// on first. A lock's release is in another run's events: the wait is over the whole journal.
Drive::Turn Drive::pause(const pipeline::Wait& next, std::int64_t head, Millis at_most) {
  if (!options_.wait) return std::optional(RunState::waiting);
  const auto decided_on = seen_;
  TRY(refresh());
  if (seen_ != decided_on) return again();
  const auto now = world_.clock.now();
  const auto limit = next.until ? std::min(*next.until - now, at_most) : at_most;
  if (limit > Millis(0)) {
    std::stop_source wake;
    const auto ring = [&wake] { wake.request_stop(); };
    const std::stop_callback stopped(stop_, ring);
    const bool stays = pipeline::fenced(loaded_.plan, history());
    const std::stop_callback left(stays ? std::stop_token() : options_.leave, ring);
    auto grown = journal_.wait(head, limit, wake.get_token());
    if (!grown && grown.error().fault != Fault::cancelled) return std::move(grown).error();
  }
  TRY(refresh());
  return again();
}

Drive::Turn Drive::act(const pipeline::GoBack& next) {
  TRY(decided({make_event("way_back.begun", {{"because", next.because}})}));
  return again();
}

Drive::Turn Drive::act(const pipeline::Stop& next) {
  if (!history().stopped) {
    const auto because = with_run(next.because, run_);
    TRY_LET(const bool told, decided({make_event("run.stopped", {{"because", because}})}));
    if (!told || !history().stopped) return again();
  }
  TRY(announce("stopped", history().stopped_seq, *history().stopped));
  return history().stopped ? std::optional(RunState::needs_person) : std::nullopt;
}

Drive::Turn Drive::act(const pipeline::Finish& next) {
  return finish(next.ending, next.text);
}

Drive::Turn Drive::finish(const std::string& ending, const std::string& text) {
  TRY(follow("ended", of_the_end, text, ending));
  TRY_LET(const bool ended,
          decided({make_event("run.finished", {{"ending", ending}, {"text", text}})}));
  if (!ended) return again();
  return std::optional(RunState::finished);
}

Drive::Turn Drive::act(const pipeline::Ended&) {
  return std::optional(RunState::finished);
}

}  // namespace belay::engine
