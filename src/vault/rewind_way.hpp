// SPDX-License-Identifier: Apache-2.0
// The second half of a rewind: with the salvage complete, the database is brought to the goal.
// Each stage looks at what is there now and does what is missing, so that all of them may be
// repeated after a kill at any write.
#pragma once

#include "vault/rewind_find.hpp"

namespace belay::vault {

struct Way {
  database::Database& database;
  Vault& vault;
  Goal& goal;
  SalvageIndex index;
  bool resumed = false;  // the index was written by an earlier process
  Clock& clock;
  const OnProgress& progress;
  std::stop_token stop;
  std::optional<database::Position> since;  // before the comparison; none: nothing tells since
  database::Catalogue as_they_were;         // collections without a task, when compared
  std::uint64_t verified = 0;

  Status go_on() const {
    if (!stop.stop_requested()) return {};
    return fail(Fault::cancelled,
                "the rewind was stopped half-way; run it again under the same name "
                "to go on, or undo it");
  }
  void tell(const char* doing, const Task& task, std::uint64_t done, std::uint64_t total) const {
    if (progress) progress({fmt::format("{} {}", doing, task.ns().text()), done, total});
  }
};

// Stops documents from expiring; drops, renames and makes collections; drops indexes that would
// refuse the goal's documents.
Status clear_the_way(Way& way);
// The documents of every task.
Status bring_documents(Way& way);
// Options, views and missing indexes, but for those that let documents expire.
Status put_facts_back(Way& way);
// What anybody else has done since the comparison, or that it cannot be told: for people. Empty:
// nobody did anything.
Result<std::string> done_by_others(Way& way);
// Every changed document is read back: the first that is not as it shall be, for people; empty: all
// are. Counts into `way.verified`.
Result<std::string> verify_documents(Way& way);
// Last; notes in the tasks' differences how many documents are about to expire.
Status put_expiry_back(Way& way);
Status verify_facts(Way& way);

// Salvages versions that appeared after the index was written, before they are changed.
class LaterVersions {
 public:
  explicit LaterVersions(Way& way) : way_(way) {}
  Status add(std::uint32_t task, std::string_view live,
             const std::optional<std::string_view>& wanted);
  Status flush();

 private:
  Way& way_;
  std::optional<SegmentWriter> writer_;
};
// All documents of a collection that is about to be dropped, unless they are in the salvage as
// they are.
Status salvage_whole_again(Way& way, std::uint32_t task, const database::Collection& now);

}  // namespace belay::vault
