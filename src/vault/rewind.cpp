// SPDX-License-Identifier: Apache-2.0
#include "vault/rewind.hpp"

#include <algorithm>
#include <list>

#include "vault/owner.hpp"
#include "vault/rewind_way.hpp"

namespace belay::vault {

namespace {

using database::Database;

constexpr int most_passes = 5;  // of one process, beside writers that do not rest

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
  TRY_LET(const auto position, database.mark());
  return std::optional<database::Position>{position};
}

struct Salvaged {
  SalvageIndex index;
  bool resumed = false;
  std::uint64_t compared = 0;
  std::optional<database::Position> since = {};
  database::Catalogue as_they_were = {};
};

Result<Salvaged> go_on_with(Goal& goal, SalvageIndex index) {
  if (index.kind != goal.kind || index.of != goal.of)
    return fail(Fault::conflict,
                fmt::format("the name '{}' belongs to the {} of {}: use another name", index.name,
                            index.kind, index.of));
  return Salvaged{std::move(index), true, 0};
}

Owner owner_of(const RewindRequest& request) {
  return {request.project, request.environment, request.run, request.origin};
}

Place place_of(const RewindRequest& request) {
  return {request.project, request.environment, request.databases};
}

// The run's own salvage if it is complete, else a new one. No tasks: nothing differs, and nothing
// was written.
Result<Salvaged> salvage(Database& database, Vault& vault, Goal& goal, const RewindRequest& request,
                         bool again, Clock& clock, const OnProgress& progress,
                         std::stop_token stop) {
  TRY_LET(auto slot, salvage_slot(vault, request.name, owner_of(request)));
  if (slot.mine) return go_on_with(goal, std::move(*slot.mine));
  Salvaged salvaged;
  auto& index = salvaged.index;
  index = {slot.name,
           goal.kind,
           goal.of,
           request.project,
           request.environment,
           request.run,
           request.origin,
           clock.now(),
           1,
           0,
           0,
           {}};
  TRY_LET(index.attempt, next_attempt(vault, index.name));
  SegmentWriter writer(vault, segment_stem(index.name, index.attempt), 1);
  TRY_LET(salvaged.since, newest(database));
  TRY_LET(auto found,
          find_differences(database, goal, &writer, salvaged.since, again, progress, stop));
  salvaged.compared = found.compared;
  salvaged.as_they_were = std::move(found.as_they_were);
  index.tasks = std::move(found.tasks);
  index.segments = writer.segment();
  for (const auto& task : index.tasks) index.documents += task.entries;
  if (!index.tasks.empty()) TRY(save_index(vault, index));
  return salvaged;
}

// The documents, and the catalogue but for expiry. What is not as it shall be then, for people;
// empty: all is, and nobody else wrote.
Result<std::string> walk(Way& way) {
  // What the process before us wrote is read only when a majority has it.
  if (way.resumed) TRY(way.database.barrier());
  TRY(clear_the_way(way).in("making room"));
  TRY(bring_documents(way).in("putting documents back"));
  TRY(put_facts_back(way).in("putting options and indexes back"));
  TRY(way.database.barrier());
  // Before reading back: what is written later to what we wrote is found there.
  TRY_LET(auto others, done_by_others(way).in("looking for other writers"));
  TRY_LET(auto wrong, verify_documents(way).in("verifying"));
  return wrong.empty() ? std::move(others) : std::move(wrong);
}

// A rewind goes on in passes: each compares, saves and converges, until one finds that nothing is
// left to do, or knows that nobody else wrote. The later ones are salvages of their own.
class Passes {
 public:
  Passes(Database& database, Vault& vault, Goal& goal, RewindRequest request, Clock& clock,
         const OnProgress& progress, std::stop_token stop)
      : database_(database),
        vault_(vault),
        goal_(goal),
        request_(std::move(request)),
        clock_(clock),
        progress_(progress),
        stop_(std::move(stop)) {}

  Result<RewindReport> run() {
    RewindReport report;
    TRY_LET(const bool differs, next());
    report.done.compared = compared_;
    if (!differs) return report;
    TRY_LET(const auto done, completed(vault_, name()));
    TRY(earlier_ones());
    if (!done) {
      TRY(converge());
      TRY(finish());
    }
    report.verified = done.value_or(verified());
    report.salvage = name();
    report.done.differences = differences_of(ways_.front().index.tasks);
    for (auto way = std::next(ways_.begin()); way != ways_.end(); ++way)
      add_to(report.done.differences, differences_of(way->index.tasks));
    return report;
  }

