// SPDX-License-Identifier: Apache-2.0
// Markers and the change log of a replica set, local.oplog.rs.
#include <deque>
#include <thread>

#include "database/log_reading.hpp"
#include "database/mongodb/mongodb.hpp"

namespace belay::database {
namespace {

const Namespace log_namespace = {"local", "oplog.rs"};
const Namespace marker_namespace = {own_database, "markers"};
constexpr Millis between_looks{20};
constexpr std::size_t tails_kept = 4;
// mongod shows its log without holes. Other servers may show an entry a moment after younger
// ones, so each reading begins this much earlier and skips what the reading before it has seen.
constexpr std::uint64_t overlap = std::uint64_t{1} << 32;

std::string escaped(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

// Always admits every command, every unknown kind of entry, our databases and the markers.
Document log_filter(const std::vector<std::string>& databases, const Position& from,
                    std::uint64_t newest) {
  std::string pattern = "^(" + escaped(own_database);
  for (const auto& name : databases) pattern += "|" + escaped(name);
  pattern += ")\\.";
  Document namespaces;
  bson_append_regex(namespaces.get(), "ns", -1, pattern.c_str(), "");
  Document kinds;
  kinds.doc("op",
            Document().values(
                "$nin", {Document().text("", "i").bytes(), Document().text("", "u").bytes(),
                         Document().text("", "d").bytes(), Document().text("", "n").bytes()}));
  const Document exact = std::move(Document().stamp("ts", from.timestamp));
  const std::uint64_t begin = from.timestamp > overlap ? from.timestamp - overlap : 0;
  Document filter;
  filter.doc("ts", Document().stamp("$gte", begin).stamp("$lte", newest));
  filter.array("$or", {kinds.bytes(), namespaces.bytes(), exact.bytes()});
  return filter;
}

Document majority(const Session& session, Status& status) {
  Document options;
  options.doc("readConcern", Document().text("level", "majority"));
  status = session.add_to(options);
  return options;
}

Status read_log(const Lease& lease, const Document& filter, std::int64_t limit,
                const DocumentSink& sink, std::stop_token stop) {
  TRY_LET(const Session session, Session::start(lease, true));
  Status added;
  Document options = majority(session, added);
  TRY(std::move(added));
  if (limit > 0) options.i64("limit", limit);
  const auto collection = open_collection(lease, log_namespace);
  const Cursor cursor(
      mongoc_collection_find_with_opts(collection.get(), filter.get(), options.get(), nullptr));
  return drain(lease, cursor.get(), sink, stop).in("reading the change log");
}

Result<std::optional<Bson>> entry_at(const Lease& lease, const Position& at) {
  std::optional<Bson> found;
  const auto take = [&](std::string_view entry) -> Status {
    if (position_of(entry).term == at.term) found = Bson(entry);
    return {};
  };
  TRY(read_log(lease, Document().stamp("ts", at.timestamp), 0, take, {}));
  return found;
}

Document marker_id() {
  bson_oid_t oid;
  bson_oid_init(&oid, nullptr);
  Document id;
  bson_append_oid(id.get(), "_id", 3, &oid);
  return id;
}

std::function<bool(const Position&, std::string_view)> is_marker(const Bson& marker) {
  return [&marker](const Position&, std::string_view entry) {
    return text_at(entry, "op") == "i" && text_at(entry, "ns") == marker_namespace.text() &&
           doc_at(entry, "o") == std::string_view(marker);
  };
}

}  // namespace

Result<Bson> Mongodb::write_marker(const Lease& lease, bool log) {
  const Document marker = marker_id();
  Document command;
  command.text("insert", marker_namespace.collection).array("documents", {marker.bytes()});
  if (log)
    add_majority(command);
  else
    command.doc("writeConcern", Document().flag("j", true));
  auto reply = lease.run(own_database, command, Nature::write);
  if (!reply) return std::move(reply).error().in("writing a marker to " + marker_namespace.text());
  if (const auto errors = doc_at(reply->view(), "writeErrors"))
    return fail(Fault::refused, "the server refused a marker in " + marker_namespace.text() + ": " +
                                    to_json(*errors));
  return marker.bytes();
}

// A marker that stays behind does no harm.
void Mongodb::remove_marker(const Lease& lease, const Bson& id) {
  const Document one = std::move(Document().doc("q", id).i32("limit", 1));
  Document command;
  command.text("delete", marker_namespace.collection).array("deletes", {one.bytes()});
  (void)lease.run(own_database, command, Nature::write);
}

Status Mongodb::barrier() {
  TRY_LET(const Facts facts, this->facts());
  const Lease lease(*pool_);
  TRY_LET(const Bson marker, write_marker(lease, !facts.replica_set.empty()));
  remove_marker(lease, marker);
  return {};
}

Result<std::vector<Position>> Mongodb::find_markers(const Lease& lease,
                                                    const std::vector<Bson>& markers,
                                                    std::uint64_t before) {
  Document filter;
  filter.doc("ts", Document().stamp("$gte", before)).text("op", "i");
  filter.text("ns", marker_namespace.text()).doc("o._id", Document().values("$in", markers));
  const auto deadline = std::chrono::steady_clock::now() + config_.limit;
  for (;;) {
    std::vector<Position> found;
    const auto take = [&](std::string_view entry) -> Status {
      found.push_back(position_of(entry));
      return {};
    };
    TRY(read_log(lease, filter, 0, take, {}));
    if (found.size() >= markers.size()) return found;
    if (std::chrono::steady_clock::now() > deadline)
      return fail(Fault::refused,
                  "a marker written with a majority does not appear in the change "
                  "log; is the log readable and the majority moving?");
    std::this_thread::sleep_for(between_looks);
  }
}

Result<Position> Mongodb::mark() {
  TRY_LET(const Facts facts, this->facts());
  if (facts.replica_set.empty())
    return fail(Fault::refused, "a standalone server has no change log: no position can be marked");
  const Lease lease(*pool_);
  const std::uint64_t before = pool_->seen();
  TRY_LET(const Bson marker, write_marker(lease, true));
  TRY_LET(auto at, find_with_tail(lease, marker, before));
  if (!at) {
    TRY_LET(const auto found, find_markers(lease, {marker}, before));
    at = found.front();
  }
  remove_marker(lease, marker);
  return *at;
}

// One reading for the marker and for what stands just before it, so that the reading that begins at
// the marker does not take that for later. Nothing when the marker took long to be written.
Result<std::optional<Position>> Mongodb::find_with_tail(const Lease& lease, const Bson& marker,
                                                        std::uint64_t before) {
  const std::uint64_t newest = pool_->seen();
  if (newest <= overlap) return std::optional<Position>();
  const Position begin{std::max(before, newest - overlap), 0};
  TRY_LET(auto window, read_window(lease, begin, newest, is_marker(marker), {}));
  if (window.end) keep(std::move(window.tail));
  return window.end;
}

void Mongodb::keep(Tail tail) {
  const std::lock_guard lock(tail_lock_);
  tails_.push_back(std::move(tail));
  if (tails_.size() > tails_kept) tails_.pop_front();
}

Mongodb::Tail Mongodb::tail_at(const Position& end) {
  const std::lock_guard lock(tail_lock_);
  for (const auto& tail : tails_)
    if (tail.end == end) return tail;
  return {};
}

Result<std::vector<Position>> Mongodb::mark_twice() {
  const Lease lease(*pool_);
  const std::uint64_t before = pool_->seen();
  TRY_LET(const Bson first, write_marker(lease, true));
  TRY_LET(const Bson second, write_marker(lease, true));
  TRY_LET(auto found, find_markers(lease, {first, second}, before));
  remove_marker(lease, first);
  remove_marker(lease, second);
  return found;
}

Result<Touched> Mongodb::touched(const Position& from, const Position& to, std::stop_token stop) {
  TRY_LET(const Facts facts, this->facts());
  if (facts.replica_set.empty())
    return fail(Fault::refused, "a standalone server has no change log to read from");
  const Lease lease(*pool_);
  const auto is_end = [&](const Position& at, std::string_view) { return at == to; };
  TRY_LET(auto read, read_until(lease, from, to.timestamp, is_end, stop));
  return std::move(read.touched);
}

Result<Database::CaughtUp> Mongodb::catch_up(const Position& from, std::stop_token stop) {
  TRY_LET(const Facts facts, this->facts());
  if (facts.replica_set.empty())
    return fail(Fault::refused, "a standalone server has no change log to read from");
  const Lease lease(*pool_);
  TRY_LET(const Bson marker, write_marker(lease, true));
  // The write's answer has told a time that is not before the marker's.
  TRY_LET(auto read, read_until(lease, from, pool_->seen(), is_marker(marker), stop));
  remove_marker(lease, marker);
  return read;
}

Result<Database::CaughtUp> Mongodb::read_until(const Lease& lease, const Position& from,
                                               std::uint64_t newest, const IsEnd& is_end,
                                               std::stop_token stop) {
  const auto deadline = std::chrono::steady_clock::now() + config_.limit;
  for (;;) {
    TRY_LET(auto window, read_window(lease, from, newest, is_end, stop));
    if (window.end && !window.begins_at_from) {
      window.touched = {};
      window.touched.ids_complete = false;
      window.touched.restart =
          "the change log does not hold the position of the point before: it no "
          "longer reaches back, or the history is another one";
    }
    if (window.end) {
      keep(std::move(window.tail));
      return CaughtUp{*window.end, std::move(window.touched)};
    }
    if (std::chrono::steady_clock::now() > deadline)
      return fail(Fault::timeout, "the change log did not show the newest marker in time");
    std::this_thread::sleep_for(between_looks);
  }
}

Result<Mongodb::Window> Mongodb::read_window(const Lease& lease, const Position& from,
                                             std::uint64_t newest, const IsEnd& is_end,
                                             std::stop_token stop) {
  const Tail before = tail_at(from);
  const Lease second(*pool_);  // for links back, while the first one's cursor is open
  LogReading reading(config_.names, [&](const Position& at) { return entry_at(second, at); });
  reading.commands_count_from(from.timestamp);
  Window out;
  std::deque<std::pair<std::uint64_t, std::size_t>> last;  // the entries of the last moment
  const auto take = [&](std::string_view entry) -> Status {
    const Position at = position_of(entry);
    out.begins_at_from = out.begins_at_from || at == from;
    if (is_end(at, entry)) out.end = at;
    const std::size_t digest = std::hash<std::string_view>()(entry);
    last.emplace_back(at.timestamp, digest);
    while (last.front().first + overlap < at.timestamp) last.pop_front();
    if (at.timestamp <= from.timestamp && before.seen.contains(digest)) return {};
    return reading.add(entry);
  };
  TRY(read_log(lease, log_filter(config_.names, from, newest), 0, take, stop));
  if (out.end) out.tail.end = *out.end;
  for (const auto& [timestamp, digest] : last) out.tail.seen.insert(digest);
  out.touched = reading.take();
  return out;
}

}  // namespace belay::database
