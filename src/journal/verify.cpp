// SPDX-License-Identifier: Apache-2.0
#include "journal/verify.hpp"

#include <map>
#include <set>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "journal/append.hpp"
#include "journal/chain.hpp"

namespace belay::journal {

namespace {

constexpr std::size_t most_problems = 100;

struct Row {
  Event event;  // its hash in 32 bytes
  std::int64_t epoch = 0;
};

class Problems {
 public:
  void add(std::string text) {
    ++count_;
    if (texts_.size() < most_problems) texts_.push_back(std::move(text));
  }
  std::vector<std::string> take() {
    if (count_ > texts_.size()) {
      texts_.push_back(fmt::format("and {} more", count_ - texts_.size()));
    }
    return std::move(texts_);
  }

 private:
  std::vector<std::string> texts_;
  std::size_t count_ = 0;
};

std::string name_of(const Event& event) {
  return fmt::format("event {} (run {}, seq {})", event.id, event.run, event.seq);
}

// Follows the chain as it was written: `next_` is the number an event had when it was written,
// which differs from its number now when events were put in or taken out before it.
class ChainCheck {
 public:
  explicit ChainCheck(Problems& problems) : problems_(problems) {}

  // `after` is the following row, when there is one.
  void see(const Row& row, const Row* after) {
    if (genuine(row, hash_, next_)) {
      if (row.event.id != next_ + shift_) {
        problems_.add(fmt::format("{}: it was moved, its place was {}", name_of(row.event), next_));
        shift_ = row.event.id - next_;
      }
      return accept(row);
    }
    if (row.event.id > next_ + shift_) {
      problems_.add(missing(next_ + shift_, row.event.id - 1));
      next_ = row.event.id - shift_;
      return accept(row);
    }
    if (after != nullptr && genuine(*after, hash_, next_)) {
      problems_.add(name_of(row.event) + ": it was inserted, the chain does not know it");
      return;
    }
    problems_.add(name_of(row.event) +
                  ": it was changed, its content and the event before do not give its hash");
    accept(row);
  }

  const std::string& head() const { return hash_; }

 private:
  static bool genuine(const Row& row, const std::string& previous, std::int64_t number) {
    Event as_written = row.event;
    as_written.id = number;
    return chained(previous, as_written, row.epoch) == row.event.hash;
  }
  static std::string missing(std::int64_t first, std::int64_t last) {
    if (first == last) return fmt::format("event {}: it was removed", first);
    return fmt::format("events {} to {}: they were removed", first, last);
  }
  void accept(const Row& row) {
    hash_ = row.event.hash;
    ++next_;
  }

  Problems& problems_;
  std::string hash_ = chain_start();
  std::int64_t next_ = 1, shift_ = 0;
};

// The derived tables as they should be.
class Rebuilt {
 public:
  explicit Rebuilt(Problems& problems) : problems_(problems) {}

  void see(const Event& event) {
    const std::int64_t expected = ++seqs_[event.run];
    if (event.seq != expected) {
      problems_.add(fmt::format("{}: the run lacks its event {}", name_of(event), expected));
      seqs_[event.run] = event.seq;
    }
    RunRow& run = runs_[event.run];
    run.run = event.run;
    if (event.kind == "run.created") created(run, event);
    if (event.kind == "lock.granted") granted(event);
    if (event.kind == "run.finished") finished(run, event);
  }

  Status compare(sql::Connection& connection) {
    TRY(compare_runs(connection));
    return compare_locks(connection);
  }

 private:
  void created(RunRow& run, const Event& event) {
    const auto body = read_run_created(event.body);
    if (!body) return problems_.add(name_of(event) + ": its body cannot be read");
    run.pipeline = body->pipeline;
    run.environment = body->environment;
    run.summary = body->summary;
    run.state = "open";
    run.created = event.at;
  }
  void granted(const Event& event) {
    const auto environment = read_member(event.body, "environment");
    if (!environment) return problems_.add(name_of(event) + ": its body cannot be read");
    locks_.try_emplace(*environment, event.run);
  }
  void finished(RunRow& run, const Event& event) {
    const auto ending = read_member(event.body, "ending");
    if (!ending) return problems_.add(name_of(event) + ": its body cannot be read");
    run.state = *ending;
    run.finished = event.at;
    std::erase_if(locks_, [&](const auto& lock) { return lock.second == event.run; });
  }

  static std::string text_of(const RunRow& run) {
    return canonical(Json{run.pipeline, run.environment, run.state, to_text(run.created),
                          run.finished ? to_text(*run.finished) : "", run.summary});
  }

