// SPDX-License-Identifier: Apache-2.0
// The journal: append-only events, the truth about every run. Format: docs/formats/journal.md.
// Appending is a compare-and-swap on (run, seq); an environment's lock is granted and released in
// the same transaction as the event that says so. Each event is chained to the one before by a
// hash, over the whole journal.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/result.hpp"

namespace belay::journal {

constexpr std::size_t body_limit = std::size_t{1} << 20;  // bytes of an event's body

struct Event {
  std::int64_t id = 0;   // position in the journal, from 1, without gaps; set by append
  std::string run;       // "7"
  std::int64_t seq = 0;  // position in the run, from 1; set by append
  TimePoint at{};        // set by append
  std::string kind;      // "run.created", "step.intent", ...
  int version = 1;       // of the body's shape
  std::string key;       // the effect's key; empty when none
  std::string body;      // canonical JSON, no secrets; at most 1 MiB
  std::string hash;      // hex SHA-256 over the previous event's hash and this event; by append
};

struct NewEvent {
  std::string kind;
  std::string key;
  std::string body;
  int version = 1;
};

struct RunRow {                                   // derived; can be rebuilt from the events
  std::string run, pipeline, environment, state;  // state: "open" or the ending
  TimePoint created{};
  std::optional<TimePoint> finished;
  std::int64_t last_seq = 0;
  std::string summary;  // canonical JSON of run.created's body member "summary"
};

struct Lock {
  std::string environment, run;
  TimePoint since{};
};

struct Verification {
  std::int64_t events = 0;
  std::string head;                   // hash of the last event
  std::vector<std::string> problems;  // each names the event: "event 412 (run 7, seq 9): ..."
};

class Journal {
 public:
  virtual ~Journal() = default;

  // Creates a run: a fresh run number, its run.created event. The body's members "pipeline",
  // "environment" and "summary" fill the derived row. Durable when it returns.
  virtual Result<std::string> create_run(NewEvent created) = 0;

  // Appends after `expected_seq` (the last one the caller has seen); all or nothing, durable when
  // it returns. conflict: somebody appended first; load and decide again. An unknown effect is
  // possible only with the disk failing: load again to learn.
  // "lock.granted" with body {"environment": E} takes the lock: busy, naming the holder, when
  // another run has it, and nothing is appended. "run.finished" with body {"ending": ...} ends the
  // run and releases its locks; nothing may follow it but "note" events.
  // Callers on several threads are committed in groups.
  virtual Status append(const std::string& run, std::int64_t expected_seq,
                        std::vector<NewEvent> events) = 0;

  // The run's events after `after_seq`, in order. missing: no such run.
  virtual Result<std::vector<Event>> load(const std::string& run, std::int64_t after_seq = 0) = 0;

  // Newest first. Empty `environment`: all.
  virtual Result<std::vector<RunRow>> runs(const std::string& environment = {},
                                           int limit = 1000) = 0;
  virtual Result<std::vector<RunRow>> open_runs() = 0;
  virtual Result<std::vector<Lock>> locks() = 0;

  // Events of the whole journal after `id`, at most `limit`.
  virtual Result<std::vector<Event>> tail(std::int64_t after_id, int limit = 1000) = 0;

  // Returns when the journal has grown beyond `last_id`, after `limit`, or when stopped.
  virtual Result<std::int64_t> wait(std::int64_t last_id, Millis limit, std::stop_token stop) = 0;

  // Recomputes the chain and the derived tables, and compares. Heads that were anchored elsewhere
  // (tags, manifests) are checked by the caller with `hash_of`.
  virtual Result<Verification> verify() = 0;
  virtual Result<std::string> hash_of(std::int64_t id) = 0;
  virtual Result<std::pair<std::int64_t, std::string>> head() = 0;  // id and hash; {0, ""} empty
};

// Where a journal lives that several machines share: texts, each written once under its name. Two
// that write the same name at once: one of them wins.
class Ledger {
 public:
  virtual ~Ledger() = default;
  // Durable when it returns. conflict: somebody else's text is there, and stays. After an unknown
  // effect get() tells.
  virtual Status put(const std::string& name, std::string_view text) = 0;
  virtual Result<std::string> get(const std::string& name) = 0;  // missing
  // Names that begin with `prefix`, in byte order.
  virtual Result<std::vector<std::string>> list(const std::string& prefix) = 0;
  virtual std::string where() const = 0;  // for messages
};

// The journal in `folder`/journal.db (created, 0600). Refuses: a network file system; a journal of
// a newer format, by name; a folder that cannot be written, before any effect.
//
// With a `ledger` the truth is there and the file is this machine's copy. An append is durable, and
// wins, once its text is in the ledger; one that another machine overtook is a conflict. What
// others wrote is taken in when opening, after a conflict, and at most two seconds late when
// reading; a ledger that does not answer is the read's error. A journal that was this machine's own
// is carried into an empty ledger when it is opened with it. refused: the ledger holds another
// journal; a copy that is opened without its ledger. corrupt: the ledger lost or changed an event.
Result<std::unique_ptr<Journal>> open_sqlite(const Path& folder, Clock& clock,
                                             Ledger* ledger = nullptr);

}  // namespace belay::journal
