// SPDX-License-Identifier: Apache-2.0
// The salvage of a rewind: what was there before it, saved before its first write. Sealed objects
// beside the restore points; format: docs/formats/salvage.md. Objects are only ever added. The
// index is written last and makes the salvage complete: before it nothing may be changed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vault/rewind.hpp"

namespace belay::vault {

// What is done to one collection.
struct Task {
  enum class How {
    change,   // documents by id, indexes, options that collMod can change
    create,   // the collection is not there now
    remove,   // it shall not be there: salvaged whole
    replace,  // it must be made anew: salvaged whole
  };
  How how = How::change;
  std::optional<database::Collection> live, wanted;  // as found before the first write; the goal
  bool ordered = false;    // a sequence, not a run by id (capped, collated, time series)
  bool from_goal = false;  // the documents to write are read from the goal, not the salvage
  bool split = false;      // some change must be a delete and an insert
  Difference difference;
  std::uint64_t entries = 0;              // in the segments
  std::uint64_t segment = 0, offset = 0;  // where the first one is
  std::optional<std::uint64_t> expected;  // documents when all is done

  const database::Namespace& ns() const { return wanted ? wanted->ns : live->ns; }
};

struct SalvageIndex {
  std::string name, kind;  // "rewind": to the point `of`; "undo": of the salvage `of`
  std::string of, project, environment, run;
  std::string origin;  // hash of the run's first event: whose run it is
  TimePoint at{};
  int attempt = 1;
  std::uint64_t segments = 0, documents = 0;
  std::vector<Task> tasks;
};

// One version: what was there, and what the rewind put there. Views into the reader's segment.
struct Entry {
  std::uint32_t task = 0;
  std::optional<std::string_view> live, wanted;

  std::string_view any() const { return live ? *live : *wanted; }
};

// Writes segments of at most 8 MiB (or one entry) as they fill.
class SegmentWriter {
 public:
  // `stem`: "salvage/NAME/1-"; `number`: of the first segment.
  SegmentWriter(Vault& vault, std::string stem, std::uint64_t number)
      : vault_(vault), stem_(std::move(stem)), number_(number), first_(number) {}
  Status add(std::uint32_t task, const std::optional<std::string_view>& live,
             const std::optional<std::string_view>& wanted);
  Status flush();                                             // fine when there is nothing
  std::uint64_t segment() const { return number_ - first_; }  // of the next entry, from 0
  std::uint64_t offset() const { return buffer_.size(); }

 private:
  Vault& vault_;
  std::string stem_, buffer_;
  std::uint64_t number_, first_;
};

// Reads the entries of one task; bounded memory. An entry is valid until the next call.
class EntryReader {
 public:
  EntryReader(Vault& vault, const SalvageIndex& index, std::uint32_t task);
  Result<std::optional<Entry>> next();

 private:
  Vault& vault_;
  std::string stem_;
  std::uint32_t task_;
  std::uint64_t left_, segment_, segments_;
  std::size_t offset_;
  std::string content_;
  bool loaded_ = false;
};

// refused: the name is not made of letters, digits, '-', '_' and '.'.
Status check_salvage_name(const std::string& name);
// missing: there is none, or it was never completed (then nothing was changed under it).
Result<SalvageIndex> load_salvage(Vault& vault, const std::string& name);
Status save_index(Vault& vault, const SalvageIndex& index);
// One more than the highest attempt that left segments; the first free number of later versions.
Result<int> next_attempt(Vault& vault, const std::string& name);
Result<std::uint64_t> next_later(Vault& vault, const std::string& name);
// A rewind beside other writers goes on in passes: the salvage of the second one of "x" is
// "x.pass-2".
std::string pass_name(const std::string& name, std::size_t pass);
std::string segment_stem(const std::string& name, int attempt);
std::string later_stem(const std::string& name);
// Whether the rewind of that salvage came to its end, and what it verified.
Result<std::optional<std::uint64_t>> completed(Vault& vault, const std::string& name);
Status mark_completed(Vault& vault, const std::string& name, std::uint64_t verified);

// Reads one segment's text from `offset`, moves it on; none at the end.
Result<std::optional<Entry>> read_entry(std::string_view content, std::size_t& offset);

}  // namespace belay::vault
