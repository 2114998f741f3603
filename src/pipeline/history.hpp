// SPDX-License-Identifier: Apache-2.0
// What a run's events say, folded. Pure: the same events give the same history, whoever reads them.
// Kinds of events and their bodies: docs/formats/journal.md.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"

namespace belay::pipeline {

struct Event {
  std::int64_t seq = 0;
  TimePoint at{};
  std::string kind, key;
  Json body = Json::object();
};

struct StepRecord {
  enum class State { begun, done, failed } state = State::begun;
  int attempt = 0;
  std::string key;  // of the latest attempt
  Json baseline = Json::object();
  Json result = Json::object();  // of the outcome
  std::string error, fault;      // when failed
  TimePoint begun{}, ended{};    // of the first attempt; of the last outcome
  TimePoint tried{};             // the latest attempt's intent
  std::string machine;           // where the latest attempt was begun; empty: there is one only
  bool adopted = false;          // the outcome was found by asking, not by doing
};

struct Asked {  // an approval gate that was opened
  std::string step, nonce;
  TimePoint at{}, not_after{};
  std::int64_t seq = 0;
};

struct History {
  Json created = Json::object();  // run.created's body
  TimePoint created_at{};
  std::map<std::string, StepRecord> steps;
  std::optional<Asked> asked;
  std::vector<Event> votes;  // approval.vote, in order
  bool locked = false;
  std::optional<std::string> cancelled;      // who and why
  std::optional<std::string> superseded_by;  // the newer run because of which it was cancelled
  std::optional<std::string> way_back;       // because of what
  std::optional<std::string> stopped;        // needs a person; gone after run.resumed
  std::int64_t stopped_seq = 0;              // of the latest run.stopped
  std::set<std::int64_t> told_of;            // events of this run that people were told of
  std::optional<bool> data_answer;           // a person's: rewind (true) or keep the data
  std::string ending;                        // of run.finished
  Json finished = Json::object();
  std::optional<TimePoint> finished_at, way_back_at;
  std::string claimed_by, machine;  // who drives, and where
  std::int64_t last_seq = 0;
  TimePoint last_at{};
  std::map<std::string, int> attempts_since_resume;  // of way-back steps

  const StepRecord* record(const std::string& step) const;
  bool begun(const std::string& step) const { return record(step) != nullptr; }
  bool done(const std::string& step) const;
};

// corrupt, naming the event, when a body lacks what its kind must have. An unknown kind is refused:
// an older program never guesses about a newer one's run.
Result<History> fold(const std::vector<Event>& events);

}  // namespace belay::pipeline
