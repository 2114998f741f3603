// SPDX-License-Identifier: Apache-2.0
#include "vault/rewind.hpp"

#include "vault/rewind_way.hpp"

namespace belay::vault {

namespace {

using database::Database;

std::vector<Difference> differences_of(const std::vector<Task>& tasks) {
  std::vector<Difference> differences;
  for (const auto& task : tasks) differences.push_back(task.difference);
  return differences;
}

// Under replication a read is only as new as the position it is made to wait for.
Result<std::optional<database::Position>> newest(Database& database) {
  TRY_LET(auto facts, database.describe());
  if (facts.mongos)
    return fail(Fault::refused, "a sharded cluster cannot be rewound in this version");
  if (facts.replica_set.empty()) return std::optional<database::Position>{};
  TRY_LET(auto position, database.mark());
  return std::optional<database::Position>{position};
}

struct Salvaged {
  SalvageIndex index;
  bool resumed = false;
  std::uint64_t compared = 0;
};

Result<Salvaged> go_on_with(Goal& goal, SalvageIndex index) {
  if (index.kind != goal.kind || index.of != goal.of)
    return fail(Fault::conflict,
                fmt::format("the name '{}' belongs to the {} of {}: use another name", index.name,
                            index.kind, index.of));
  return Salvaged{std::move(index), true, 0};
}

// The salvage of that name if it is complete, else a new one. No tasks: nothing differs, and
// nothing was written.
Result<Salvaged> salvage(Database& database, Vault& vault, Goal& goal, const RewindRequest& request,
                         Clock& clock, const OnProgress& progress, std::stop_token stop) {
  auto earlier = load_salvage(vault, request.name);
  if (earlier) return go_on_with(goal, std::move(*earlier));
  if (earlier.error().fault != Fault::missing) return std::move(earlier).error();
  Salvaged salvaged;
  auto& index = salvaged.index;
  index = {request.name,
           goal.kind,
           goal.of,
           request.project,
           request.environment,
           request.run,
           clock.now(),
           1,
           0,
           0,
           {}};
  TRY_LET(index.attempt, next_attempt(vault, request.name));
  SegmentWriter writer(vault, segment_stem(request.name, index.attempt), 1);
  TRY_LET(const auto position, newest(database));
  TRY_LET(auto found, find_differences(database, goal, &writer, position, progress, stop));
  salvaged.compared = found.compared;
  index.tasks = std::move(found.tasks);
  index.segments = writer.segment();
  for (const auto& task : index.tasks) index.documents += task.entries;
  if (!index.tasks.empty()) TRY(save_index(vault, index));
  return salvaged;
}

Status walk(Way& way) {
  // What the process before us wrote is read only when a majority has it.
  if (way.resumed) TRY(way.database.barrier());
  TRY(clear_the_way(way).in("making room"));
  TRY(bring_documents(way).in("putting documents back"));
  TRY(put_facts_back(way).in("putting options and indexes back"));
  TRY(way.database.barrier());
  TRY(verify_documents(way).in("verifying"));
  TRY(put_expiry_back(way).in("putting expiry back"));
  TRY(verify_facts(way).in("verifying"));
  TRY(way.database.barrier());
  return mark_completed(way.vault, way.index.name, way.verified);
}

Result<RewindReport> bring_to(Database& database, Vault& vault, Goal& goal,
                              const RewindRequest& request, Clock& clock,
                              const OnProgress& progress, std::stop_token stop) {
  const auto started = clock.steady();
  TRY(check_salvage_name(request.name));
  TRY_LET(auto salvaged, salvage(database, vault, goal, request, clock, progress, stop));
  RewindReport report;
  report.done.compared = salvaged.compared;
  if (!salvaged.index.tasks.empty()) {
    TRY_LET(const auto done, completed(vault, request.name));
    Way way{database,         vault, goal,     std::move(salvaged.index),
            salvaged.resumed, clock, progress, stop};
    if (!done) TRY(walk(way));
    report.verified = done.value_or(way.verified);
    report.done.differences = differences_of(way.index.tasks);
    report.salvage = request.name;
  }
  report.took = clock.steady() - started;
  return report;
}

}  // namespace

std::uint64_t Preview::total() const {
  std::uint64_t sum = 0;
  for (const auto& one : differences) sum += one.reverted + one.removed + one.brought_back;
  return sum;
}

Result<Preview> preview_rewind(Database& database, Vault& vault, const Point& to,
                               const OnProgress& progress, std::stop_token stop) {
  auto goal = goal_of(vault, to);
  TRY_LET(auto found, find_differences(database, *goal, nullptr, std::nullopt, progress, stop));
  return Preview{differences_of(found.tasks), found.compared};
}

Result<RewindReport> rewind(Database& database, Vault& vault, const Point& to,
                            const RewindRequest& request, Clock& clock, const OnProgress& progress,
                            std::stop_token stop) {
  auto goal = goal_of(vault, to);
  return bring_to(database, vault, *goal, request, clock, progress, stop)
      .in("rewind to restore point " + to.name);
}

Result<RewindReport> undo_rewind(Database& database, Vault& vault, const std::string& salvage,
                                 const RewindRequest& request, Clock& clock,
                                 const OnProgress& progress, std::stop_token stop) {
  TRY_LET(const auto index, load_salvage(vault, salvage));
  auto goal = goal_before(vault, index);
  return bring_to(database, vault, *goal, request, clock, progress, stop).in("undo of " + salvage);
}

}  // namespace belay::vault
