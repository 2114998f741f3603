// SPDX-License-Identifier: Apache-2.0
// The one heart: what a run does next, from its plan, its history and the time. Pure: the engine
// only loads, asks, writes the intent, acts, writes the outcome.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "pipeline/history.hpp"
#include "pipeline/plan.hpp"

namespace belay::pipeline {

// Perform these steps side by side.
struct Perform {
  std::vector<std::string> steps;
};
// Begun by somebody, outcome not known: ask the world before anything else.
struct Resolve {
  std::vector<std::string> steps;
};
// Open the approval gate: a nonce and an expiry are recorded; who follows the run is told.
struct OpenGate {
  std::string step;
  Millis expires{};
};
// The gate has what it needs.
struct PassGate {
  std::string step;
  Json result;
};
// Nothing to do before this time, or before somebody votes, cancels or releases the lock.
struct Wait {
  std::optional<TimePoint> until;
  std::string what;
  std::string step;
  bool approvals = false;  // are missing: it is people who are waited for
};
struct TakeLock {
  std::string step;
};
struct GoBack {
  std::string because;
};
// A person is needed: the run keeps its lock and can be resumed.
struct Stop {
  std::string because;
};
// Endings: "done", "rolled_back", "failed" (nothing changed), "cancelled", "superseded",
// "refused" (by a reviewer), "expired". The engine adds "busy".
struct Finish {
  std::string ending, text;
};
struct Ended {};

using Next =
    std::variant<Perform, Resolve, OpenGate, PassGate, Wait, TakeLock, GoBack, Stop, Finish, Ended>;

Next decide(const Plan& plan, const History& history, TimePoint now);

// Whether anything that a failure would have to take back was begun.
bool changed(const Plan& plan, const History& history);

// Whether customers' requests are held: a `hold` was begun, and no `lift` was done after it.
bool fenced(const Plan& plan, const History& history);

// The way-back steps that this history calls for, in order. They go one after the other; one that
// names others in `after` goes beside the rest as soon as those are done.
std::vector<const Step*> way_back(const Plan& plan, const History& history);

// The preview was taken, and the data is as it was at the restore point: nobody needs to be asked.
bool nothing_to_take_back(const Plan& plan, const History& history);

// The `ask` step that the way back has come to and that nobody has answered; none otherwise.
const Step* open_question(const Plan& plan, const History& history);

// Attempts of a way-back step before a person is called, and the pause before the next.
constexpr int way_back_attempts = 3;
Millis way_back_pause(int attempt);

}  // namespace belay::pipeline
