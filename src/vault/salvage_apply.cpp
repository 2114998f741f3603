// SPDX-License-Identifier: Apache-2.0
// Discarded writes put back, document by document, where nobody has changed it since.
#include <algorithm>

#include "vault/rewind_facts.hpp"
#include "vault/rewind_find.hpp"

namespace belay::vault {

namespace {

using database::Bson;
using database::Change;
using How = Task::How;

constexpr std::size_t most_conflicts = 1000;

struct Discarded {
  Bson id;
  std::optional<Bson> live, wanted;  // to be put back; what the rewind left there
};

class Application {
 public:
  Application(database::Database& database, Vault& vault, const SalvageIndex& index,
              std::stop_token stop)
      : database_(database), vault_(vault), index_(index), stop_(stop) {}

  Result<ApplyReport> run() {
    for (number_ = 0; number_ < index_.tasks.size(); ++number_) {
      const auto& task = index_.tasks[number_];
      if (!task.live) continue;  // nothing was there: nothing was discarded
      if (task.how == How::remove)
        TRY(removed_collection(task));
      else if (task.ordered)
        whole_only(task);
      else
        TRY(documents(task.wanted->ns));
    }
    TRY(database_.barrier());
    if (dropped_ > 0) report_.conflicts.push_back(fmt::format("and {} more", dropped_));
    return std::move(report_);
  }

 private:
  void conflict(std::string text) {
    if (report_.conflicts.size() < most_conflicts)
      report_.conflicts.push_back(std::move(text));
    else
      ++dropped_;
  }

  void whole_only(const Task& task) {
    if (task.entries == 0) return;
    conflict(fmt::format(
        "{}: its {} documents have an order, not ids of their own; they stay in the salvage",
        task.live->ns.text(), task.entries));
  }

  Status removed_collection(const Task& task) {
    TRY_LET(const auto now, database_.catalogue());
    const bool there = std::any_of(now.begin(), now.end(), [&](const auto& collection) {
      return collection.ns == task.live->ns;
    });
    if (!there) TRY(database_.create(task.live->ns, task.live->options));
    if (!holds_documents(*task.live)) return {};
    TRY(documents(task.live->ns));
    if (there) return {};
    std::vector<Bson> indexes;
    for (const auto& index : task.live->indexes)
      if (text_of(index, "name") != "_id_") indexes.push_back(index);
    return indexes.empty() ? Status{} : database_.create_indexes(task.live->ns, indexes);
  }

  Status documents(const database::Namespace& ns) {
    EntryReader entries(vault_, index_, number_);
    std::vector<Discarded> batch;
    std::size_t bytes = 0;
    while (true) {
      TRY_LET(auto entry, entries.next());
      if (!entry) return put_back(ns, batch);
      if (entry->live == entry->wanted) continue;
      if (batch.size() >= batch_documents || bytes >= batch_bytes) {
        TRY(put_back(ns, batch));
        bytes = 0;
      }
      Discarded wish;
      TRY_LET(wish.id, database::id_of(entry->any()));
      if (entry->live) wish.live = Bson(*entry->live);
      if (entry->wanted) wish.wanted = Bson(*entry->wanted);
      bytes += (wish.live ? wish.live->size() : 0) + (wish.wanted ? wish.wanted->size() : 0);
      batch.push_back(std::move(wish));
    }
  }

  Status put_back(const database::Namespace& ns, std::vector<Discarded>& batch) {
    if (batch.empty()) return {};
    if (stop_.stop_requested())
      return fail(Fault::cancelled,
                  "stopped half-way; what is applied stays, run it again to go on");
    std::vector<Bson> ids;
    for (const auto& wish : batch) ids.push_back(wish.id);
    TRY_LET(const auto present, Present::fetch(database_, ns, ids));
    std::vector<Change> changes;
    for (auto& wish : batch) {
      const auto* found = present.look_up(wish.id);
      const std::optional<Bson> now = found ? std::optional(*found) : std::nullopt;
      if (now == wish.live) continue;  // applied before
      if (now == wish.wanted)
        changes.push_back({wish.id, wish.wanted, wish.live});
      else
        conflict(
            fmt::format("{} {}: changed since the rewind", ns.text(), database::to_json(wish.id)));
    }
    batch.clear();
    return apply(ns, changes);
  }

  // All at once; what stands in the way of the others is found by trying each alone.
  Status apply(const database::Namespace& ns, const std::vector<Change>& changes) {
    std::vector<Change> plain;
    for (const auto& change : changes) {
      if (rewritten(change))
        TRY(rewrite(ns, change));
      else
        plain.push_back(change);
    }
    if (plain.empty()) return {};
    TRY_LET(auto results, database_.apply(ns, plain));
    for (std::size_t i = 0; i < plain.size(); ++i) {
      if (results[i].applied)
        ++report_.applied;
      else
        TRY(alone(ns, plain[i]));
    }
    return {};
  }

  Status alone(const database::Namespace& ns, const Change& change) {
    TRY_LET(auto results, database_.apply(ns, {change}));
    if (results[0].applied)
      ++report_.applied;
    else
      conflict(
          fmt::format("{} {}: {}", ns.text(), database::to_json(change.id), results[0].reason));
    return {};
  }

  static bool rewritten(const Change& change) {
    if (!change.expected || !change.wanted) return false;
    auto from = database::id_of(*change.expected);
    auto to = database::id_of(*change.wanted);
    return from && to && *from != *to;
  }

  // An `_id` with other bytes: remove and insert; what cannot be inserted is put back as it was.
  Status rewrite(const database::Namespace& ns, const Change& change) {
    TRY_LET(auto old_id, database::id_of(*change.expected));
    TRY_LET(auto removed, database_.apply(ns, {Change{old_id, change.expected, std::nullopt}}));
    if (removed[0].applied) {
      TRY_LET(auto inserted, database_.apply(ns, {Change{change.id, std::nullopt, change.wanted}}));
      if (inserted[0].applied) {
        ++report_.applied;
        return {};
      }
      TRY_LET(auto restored, database_.apply(ns, {Change{old_id, std::nullopt, change.expected}}));
      if (!restored[0].applied)
        return fail(Fault::conflict, fmt::format("{} {} could not be put back: {}", ns.text(),
                                                 database::to_json(old_id), restored[0].reason));
    }
    conflict(fmt::format("{} {}: changed since the rewind", ns.text(), database::to_json(old_id)));
    return {};
  }

  database::Database& database_;
  Vault& vault_;
  const SalvageIndex& index_;
  std::stop_token stop_;
  std::uint32_t number_ = 0;
  std::uint64_t dropped_ = 0;
  ApplyReport report_;
};

}  // namespace

Result<ApplyReport> apply_salvage(database::Database& database, Vault& vault,
                                  const std::string& name, std::stop_token stop) {
  TRY_LET(const auto index, load_salvage(vault, name));
  return Application(database, vault, index, stop).run().in("salvage " + name);
}

}  // namespace belay::vault
