// SPDX-License-Identifier: Apache-2.0
// What was written is read back.
#include <algorithm>

#include "vault/rewind_facts.hpp"
#include "vault/rewind_way.hpp"

namespace belay::vault {

namespace {

using database::Bson;

Error not_as_wanted(const Task& task, std::string_view id) {
  return fail(Fault::conflict,
              fmt::format("{}: document {} is not as it shall be after the rewind; hold all "
                          "writers off and run it again under the same name",
                          task.ns().text(), database::to_json(id)));
}

struct Expectation {
  Bson id;
  std::optional<Bson> wanted;
};

Status check(Way& way, const Task& task, std::vector<Expectation>& batch) {
  std::vector<Bson> ids;
  for (const auto& one : batch) ids.push_back(one.id);
  TRY_LET(auto present, Present::fetch(way.database, task.wanted->ns, ids));
  for (const auto& one : batch) {
    const auto* now = present.look_up(one.id);
    if (now ? one.wanted != *now : one.wanted.has_value()) return not_as_wanted(task, one.id);
  }
  way.verified += batch.size();
  batch.clear();
  return way.go_on();
}

Status entries(Way& way, std::uint32_t number) {
  const auto& task = way.index.tasks[number];
  EntryReader reader(way.vault, way.index, number);
  std::vector<Expectation> batch;
  std::size_t bytes = 0;
  std::uint64_t done = 0;
  while (true) {
    TRY_LET(auto entry, reader.next());
    if (!batch.empty() && (!entry || batch.size() >= batch_documents || bytes >= batch_bytes)) {
      done += batch.size();
      TRY(check(way, task, batch));
      way.tell("verifying", task, done, task.entries);
      bytes = 0;
    }
    if (!entry) return {};
    Expectation one;
    TRY_LET(one.id, database::id_of(entry->any()));
    if (entry->wanted) one.wanted = Bson(*entry->wanted);
    bytes += one.wanted ? one.wanted->size() : 0;
    batch.push_back(std::move(one));
  }
}

// Collections that were filled: all of it, in order.
Status all_documents(Way& way, const Task& task) {
  TRY_LET(auto documents, way.goal.documents(task.wanted->ns));
  TRY_LET(auto catalogue, way.database.catalogue());
  auto now = std::find_if(catalogue.begin(), catalogue.end(),
                          [&](const auto& collection) { return collection.ns == task.wanted->ns; });
  if (now == catalogue.end()) return fail(Fault::conflict, task.ns().text() + " is not there");
  TRY_LET(auto both, compare_sequence(way.database, *now, std::nullopt, *documents, way.stop));
  way.verified += both.equal;
  if (both.same()) return {};
  return fail(Fault::conflict,
              fmt::format("{} differs from the goal after {} documents; hold all writers off "
                          "and run the rewind again under the same name",
                          task.ns().text(), both.equal));
}

}  // namespace

Status verify_documents(Way& way) {
  for (std::uint32_t number = 0; number < way.index.tasks.size(); ++number) {
    const auto& task = way.index.tasks[number];
    if (!task.wanted || !holds_documents(*task.wanted)) continue;
    if (task.from_goal)
      TRY(all_documents(way, task));
    else
      TRY(entries(way, number));
    if (!task.expected) continue;
    TRY_LET(auto count, way.database.count(task.wanted->ns));
    if (count != *task.expected)
      return fail(Fault::conflict,
                  fmt::format("{} has {} documents after the rewind, and shall have {}; hold "
                              "all writers off and rewind again under a new name",
                              task.ns().text(), count, *task.expected));
  }
  return {};
}

}  // namespace belay::vault
