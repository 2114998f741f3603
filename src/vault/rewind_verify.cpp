// SPDX-License-Identifier: Apache-2.0
// What was written is read back.
#include <algorithm>

#include "vault/rewind_facts.hpp"
#include "vault/rewind_way.hpp"

namespace belay::vault {

namespace {

using database::Bson;

// What is wrong, for people; empty: nothing.
using Verdict = Result<std::string>;

std::string not_as_wanted(const Task& task, std::string_view id) {
  return fmt::format("{}: document {} is not as it shall be", task.ns().text(),
                     database::to_json(id));
}

struct Expectation {
  Bson id;
  std::optional<Bson> wanted;
};

Verdict check(Way& way, const Task& task, std::vector<Expectation>& batch) {
  std::vector<Bson> ids;
  for (const auto& one : batch) ids.push_back(one.id);
  TRY_LET(auto present, Present::fetch(way.database, task.wanted->ns, ids));
  for (const auto& one : batch) {
    const auto* now = present.look_up(one.id);
    if (now ? one.wanted != *now : one.wanted.has_value()) return not_as_wanted(task, one.id);
  }
  way.verified += batch.size();
  batch.clear();
  TRY(way.go_on());
  return std::string();
}

Verdict entries(Way& way, std::uint32_t number) {
  const auto& task = way.index.tasks[number];
  EntryReader reader(way.vault, way.index, number);
  std::vector<Expectation> batch;
  std::size_t bytes = 0;
  std::uint64_t done = 0;
  while (true) {
    TRY_LET(auto entry, reader.next());
    if (!batch.empty() && (!entry || batch.size() >= batch_documents || bytes >= batch_bytes)) {
      done += batch.size();
      TRY_LET(auto wrong, check(way, task, batch));
      if (!wrong.empty()) return wrong;
      way.tell("verifying", task, done, task.entries);
      bytes = 0;
    }
    if (!entry) return std::string();
    Expectation one;
    TRY_LET(one.id, database::id_of(entry->any()));
    if (entry->wanted) one.wanted = Bson(*entry->wanted);
    bytes += one.wanted ? one.wanted->size() : 0;
    batch.push_back(std::move(one));
  }
}

// Collections that were filled: all of it, in order.
Verdict all_documents(Way& way, const Task& task) {
  TRY_LET(auto documents, way.goal.documents(task.wanted->ns));
  TRY_LET(auto catalogue, way.database.catalogue());
  auto now = std::find_if(catalogue.begin(), catalogue.end(),
                          [&](const auto& collection) { return collection.ns == task.wanted->ns; });
  if (now == catalogue.end()) return task.ns().text() + " is not there";
  TRY_LET(auto both, compare_sequence(way.database, *now, std::nullopt, *documents, way.stop));
  way.verified += both.equal;
  if (both.same()) return std::string();
  return fmt::format("{} differs from the goal after {} documents", task.ns().text(), both.equal);
}

Verdict how_many(Way& way, const Task& task) {
  if (!task.expected) return std::string();
  TRY_LET(auto count, way.database.count(task.wanted->ns));
  if (count == *task.expected) return std::string();
  return fmt::format("{} has {} documents, and shall have {}", task.ns().text(), count,
                     *task.expected);
}

}  // namespace

Result<std::string> verify_documents(Way& way) {
  way.verified = 0;
  for (std::uint32_t number = 0; number < way.index.tasks.size(); ++number) {
    const auto& task = way.index.tasks[number];
    if (!task.wanted || !holds_documents(*task.wanted)) continue;
    TRY_LET(auto wrong, task.from_goal ? all_documents(way, task) : entries(way, number));
    if (wrong.empty()) {
      TRY_LET(wrong, how_many(way, task));
    }
    if (!wrong.empty()) return wrong;
  }
  return std::string();
}

}  // namespace belay::vault
