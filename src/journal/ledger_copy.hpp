// SPDX-License-Identifier: Apache-2.0
// A journal's file as this machine's copy of what a ledger holds. Names and texts in the ledger:
// docs/formats/journal.md, "Shared".
#pragma once

#include "journal/append.hpp"

namespace belay::journal {

class LedgerCopy {
 public:
  LedgerCopy(Ledger& ledger, sql::Connection& writer, Appender& appender)
      : ledger_(ledger), writer_(writer), appender_(appender) {}

  // Whether the ledger has something new, by what `reader` sees. Asks, and changes nothing.
  Result<bool> is_behind(sql::Connection& reader);

  // Both in a transaction of the writer's, after Appender::load_head().
  //
  // When opening: the file becomes a copy, its own events go into a ledger that is empty; or it is
  // one, and the event that it ends with is the ledger's.
  Status join();
  Status take_in();
  // What the transaction has added after event `last`. conflict: another machine was first; roll
  // back, take in, and try again.
  Status publish(std::int64_t last);

 private:
  Status remember(std::int64_t batch);
  Status carry_over();
  Status check_last(std::int64_t batch);
  Result<std::vector<std::int64_t>> batches(std::int64_t shelf, std::int64_t last);
  Result<std::optional<std::int64_t>> take_in_pack(std::int64_t shelf);
  Result<std::int64_t> take_in_text(const std::string& name, const std::string& text);
  Status take_in_batch(std::int64_t batch);
  Status take_in_shelf(std::int64_t shelf, std::int64_t& last);
  void put_pack(std::int64_t shelf, std::int64_t first, std::int64_t last);
  Result<std::vector<Event>> events_from(std::int64_t first, std::int64_t end);

  Ledger& ledger_;
  sql::Connection& writer_;
  Appender& appender_;
};

// refused, with the way out, when the file is a copy of a ledger.
Status check_own(sql::Connection& connection, const Path& folder);

}  // namespace belay::journal
