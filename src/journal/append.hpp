// SPDX-License-Identifier: Apache-2.0
// Writes one request of a group inside an open transaction. What is wrong with a request is found
// before anything of it is written, so that it fails alone.
#pragma once

#include <vector>

#include "base/sql.hpp"
#include "journal/journal.hpp"

namespace belay::journal {

struct Request {
  std::string run;  // empty: a new run
  std::int64_t expected_seq = 0;
  std::vector<NewEvent> events;
};

struct Answer {
  Status status;
  std::string run;
  // The database failed: the transaction cannot go on.
  bool broken = false;
};

class Appender {
 public:
  static Result<Appender> prepare(sql::Connection& connection);

  // At the beginning of each transaction: other processes append too.
  Status load_head();
  Answer apply(const Request& request, TimePoint at);
  // An event as another machine wrote it; its hash in 32 bytes. corrupt: it does not follow the one
  // before.
  Status take_in(const Event& event);
  std::int64_t last_id() const { return last_id_; }
  const std::string& last_hash() const { return last_hash_; }

 private:
  struct Placed {
    std::int64_t run = 0, seq = 0;
    bool finished = false;
  };
  Result<Placed> place(const Request& request);
  Status check(const Placed& placed, const std::vector<NewEvent>& events);
  Status insert(Event event);
  Status derive(std::int64_t run, const NewEvent& event, TimePoint at);
  Status write(const Placed& placed, const Request& request, TimePoint at);

  sql::Statement head_, last_run_, last_seq_, state_, holder_;
  sql::Statement insert_event_, insert_run_, finish_run_, insert_lock_, release_locks_;
  std::int64_t last_id_ = 0;
  std::string last_hash_;
};

// Before a request may queue: sizes, kinds, bodies that must be read.
Status check_request(const Request& request);

// For the derived tables, of bodies that check_request has seen or that come from the journal.
struct RunCreated {
  std::string pipeline, environment, summary;
};
Result<RunCreated> read_run_created(const std::string& body);
Result<std::string> read_member(const std::string& body, const char* name);
bool is_note(const std::string& kind);

}  // namespace belay::journal