  Status compare_runs(sql::Connection& connection) {
    TRY_LET(sql::Statement rows,
            connection.prepare("SELECT id, pipeline, environment, state, created, "
                               "finished, summary FROM run ORDER BY id"));
    for (;;) {
      TRY_LET(const bool more, rows.row());
      if (!more) break;
      RunRow stored;
      stored.run = std::to_string(rows.integer(0));
      stored.pipeline = rows.text(1);
      stored.environment = rows.text(2);
      stored.state = rows.text(3);
      stored.created = TimePoint(Millis(rows.integer(4)));
      if (!rows.is_null(5)) stored.finished = TimePoint(Millis(rows.integer(5)));
      stored.summary = rows.text(6);
      const auto expected = runs_.find(stored.run);
      if (expected == runs_.end() || text_of(expected->second) != text_of(stored)) {
        problems_.add(fmt::format("run {}: its row differs from what its events say", stored.run));
      }
      if (expected != runs_.end()) runs_.erase(expected);
    }
    for (const auto& [run, row] : runs_)
      problems_.add(fmt::format("run {}: its row is missing", run));
    return {};
  }

  Status compare_locks(sql::Connection& connection) {
    TRY_LET(sql::Statement rows, connection.prepare("SELECT environment, run_id FROM env_lock"));
    std::map<std::string, std::string> stored;
    for (;;) {
      TRY_LET(const bool more, rows.row());
      if (!more) break;
      stored[rows.text(0)] = std::to_string(rows.integer(1));
    }
    for (const auto& [environment, run] : locks_) {
      const auto found = stored.find(environment);
      if (found == stored.end() || found->second != run) {
        problems_.add(fmt::format("the lock of {}: run {} holds it, the table says otherwise",
                                  environment, run));
      }
    }
    for (const auto& [environment, run] : stored) {
      if (!locks_.contains(environment)) {
        problems_.add(fmt::format("the lock of {}: nobody holds it, the table says run {}",
                                  environment, run));
      }
    }
    return {};
  }

  Problems& problems_;
  std::map<std::string, std::int64_t> seqs_;
  std::map<std::string, RunRow> runs_;
  std::map<std::string, std::string> locks_;
};

Status check_guards(sql::Connection& connection, Problems& problems) {
  TRY_LET(
      sql::Statement count,
      connection.prepare("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name IN "
                         "('event_is_not_changed', 'event_is_not_removed')"));
  TRY(count.row());
  if (count.integer(0) != 2) problems.add("the triggers that refuse changes to events are missing");
  count.reset();
  TRY_LET(sql::Statement check, connection.prepare("PRAGMA quick_check(10)"));
  for (;;) {
    TRY_LET(const bool more, check.row());
    if (!more) return {};
    if (check.text(0) != "ok") problems.add("the database file: " + check.text(0));
  }
}

Status check_events(sql::Connection& connection, Problems& problems, Verification& verification) {
  TRY_LET(sql::Statement rows,
          connection.prepare(fmt::format("SELECT {} FROM event ORDER BY id", event_columns)));
  ChainCheck chain(problems);
  Rebuilt rebuilt(problems);
  std::optional<Row> current;
  for (bool more = true; more;) {
    TRY_LET(more, rows.row());
    std::optional<Row> next;
    if (more) next = Row{event_of(rows), rows.integer(9)};
    if (current) {
      ++verification.events;
      chain.see(*current, next ? &*next : nullptr);
      rebuilt.see(current->event);
      verification.head = hex(current->event.hash);
    }
    current = std::move(next);
  }
  return rebuilt.compare(connection);
}

}  // namespace

Event event_of(const sql::Statement& row) {
  Event event;
  event.id = row.integer(0);
  event.run = std::to_string(row.integer(1));
  event.seq = row.integer(2);
  event.at = TimePoint(Millis(row.integer(3)));
  event.kind = row.text(4);
  event.version = static_cast<int>(row.integer(5));
  event.key = row.text(6);
  event.body = row.text(7);
  event.hash = row.text(8);
  return event;
}

Result<Verification> verify_all(sql::Connection& connection) {
  // One transaction: the tables and the events of the same moment.
  TRY(connection.execute("BEGIN"));
  Problems problems;
  Verification verification;
  Status status = check_guards(connection, problems);
  if (status) status = check_events(connection, problems, verification);
  connection.roll_back();
  if (!status) return std::move(status).error();
  verification.problems = problems.take();
  return verification;
}

}  // namespace belay::journal