 private:
  // One more pass; false: it would have nothing to do.
  Result<bool> next() {
    auto request = request_;
    request.name = pass_name(name(), ways_.size() + 1);
    TRY_LET(auto salvaged,
            salvage(database_, vault_, goal_, request, !ways_.empty(), clock_, progress_, stop_));
    if (ways_.empty()) compared_ = salvaged.compared;
    if (salvaged.index.tasks.empty()) return false;
    ways_.push_back(Way{database_, vault_, goal_, std::move(salvaged.index), salvaged.resumed,
                        clock_, progress_, stop_, salvaged.since,
                        std::move(salvaged.as_they_were)});
    return true;
  }

  // Of the process before us; all but the newest had come to their end, but for expiry.
  Status earlier_ones() {
    while (ways_.back().resumed) {
      const auto there =
          load_own_salvage(vault_, pass_name(name(), ways_.size() + 1), owner_of(request_));
      if (!there && there.error().fault == Fault::missing) return {};
      if (!there) return there.error();
      TRY(next());
    }
    return {};
  }

  Status converge() {
    std::string left;
    for (int pass = 0; pass < most_passes; ++pass) {
      TRY_LET(left, walk(ways_.back()));
      if (left.empty()) return {};
      TRY_LET(const bool differs, next());
      if (!differs) return {};
    }
    return fail(Fault::conflict,
                fmt::format("others keep writing to the database: after {} passes {}; what they "
                            "wrote is saved. Hold all writers off and run it again under the "
                            "same name",
                            most_passes, left));
  }

  Status finish() {
    for (auto& way : ways_) TRY(put_expiry_back(way).in("putting expiry back"));
    for (auto& way : ways_) TRY(verify_facts(way).in("verifying"));
    TRY(database_.barrier());
    return mark_completed(vault_, name(), verified());
  }

  // Of the first pass: the asked one, or a longer one where somebody else's has that.
  const std::string& name() const {
    return ways_.empty() ? request_.name : ways_.front().index.name;
  }

  std::uint64_t verified() const {
    std::uint64_t sum = 0;
    for (const auto& way : ways_) sum += way.verified;
    return sum;
  }

  static void add_to(std::vector<Difference>& all, std::vector<Difference> more) {
    for (auto& one : more) {
      const auto same = std::find_if(all.begin(), all.end(),
                                     [&](const Difference& each) { return each.ns == one.ns; });
      if (same == all.end()) {
        all.push_back(std::move(one));
        continue;
      }
      same->reverted += one.reverted;
      same->removed += one.removed;
      same->brought_back += one.brought_back;
    }
  }

  Database& database_;
  Vault& vault_;
  Goal& goal_;
  RewindRequest request_;
  Clock& clock_;
  const OnProgress& progress_;
  std::stop_token stop_;
  std::list<Way> ways_;
  std::uint64_t compared_ = 0;
};

Result<RewindReport> bring_to(Database& database, Vault& vault, Goal& goal,
                              const RewindRequest& request, Clock& clock,
                              const OnProgress& progress, std::stop_token stop) {
  const auto started = clock.steady();
  TRY(check_salvage_name(request.name));
  TRY(check_salvage_name(pass_name(request.name, 999'999'999)));
  TRY_LET(auto report, Passes(database, vault, goal, request, clock, progress, stop).run());
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
  TRY_LET(auto found,
          find_differences(database, *goal, nullptr, std::nullopt, false, progress, stop));
  return Preview{differences_of(found.tasks), found.compared};
}

Result<RewindReport> rewind(Database& database, Vault& vault, const Point& to,
                            const RewindRequest& request, Clock& clock, const OnProgress& progress,
                            std::stop_token stop) {
  TRY(fits(to, place_of(request)));
  auto goal = goal_of(vault, to);
  return bring_to(database, vault, *goal, request, clock, progress, stop)
      .in("rewind to restore point " + to.name);
}

Result<RewindReport> undo_rewind(Database& database, Vault& vault, const std::string& salvage,
                                 const RewindRequest& request, Clock& clock,
                                 const OnProgress& progress, std::stop_token stop) {
  TRY_LET(const auto index, load_salvage(vault, salvage));
  TRY(fits(index, place_of(request)));
  auto goal = goal_before(vault, index);
  return bring_to(database, vault, *goal, request, clock, progress, stop).in("undo of " + salvage);
}

}  // namespace belay::vault
