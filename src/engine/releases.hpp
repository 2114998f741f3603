// SPDX-License-Identifier: Apache-2.0
// Which release was live when, read from the journal: what is live, where one can go back to, and
// which restore point belongs to which release.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "journal/journal.hpp"

namespace belay::engine {

struct Release {
  std::string tag, commit, run, subject;
  TimePoint shipped{};
};

// Where the data of a release is, as it was when the release was last live.
struct DataOf {
  enum class Kind { none, point, undo } kind = Kind::none;
  std::string name;  // restore point, or the salvage of the rewind to undo
  std::string run;   // whose point or salvage that is; empty: it is known by its name alone
  std::string why_none;
};

struct Releases {
  std::vector<Release> shipped;  // oldest first
  std::set<std::string> named;   // tags of all runs, whatever became of them
  std::set<std::string> left;    // tags of releases that were last left by a rollback
  std::optional<Release> live;
  TimePoint live_since{};
  std::string live_run;  // the run that made it live

  const Release* find(const std::string& tag) const;
  // The last verified-good release other than the live one: among the earlier ones first. One that
  // people went back from comes only where there is no other.
  const Release* before_live() const;
  // From the run that ended the release's most recent live period, as that run was planned.
  DataOf data_of(const std::string& tag) const;

  struct Period {
    std::string release, ended_by;  // run
    DataOf data;
  };
  std::vector<Period> ended;  // in time order
};

Result<Releases> read_releases(journal::Journal& journal, const std::string& environment);

// The same from what that run did. A rewind that found nothing to change kept nothing: the data was
// that of its restore point. A salvage holds what its rewind changed and no more: once a later run
// has changed data of its own, undoing that rewind gives no release's data back, and there is none.
Result<DataOf> data_left(journal::Journal& journal, const std::string& environment,
                         const Releases& releases, const std::string& tag);

}  // namespace belay::engine
