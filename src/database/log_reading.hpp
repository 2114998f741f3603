// SPDX-License-Identifier: Apache-2.0
// What the entries of a server's change log touched. Pure: it is fed raw entries in the log's
// order and asks only for earlier entries of a transaction that began before the reading.
#pragma once

#include <map>
#include <set>

#include "database/database.hpp"

namespace belay::database {

class LogReading {
 public:
  // The entry at exactly this position; nothing when the log no longer has it.
  using Earlier = std::function<Result<std::optional<Bson>>(const Position&)>;

  LogReading(std::vector<std::string> databases, Earlier earlier);

  // Entries before this timestamp only add ids, of collections that are still there then: what
  // their commands did is in the catalogue.
  void commands_count_from(std::uint64_t timestamp) { commands_from_ = timestamp; }
  // Never fails on a strange entry: it asks for a new reading and names the entry.
  Status add(std::string_view entry);
  const std::string& restart() const { return restart_; }
  Touched take();

 private:
  Status add_command(std::string_view entry);
  // The operations of a transaction, from its last entry backwards.
  Status add_chain(std::string_view entry);
  void add_operations(std::string_view entry, int depth);
  void add_operation(std::string_view operation, int depth);
  void add_write(std::string_view operation, std::string_view op);
  void add_other_command(std::string_view operation);
  // What was written to a collection that is gone is in no catalogue of later.
  void forget_dropped(std::string_view operation, const std::string& name);
  bool ours(std::string_view database) const;
  // A mere change of collections is no lost id.
  enum class Ids { complete, lost };
  void begin_anew(std::string reason, Ids ids = Ids::lost);

  std::vector<std::string> databases_;
  Earlier earlier_;
  std::uint64_t commands_from_ = 0;
  bool old_ = false;  // the entry at hand is from before commands_from_
  std::map<std::pair<std::string, std::string>, std::set<Bson>> ids_;  // (namespace, uuid)
  std::string restart_;
  bool lost_ = false;
  std::size_t id_bytes_ = 0;
};

// (ts, t) of an entry; an entry without a term has -1.
Position position_of(std::string_view entry);

}  // namespace belay::database
