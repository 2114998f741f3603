// SPDX-License-Identifier: Apache-2.0
// What differs between the live database and a goal. Documents are merge-joined in `_id` order;
// memory holds one block and one document of each side.
#pragma once

#include "vault/rewind_goal.hpp"

namespace belay::vault {

struct Found {
  std::vector<Task> tasks;           // only collections that differ
  database::Catalogue as_they_were;  // the live collections that do not
  std::uint64_t compared = 0;
};

// Each version that will change goes to `salvage`, when there is one. Changes nothing else.
// `again`: documents may have been stopped from expiring by us, which is then no difference.
// refused: the server's order of ids is not ours, or a collection cannot be brought back.
Result<Found> find_differences(database::Database& database, Goal& goal, SegmentWriter* salvage,
                               const std::optional<database::Position>& position, bool again,
                               const OnProgress& progress, std::stop_token stop);

// The documents of `ids` as they are now, in an order of their own: look_up() finds them by id.
class Present {
 public:
  static Result<Present> fetch(database::Database& database, const database::Namespace& ns,
                               const std::vector<database::Bson>& ids);
  const database::Bson* look_up(const database::Bson& id) const;

 private:
  std::vector<std::pair<database::Bson, database::Bson>> documents_;  // by id, sorted
};

// Sequences of documents, compared one by one: how both sides go on together.
struct Sequence {
  std::uint64_t equal = 0;  // documents that both start with
  bool live_ended = false, goal_ended = false;
  bool same() const { return live_ended && goal_ended; }
};
Result<Sequence> compare_sequence(database::Database& database, const database::Collection& live,
                                  const std::optional<database::Position>& position,
                                  DocumentReader& goal, std::stop_token stop);

// How many documents go into one command.
constexpr std::size_t batch_documents = 500;
constexpr std::size_t batch_bytes = std::size_t{8} << 20;

}  // namespace belay::vault
