// SPDX-License-Identifier: Apache-2.0
#include "journal/ledger_copy.hpp"

#include <charconv>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "journal/chain.hpp"
#include "journal/verify.hpp"

namespace belay::journal {

namespace {

constexpr int ledger_format = 1;
constexpr std::int64_t shelf_events = 256;  // a shelf has the batches that begin among them
constexpr std::size_t worth_a_pack = 8;     // batches

// A batch is what one append, or one group of them, brought; its number is its first event's.
std::int64_t shelf_of(std::int64_t batch) {
  return batch / shelf_events;
}
std::string shelf_prefix(std::int64_t shelf) {
  return fmt::format("events/{:08}/", shelf);
}
std::string batch_name(std::int64_t batch) {
  return fmt::format("{}{:012}", shelf_prefix(shelf_of(batch)), batch);
}
// A whole shelf in one text, for machines that begin with nothing.
std::string pack_name(std::int64_t shelf) {
  return fmt::format("packs/{:08}", shelf);
}

Json event_json(const Event& event) {
  return {{"id", event.id},         {"run", event.run},
          {"seq", event.seq},       {"at", event.at.time_since_epoch().count()},
          {"kind", event.kind},     {"version", event.version},
          {"key", event.key},       {"body", event.body},
          {"hash", hex(event.hash)}};
}

Result<Event> event_from(const Json& json) {
  Event event;
  event.id = json.at("id").get<std::int64_t>();
  event.run = json.at("run").get<std::string>();
  event.seq = json.at("seq").get<std::int64_t>();
  event.at = TimePoint(Millis(json.at("at").get<std::int64_t>()));
  event.kind = json.at("kind").get<std::string>();
  event.version = json.at("version").get<int>();
  event.key = json.at("key").get<std::string>();
  event.body = json.at("body").get<std::string>();
  TRY_LET(event.hash, from_hex(json.at("hash").get<std::string>()));
  return event;
}

// `last`: the last batch whose events are in it.
std::string write_text(const std::vector<Event>& events, std::int64_t last) {
  Json list = Json::array();
  for (const auto& event : events) list.push_back(event_json(event));
  return canonical(Json{{"belay_journal", ledger_format}, {"last", last}, {"events", list}});
}

struct Text {
  std::int64_t last = 0;
  std::vector<Event> events;
};

Result<Text> read_text(const std::string& name, const std::string& text) {
  try {
    const Json json = Json::parse(text);
    const int found = json.at("belay_journal").get<int>();
    if (found > ledger_format) {
      return fail(Fault::refused, fmt::format("{} has format {}, this program knows formats up to "
                                              "{}; use the newer Belay that wrote it",
                                              name, found, ledger_format));
    }
    Text read{json.at("last").get<std::int64_t>(), {}};
    for (const auto& one : json.at("events")) {
      TRY_LET(auto event, event_from(one));
      read.events.push_back(std::move(event));
    }
    if (!read.events.empty()) return read;
  } catch (const Json::exception&) {}
  return fail(Fault::corrupt, name + " does not hold a journal's events");
}

std::int64_t number_in(std::string_view digits) {
  std::int64_t number = 0;
  const auto end = digits.data() + digits.size();
  return std::from_chars(digits.data(), end, number).ptr == end ? number : 0;
}

// The last batch that the file has; none: the file is nobody's copy.
Result<std::optional<std::int64_t>> last_batch(sql::Connection& connection) {
  TRY_LET(
      sql::Statement row,
      connection.prepare("SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'ledger_batch'"));
  TRY_LET(const bool found, row.row());
  const auto batch = found ? std::optional(row.integer(0)) : std::nullopt;
  row.reset();
  return batch;
}

Error lost(const Ledger& ledger, const std::string& what) {
  return fail(
      Fault::corrupt,
      fmt::format("the journal at {} {}; put back what was removed there, from a copy or by "
                  "the store's own versions. Nothing was written",
                  ledger.where(), what));
}

}  // namespace

Status LedgerCopy::remember(std::int64_t batch) {
  TRY_LET(sql::Statement row,
          writer_.prepare("INSERT INTO meta(name, value) VALUES ('ledger_batch', ?1) "
                          "ON CONFLICT(name) DO UPDATE SET value = excluded.value"));
  return row.bind(1, std::to_string(batch)).run();
}

// The shelf's batches after `last`, which must be among them when it belongs there.
Result<std::vector<std::int64_t>> LedgerCopy::batches(std::int64_t shelf, std::int64_t last) {
  const auto prefix = shelf_prefix(shelf);
  TRY_LET(const auto names, ledger_.list(prefix));
  std::vector<std::int64_t> found;
  bool seen = last == 0 || shelf_of(last) != shelf;
  for (const auto& name : names) {
    const auto batch = number_in(std::string_view(name).substr(prefix.size()));
    if (batch == 0 || batch_name(batch) != name)
      return fail(Fault::corrupt, fmt::format("the journal at {} holds {}, which Belay did not "
                                              "write",
                                              ledger_.where(), name));
    seen = seen || batch == last;
    if (batch > last) found.push_back(batch);
  }
  if (!seen)
    return lost(ledger_, fmt::format("has lost {}, which this machine has seen", batch_name(last)));
  return found;
}

Result<bool> LedgerCopy::is_behind(sql::Connection& reader) {
  TRY_LET(const auto last, last_batch(reader));
  TRY_LET(sql::Statement row, reader.prepare("SELECT max(id) FROM event"));
  TRY(row.row());
  const auto next = shelf_of(row.integer(0) + 1);
  row.reset();
  const auto batch = last.value_or(0);
  TRY_LET(auto fresh, batches(shelf_of(batch), batch));
  if (!fresh.empty() || next == shelf_of(batch)) return !fresh.empty();
  TRY_LET(fresh, batches(next, batch));
  return !fresh.empty();
}

// The last batch that is in it.
Result<std::int64_t> LedgerCopy::take_in_text(const std::string& name, const std::string& text) {
  TRY_LET(const auto read, read_text(name, text).in("the journal at " + ledger_.where()));
  for (const auto& event : read.events)
    TRY(appender_.take_in(event).in(fmt::format("the journal at {}, {}", ledger_.where(), name)));
  return read.last;
}

Status LedgerCopy::take_in_batch(std::int64_t batch) {
  const auto name = batch_name(batch);
  if (batch != appender_.last_id() + 1)
    return lost(ledger_, fmt::format("has {} where event {} should come next", name,
                                     appender_.last_id() + 1));
  TRY_LET(const auto text, ledger_.get(name));
  TRY_LET([[maybe_unused]] const auto last, take_in_text(name, text));
  return {};
}

// The last batch that was in it; none: nobody has made that pack yet.
Result<std::optional<std::int64_t>> LedgerCopy::take_in_pack(std::int64_t shelf) {
  const auto name = pack_name(shelf);
  auto text = ledger_.get(name);
  if (!text && text.error().fault == Fault::missing) return std::optional<std::int64_t>();
  if (!text) return std::move(text).error();
  TRY_LET(const auto last, take_in_text(name, *text));
  return std::optional(last);
}

Result<std::vector<Event>> LedgerCopy::events_from(std::int64_t first, std::int64_t end) {
  TRY_LET(sql::Statement rows,
          writer_.prepare(fmt::format("SELECT {} FROM event WHERE id >= ?1 AND id < ?2 ORDER BY id",
                                      event_columns)));
  rows.bind(1, first).bind(2, end);
  std::vector<Event> found;
  for (;;) {
    TRY_LET(const bool more, rows.row());
    if (!more) return found;
    found.push_back(event_of(rows));
  }
}

// Whoever was the first to read a full shelf batch by batch spares the next one the same. The text
// is the same whoever writes it, and nothing depends on it: failing is harmless.
void LedgerCopy::put_pack(std::int64_t shelf, std::int64_t first, std::int64_t last) {
  const auto events = events_from(first, appender_.last_id() + 1);
  if (events) static_cast<void>(ledger_.put(pack_name(shelf), write_text(*events, last)).ok());
}

Status LedgerCopy::take_in_shelf(std::int64_t shelf, std::int64_t& last) {
  const bool whole = last == 0 || shelf_of(last) != shelf;
  if (whole) {
    TRY_LET(const auto packed, take_in_pack(shelf));
    if (packed) last = *packed;
  }
  TRY_LET(const auto found, batches(shelf, last));
  for (const auto batch : found) {
    TRY(take_in_batch(batch));
    last = batch;
  }
  const bool full = shelf_of(appender_.last_id() + 1) != shelf;
  if (whole && full && found.size() >= worth_a_pack) put_pack(shelf, found.front(), last);
  return {};
}

Status LedgerCopy::take_in() {
  TRY_LET(const auto known, last_batch(writer_));
  std::int64_t last = known.value_or(0);
  for (auto shelf = shelf_of(last);;) {
    TRY(take_in_shelf(shelf, last));
    const auto next = shelf_of(appender_.last_id() + 1);
    if (next == shelf) break;
    shelf = next;
  }
  return remember(last);
}

Status LedgerCopy::publish(std::int64_t last) {
  TRY_LET(const auto events, events_from(last + 1, appender_.last_id() + 1));
  const auto batch = last + 1;
  TRY(ledger_.put(batch_name(batch), write_text(events, batch)));
  return remember(batch);
}

// A journal that was this machine's own. What an earlier try left in the ledger is the same text.
Status LedgerCopy::carry_over() {
  std::int64_t last = 0;
  for (std::int64_t first = 1; first <= appender_.last_id(); first += shelf_events) {
    TRY_LET(const auto events, events_from(first, first + shelf_events));
    const auto text = write_text(events, first);
    Status put = ledger_.put(batch_name(first), text);
    if (!put && put.error().fault == Fault::conflict) {
      TRY_LET(const auto there, ledger_.get(batch_name(first)));
      if (there == text) put = {};
    }
    if (!put && put.error().fault == Fault::conflict)
      return fail(Fault::refused,
                  fmt::format("the store {} holds another journal than this machine: one of them "
                              "must be moved away, or named by another `vault.store` or `state`",
                              ledger_.where()));
    TRY(std::move(put));
    last = first;
  }
  return remember(last);
}

Status LedgerCopy::check_last(std::int64_t batch) {
  if (batch == 0) return {};
  const auto name = batch_name(batch);
  auto text = ledger_.get(name);
  if (!text && text.error().fault == Fault::missing)
    return lost(ledger_, fmt::format("has lost {}, which this machine has seen", name));
  if (!text) return std::move(text).error();
  TRY_LET(const auto read, read_text(name, *text).in("the journal at " + ledger_.where()));
  TRY_LET(const auto here, events_from(read.events.back().id, read.events.back().id + 1));
  if (!here.empty() && here.front().hash == read.events.back().hash) return {};
  return fail(Fault::refused,
              fmt::format("this machine has a copy of another journal than the one at {}: move the "
                          "copy away, it is fetched anew",
                          ledger_.where()));
}

Status LedgerCopy::join() {
  TRY_LET(const auto known, last_batch(writer_));
  if (known) return check_last(*known);
  return carry_over();
}

Status check_own(sql::Connection& connection, const Path& folder) {
  TRY_LET(const auto known, last_batch(connection));
  if (!known) return {};
  return fail(
      Fault::refused,
      fmt::format("{} is a copy of a journal that machines share in a store, and belay.yaml "
                  "does not say `journal: store`: put that line back, or move the copy "
                  "away to begin a journal of its own",
                  folder.string()));
}

}  // namespace belay::journal
