// SPDX-License-Identifier: Apache-2.0
#include "database/log_reading.hpp"

#include "base/hash.hpp"
#include "database/mongodb/document.hpp"

namespace belay::database {
namespace {

constexpr int deepest = 16;
constexpr int longest_chain = 100'000;
constexpr std::size_t most_id_bytes = std::size_t{256} << 20, id_overhead = 80;

// Commands that change only the database they stand under: nothing to us when it is not ours.
constexpr std::string_view known_commands[] = {"create",
                                               "drop",
                                               "dropDatabase",
                                               "collMod",
                                               "createIndexes",
                                               "startIndexBuild",
                                               "commitIndexBuild",
                                               "abortIndexBuild",
                                               "dropIndexes",
                                               "deleteIndexes",
                                               "deleteIndex",
                                               "dropIndex",
                                               "convertToCapped",
                                               "emptycapped",
                                               "dbCheck",
                                               "importCollection",
                                               "modifyCollectionShardingIndexCatalog",
                                               "createDatabaseMetadata",
                                               "dropDatabaseMetadata",
                                               "upgradeDowngradeViewlessTimeseries",
                                               "dropIdent",
                                               "setMultikeyMetadata",
                                               "renameCollection"};

std::string_view database_of(std::string_view ns) {
  return ns.substr(0, ns.find('.'));
}

std::string_view collection_of(std::string_view ns) {
  const auto dot = ns.find('.');
  return dot == std::string_view::npos ? std::string_view() : ns.substr(dot + 1);
}

std::optional<Position> previous(std::string_view entry) {
  const auto stamp = stamp_at(entry, "prevOpTime.ts");
  if (!stamp || *stamp == 0) return std::nullopt;
  return Position{*stamp, number_at(entry, "prevOpTime.t").value_or(-1)};
}

std::string show(const Position& at) {
  return fmt::format("({}, {}) of term {}", at.timestamp >> 32, at.timestamp & 0xFFFFFFFFU,
                     at.term);
}

// Vectored inserts are applied at once and are no transaction, whatever links they carry.
bool in_transaction(std::string_view entry) {
  return has(entry, "txnNumber") && number_at(entry, "multiOpType").value_or(0) != 1;
}

}  // namespace

Position position_of(std::string_view entry) {
  return {stamp_at(entry, "ts").value_or(0), number_at(entry, "t").value_or(-1)};
}

LogReading::LogReading(std::vector<std::string> databases, Earlier earlier)
    : databases_(std::move(databases)), earlier_(std::move(earlier)) {}

bool LogReading::ours(std::string_view database) const {
  return std::find(databases_.begin(), databases_.end(), database) != databases_.end();
}

void LogReading::begin_anew(std::string reason, Ids ids) {
  if (old_) return;
  lost_ = lost_ || ids == Ids::lost;
  if (restart_.empty()) restart_ = std::move(reason);
}

Status LogReading::add(std::string_view entry) {
  old_ = position_of(entry).timestamp < commands_from_;
  if (text_at(entry, "op") == "c") return add_command(entry);
  add_operation(entry, 0);
  return {};
}

Status LogReading::add_command(std::string_view entry) {
  const auto command = doc_at(entry, "o");
  const std::string_view name = command ? first_key(*command) : std::string_view();
  if (name == "abortTransaction") return {};
  if (name == "commitTransaction") return add_chain(entry);
  if (name != "applyOps") {
    add_other_command(entry);
    return {};
  }
  // A transaction counts at its last entry; a prepared one at its commitTransaction.
  if (flag_at(entry, "o.partialTxn").value_or(false) || flag_at(entry, "o.prepare").value_or(false))
    return {};
  if (in_transaction(entry)) return add_chain(entry);
  add_operations(entry, 0);
  return {};
}

Status LogReading::add_chain(std::string_view entry) {
  const bool commit = !has(entry, "o.applyOps");
  if (!commit) add_operations(entry, 0);
  std::optional<Position> link = previous(entry);
  if (commit && !link) begin_anew("a prepared transaction in the log names no earlier entry");
  Position after = position_of(entry);
  for (int length = 0; link; ++length) {
    if (link->timestamp >= after.timestamp || length == longest_chain) {
      begin_anew("a transaction in the log is linked to " + show(*link) +
                 ", which is no earlier entry");
      return {};
    }
    TRY_LET(const auto earlier, earlier_(*link));
    if (!earlier || !has(*earlier, "o.applyOps")) {
      begin_anew("the log no longer has the entry " + show(*link) + " of a transaction");
      return {};
    }
    add_operations(*earlier, 0);
    after = *link;
    link = previous(*earlier);
  }
  return {};
}

void LogReading::add_operations(std::string_view entry, int depth) {
  const auto operations = doc_at(entry, "o.applyOps");
  if (!operations || depth == deepest) {
    begin_anew("an applyOps entry of the log cannot be read");
    return;
  }
  for (const std::string_view operation : documents_in(*operations))
    add_operation(operation, depth);
}

void LogReading::add_operation(std::string_view operation, int depth) {
  const std::string_view op = text_at(operation, "op").value_or("");
  if (op == "i" || op == "u" || op == "d") return add_write(operation, op);
  // No-ops, and what a server keeps beside the documents for itself.
  if (op == "n" || op == "ci" || op == "cu" || op == "cd" || op == "km") return;
  if (op != "c")
    return begin_anew("an entry of an unknown kind \"" + std::string(op) + "\" is in the log");
  const auto command = doc_at(operation, "o");
  if (command && first_key(*command) == "applyOps") return add_operations(operation, depth + 1);
  add_other_command(operation);
}

void LogReading::add_write(std::string_view operation, std::string_view op) {
  const std::string_view ns = text_at(operation, "ns").value_or("");
  if (!ours(database_of(ns))) return;
  const std::string_view collection = collection_of(ns);
  if (collection == "system.views" || collection.starts_with("system.buckets."))
    return begin_anew("views or time series of " + std::string(database_of(ns)) + " were changed",
                      collection == "system.views" ? Ids::complete : Ids::lost);
  if (collection.starts_with("system."))
    return begin_anew(std::string(ns) + " was written to", Ids::complete);
  const auto holder = doc_at(operation, op == "u" ? "o2" : "o");
  const auto id = holder ? id_of(*holder) : Result<Bson>(fail(Fault::corrupt, "no document"));
  if (!id) return begin_anew("a write to " + std::string(ns) + " in the log names no `_id`");
  const std::string uuid = hex(binary_at(operation, "ui").value_or(""));
  if (!ids_[{std::string(ns), uuid}].insert(*id).second) return;
  id_bytes_ += id->size() + id_overhead;
  if (id_bytes_ <= most_id_bytes) return;
  begin_anew("more documents were written to meanwhile than can be kept in mind", Ids::lost);
  ids_.clear();
  id_bytes_ = 0;
}

void LogReading::add_other_command(std::string_view operation) {
  const auto command = doc_at(operation, "o");
  const std::string name(command ? first_key(*command) : std::string_view());
  const std::string_view database = database_of(text_at(operation, "ns").value_or(""));
  if (old_) return forget_dropped(operation, name);
  const bool known = std::find(std::begin(known_commands), std::end(known_commands), name) !=
                     std::end(known_commands);
  if (ours(database))
    return begin_anew("\"" + name + "\" changed the collections of " + std::string(database),
                      known && name != "emptycapped" ? Ids::complete : Ids::lost);
  if (name == "renameCollection") {
    for (const char* side : {"renameCollection", "to"}) {
      const std::string_view other = database_of(text_at(*command, side).value_or(""));
      if (ours(other))
        return begin_anew("a collection of " + std::string(other) + " was renamed", Ids::complete);
    }
  }
  if (!known) begin_anew("an unknown command \"" + name + "\" is in the log");
}

void LogReading::forget_dropped(std::string_view operation, const std::string& name) {
  const std::string database(database_of(text_at(operation, "ns").value_or("")));
  const bool whole = name == "dropDatabase";
  if (!whole && name != "drop") return;
  const std::string dropped =
      database + "." + std::string(text_at(operation, "o.drop").value_or(""));
  const std::string uuid = hex(binary_at(operation, "ui").value_or(""));
  std::erase_if(ids_, [&](const auto& one) {
    const auto& [ns, its_uuid] = one.first;
    if (whole) return database_of(ns) == database;
    return uuid.empty() || its_uuid.empty() ? ns == dropped : its_uuid == uuid;
  });
}

Touched LogReading::take() {
  Touched out;
  out.restart = std::move(restart_);
  out.ids_complete = !lost_;
  for (auto& [key, ids] : ids_) {
    Touched::Entry entry;
    entry.ns = {std::string(database_of(key.first)), std::string(collection_of(key.first))};
    entry.uuid = key.second;
    entry.ids.assign(ids.begin(), ids.end());
    out.count += entry.ids.size();
    out.entries.push_back(std::move(entry));
  }
  ids_.clear();
  return out;
}

}  // namespace belay::database
