// SPDX-License-Identifier: Apache-2.0
#include "journal/append.hpp"

#include <set>

#include "base/json.hpp"
#include "base/text.hpp"
#include "journal/chain.hpp"

namespace belay::journal {

namespace {

constexpr std::size_t name_limit = 1000;

Result<Json> object(const std::string& body) {
  TRY_LET(Json value, parse_json(body));
  if (!value.is_object()) return fail(Fault::invalid, "an event's body is not a JSON object");
  return value;
}

Result<std::string> text_member(const Json& value, const char* name) {
  const auto member = value.find(name);
  if (member == value.end()) return std::string();
  if (!member->is_string()) {
    return fail(Fault::invalid, fmt::format("the event's \"{}\" is not a text", name));
  }
  return member->get<std::string>();
}

Status check_event(const NewEvent& event) {
  if (event.kind.empty() || event.kind.size() > name_limit || event.key.size() > name_limit) {
    return fail(Fault::invalid, "an event's kind or key is empty or too long");
  }
  if (event.body.size() > body_limit) {
    return fail(Fault::invalid,
                fmt::format("the body of \"{}\" has {} bytes, the journal takes {}; keep the rest "
                            "in a file and its digest in the event",
                            event.kind, with_commas(event.body.size()), with_commas(body_limit)));
  }
  if (event.kind == "lock.granted" || event.kind == "run.finished") {
    const char* name = event.kind == "lock.granted" ? "environment" : "ending";
    TRY_LET(const std::string value, read_member(event.body, name));
    if (value.empty() || value == "open") {
      return fail(Fault::invalid, fmt::format("\"{}\" needs a member \"{}\"", event.kind, name));
    }
    return {};
  }
  if (event.kind == "run.created") return {};  // read as a whole later
  TRY(parse_json(event.body));
  return {};
}

}  // namespace

bool is_note(const std::string& kind) {
  return kind == "note" || kind.starts_with("note.");
}

Result<std::string> read_member(const std::string& body, const char* name) {
  TRY_LET(const Json value, object(body));
  return text_member(value, name);
}

Result<RunCreated> read_run_created(const std::string& body) {
  TRY_LET(const Json value, object(body));
  RunCreated created;
  TRY_LET(created.pipeline, text_member(value, "pipeline"));
  TRY_LET(created.environment, text_member(value, "environment"));
  created.summary = canonical(value.value("summary", Json::object()));
  return created;
}

Status check_request(const Request& request) {
  for (const auto& event : request.events) {
    TRY(check_event(event));
    if ((event.kind == "run.created") != request.run.empty()) {
      return fail(Fault::invalid, "a run begins with run.created, once");
    }
  }
  if (!request.run.empty()) return {};
  TRY(read_run_created(request.events.front().body));
  return {};
}

Result<Appender> Appender::prepare(sql::Connection& connection) {
  Appender made;
  TRY_LET(made.head_, connection.prepare("SELECT id, hash FROM event ORDER BY id DESC LIMIT 1"));
  TRY_LET(made.last_run_, connection.prepare("SELECT max(run_id) FROM event"));
  TRY_LET(made.last_seq_, connection.prepare("SELECT max(seq) FROM event WHERE run_id = ?1"));
  TRY_LET(made.state_, connection.prepare("SELECT state FROM run WHERE id = ?1"));
  TRY_LET(made.holder_, connection.prepare("SELECT run_id FROM env_lock WHERE environment = ?1"));
  TRY_LET(made.insert_event_,
          connection.prepare("INSERT INTO event(id, run_id, seq, at, kind, version, epoch, key, "
                             "body, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8, ?9)"));
  TRY_LET(made.insert_run_,
          connection.prepare("INSERT INTO run(id, pipeline, environment, state, created, summary) "
                             "VALUES (?1, ?2, ?3, 'open', ?4, ?5)"));
  TRY_LET(made.finish_run_,
          connection.prepare("UPDATE run SET state = ?2, finished = ?3 WHERE id = ?1"));
  TRY_LET(made.insert_lock_,
          connection.prepare("INSERT INTO env_lock(environment, run_id, since) VALUES (?1, ?2, ?3) "
                             "ON CONFLICT DO NOTHING"));
  TRY_LET(made.release_locks_, connection.prepare("DELETE FROM env_lock WHERE run_id = ?1"));
  return made;
}

Status Appender::load_head() {
  TRY_LET(const bool found, head_.row());
  last_id_ = found ? head_.integer(0) : 0;
  last_hash_ = found ? head_.text(1) : chain_start();
  head_.reset();
  return {};
}

Result<Appender::Placed> Appender::place(const Request& request) {
  Placed placed;
  if (request.run.empty()) {
    TRY(last_run_.row());
    placed.run = last_run_.integer(0) + 1;
    last_run_.reset();
    return placed;
  }
  placed.run = run_number(request.run);
  TRY(last_seq_.bind(1, placed.run).row());
  placed.seq = last_seq_.integer(0);
  last_seq_.reset();
  TRY_LET(const bool found, state_.bind(1, placed.run).row());
  placed.finished = found && state_.text(0) != "open";
  state_.reset();
  return placed;
}

// Nothing is written yet. `broken` failures are the database's, the others the request's.
Status Appender::check(const Placed& placed, const std::vector<NewEvent>& events) {
  bool finished = placed.finished;
  for (const auto& event : events) {
    if (finished && !is_note(event.kind)) {
      return fail(Fault::refused, fmt::format("run {} has ended; \"{}\" cannot follow, only notes",
                                              placed.run, event.kind));
    }
    finished = finished || event.kind == "run.finished";
    if (event.kind != "lock.granted") continue;
    TRY_LET(const std::string environment, read_member(event.body, "environment"));
    TRY_LET(const bool held, holder_.bind(1, environment).row());
    const std::int64_t holder = held ? holder_.integer(0) : placed.run;
    holder_.reset();
    if (holder != placed.run) {
      return fail(Fault::busy, fmt::format("{} is locked by run {}; wait for it, or cancel it",
                                           environment, holder));
    }
  }
  return {};
}

Status Appender::insert(Event event) {
  event.id = last_id_ + 1;
  const std::string hash = chained(last_hash_, event, 0);
  insert_event_.bind(1, event.id)
      .bind(2, run_number(event.run))
      .bind(3, event.seq)
      .bind(4, event.at.time_since_epoch().count());
  insert_event_.bind(5, event.kind).bind(6, std::int64_t{event.version}).bind(7, event.key);
  TRY(insert_event_.bind(8, event.body).bind_blob(9, hash).run());
  last_id_ = event.id;
  last_hash_ = hash;
  return {};
}

Status Appender::take_in(const Event& event) {
  if (event.id != last_id_ + 1 || chained(last_hash_, event, 0) != event.hash) {
    return fail(Fault::corrupt,
                fmt::format("event {} does not follow event {} that is here", event.id, last_id_));
  }
  TRY(insert(event));
  return derive(run_number(event.run), {event.kind, event.key, event.body, event.version},
                event.at);
}

Status Appender::derive(std::int64_t run, const NewEvent& event, TimePoint at) {
  const std::int64_t millis = at.time_since_epoch().count();
  if (event.kind == "run.created") {
    TRY_LET(const RunCreated created, read_run_created(event.body));
    insert_run_.bind(1, run).bind(2, created.pipeline).bind(3, created.environment);
    return insert_run_.bind(4, millis).bind(5, created.summary).run();
  }
  if (event.kind == "lock.granted") {
    TRY_LET(const std::string environment, read_member(event.body, "environment"));
    return insert_lock_.bind(1, environment).bind(2, run).bind(3, millis).run();
  }
  if (event.kind == "run.finished") {
    TRY_LET(const std::string ending, read_member(event.body, "ending"));
    TRY(finish_run_.bind(1, run).bind(2, ending).bind(3, millis).run());
    return release_locks_.bind(1, run).run();
  }
  return {};
}

Status Appender::write(const Placed& placed, const Request& request, TimePoint at) {
  std::int64_t seq = placed.seq;
  for (const auto& event : request.events) {
    TRY(insert({0,
                std::to_string(placed.run),
                ++seq,
                at,
                event.kind,
                event.version,
                event.key,
                event.body,
                {}}));
    TRY(derive(placed.run, event, at));
  }
  return {};
}

Answer Appender::apply(const Request& request, TimePoint at) {
  auto placed = place(request);
  if (!placed) return {placed.error(), {}, true};
  Answer answer{{}, std::to_string(placed->run), false};
  if (!request.run.empty() && placed->seq == 0) {
    answer.status = fail(Fault::missing, fmt::format("there is no run \"{}\"", request.run));
  } else if (placed->seq != request.expected_seq) {
    answer.status = fail(Fault::conflict,
                         fmt::format("run {} has {} events, {} were expected: somebody else went "
                                     "on with it; load it and decide again",
                                     request.run, placed->seq, request.expected_seq));
  } else {
    answer.status = check(*placed, request.events);
  }
  if (!answer.status) return answer;
  answer.status = write(*placed, request, at);
  answer.broken = !answer.status;
  return answer;
}

}  // namespace belay::journal
