// SPDX-License-Identifier: Apache-2.0
// What anybody but the rewind did while it was under way, from the change log.
#include <map>
#include <set>

#include "vault/rewind_way.hpp"

namespace belay::vault {

namespace {

using database::Bson;
using database::Collection;
using How = Task::How;

// Written and read back as a whole, not by the ids of its entries.
bool is_whole(const Task& task) {
  return task.how != How::change || task.from_goal || task.ordered;
}

bool is_of(const Task& task, const database::Touched::Entry& entry) {
  if (!is_whole(task) && !entry.uuid.empty() && !task.live->uuid.empty())
    return entry.uuid == task.live->uuid;
  return (task.live && entry.ns == task.live->ns) || (task.wanted && entry.ns == task.wanted->ns);
}

Status take_ours(Way& way, std::uint32_t number, std::set<Bson>& ids) {
  EntryReader entries(way.vault, way.index, number);
  while (!ids.empty()) {
    TRY_LET(const auto entry, entries.next());
    if (!entry) return {};
    for (const auto& version : {entry->live, entry->wanted}) {
      if (!version) continue;
      TRY_LET(const auto id, database::id_of(*version));
      ids.erase(id);
    }
  }
  return {};
}

// The ids that no task of this rewind wrote to.
Result<std::set<Bson>> not_ours(Way& way, const database::Touched::Entry& entry) {
  std::set<Bson> ids(entry.ids.begin(), entry.ids.end());
  for (std::uint32_t number = 0; number < way.index.tasks.size() && !ids.empty(); ++number) {
    const auto& task = way.index.tasks[number];
    if (!is_of(task, entry)) continue;
    if (is_whole(task))
      ids.clear();
    else
      TRY(take_ours(way, number, ids));
  }
  return ids;
}

const Collection* named_in(const database::Catalogue& catalogue, const database::Namespace& ns) {
  for (const auto& collection : catalogue)
    if (collection.ns == ns) return &collection;
  return nullptr;
}

const Task* task_at(const Way& way, const database::Namespace& ns) {
  for (const auto& task : way.index.tasks)
    if (task.wanted && task.wanted->ns == ns) return &task;
  return nullptr;
}

// Of the commands that the log shows some are ours: the collections themselves tell.
Result<std::string> collections_by_others(Way& way) {
  TRY_LET(const auto now, way.database.catalogue());
  for (const auto& collection : now) {
    if (const auto* task = task_at(way, collection.ns)) {
      if (!is_whole(*task) && collection.uuid != task->live->uuid)
        return collection.ns.text() + " was made anew meanwhile";
      continue;
    }
    const auto* before = named_in(way.as_they_were, collection.ns);
    if (before ? *before != collection : !way.goal.only_named)
      return collection.ns.text() + (before ? " was changed meanwhile" : " was added meanwhile");
  }
  for (const auto& collection : way.as_they_were)
    if (!named_in(now, collection.ns)) return collection.ns.text() + " was dropped meanwhile";
  return std::string();
}

}  // namespace

Result<std::string> done_by_others(Way& way) {
  if (!way.since) return std::string("the server has no change log that tells who wrote meanwhile");
  TRY_LET(const auto caught, way.database.catch_up(*way.since, way.stop));
  const auto& touched = caught.touched;
  if (!touched.ids_complete) return touched.restart;
  for (const auto& entry : touched.entries) {
    TRY_LET(const auto ids, not_ours(way, entry));
    if (!ids.empty())
      return fmt::format("{}: document {} was written to meanwhile", entry.ns.text(),
                         database::to_json(*ids.begin()));
  }
  if (touched.restart.empty()) return std::string();
  return collections_by_others(way);
}

}  // namespace belay::vault
