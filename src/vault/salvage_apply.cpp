// SPDX-License-Identifier: Apache-2.0
// Discarded writes put back, document by document, where nobody has changed it since.
#include <algorithm>
#include <set>

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
              const ApplyChoice& choice, bool write, std::stop_token stop)
      : database_(database),
        vault_(vault),
        index_(index),
        choice_(choice),
        write_(write),
        stop_(std::move(stop)) {}

  Result<ApplyReport> run() {
    for (number_ = 0; number_ < index_.tasks.size(); ++number_) {
      const auto& task = index_.tasks[number_];
      if (!task.live) continue;  // nothing was there: nothing was discarded
      if (!choice_.collection.empty() && choice_.collection != task.live->ns.text()) continue;
      if (task.how == How::remove)
        TRY(removed_collection(task));
      else if (task.ordered)
        whole_only(task);
      else
        TRY(documents(task.wanted->ns));
    }
    if (write_) TRY(database_.barrier());
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
    TRY_LET(const auto all, database_.catalogue());
    const auto at = std::find_if(all.begin(), all.end(), [&](const auto& collection) {
      return collection.ns == task.live->ns;
    });
    if (!write_) return holds_documents(*task.live) ? documents(task.live->ns) : Status{};
    const bool there = at != all.end();
    if (!there) TRY(database_.create(task.live->ns, task.live->options));
    if (!holds_documents(*task.live)) return {};
    TRY(indexes(task, there ? at->indexes : std::vector<Bson>{}));
    return documents(task.live->ns);
  }

  // While the collection is empty: then it was made just now, or by a call that was killed.
  Status indexes(const Task& task, const std::vector<Bson>& present) {
    TRY_LET(const auto count, database_.count(task.live->ns));
    if (count > 0) return {};
    std::set<std::string_view> names{"_id_"};
    for (const auto& index : present) names.insert(text_of(index, "name"));
    std::vector<Bson> missing;
    for (const auto& index : task.live->indexes) {
      if (!names.contains(text_of(index, "name"))) missing.push_back(index);
    }
    return missing.empty() ? Status{} : database_.create_indexes(task.live->ns, missing);
  }

  Status documents(const database::Namespace& ns) {
    EntryReader entries(vault_, index_, number_);
    std::vector<Discarded> batch;
    std::size_t bytes = 0;
    while (true) {
      TRY_LET(auto entry, entries.next());
      if (!entry) return put_back(ns, batch);
      TRY_LET(const bool chosen, is_chosen(*entry));
      if (!chosen) continue;
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

  Result<bool> is_chosen(const Entry& entry) const {
    if (entry.live == entry.wanted || (choice_.added && entry.wanted)) return false;
    if (!choice_.id) return true;
    TRY_LET(const auto id, database::id_of(entry.any()));
    return database::compare_ids(id, *choice_.id) == 0;
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
      if (now == wish.live)
        ++report_.there;
      else if (now == wish.wanted)
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
    if (changes.empty()) return {};
    if (!write_) {
      for (const auto& change : changes) count(change);
      return {};
    }
    TRY_LET(auto results, database_.apply(ns, changes));
    for (std::size_t i = 0; i < changes.size(); ++i) {
      if (results[i].applied)
        count(changes[i]);
      else
        TRY(alone(ns, changes[i]));
    }
    return {};
  }

  Status alone(const database::Namespace& ns, const Change& change) {
    TRY_LET(auto results, database_.apply(ns, {change}));
    if (results[0].applied)
      count(change);
    else
      conflict(
          fmt::format("{} {}: {}", ns.text(), database::to_json(change.id), results[0].reason));
    return {};
  }

  void count(const Change& change) {
    ++(!change.wanted ? report_.removed : change.expected ? report_.replaced : report_.inserted);
  }

  database::Database& database_;
  Vault& vault_;
  const SalvageIndex& index_;
  const ApplyChoice& choice_;
  bool write_;
  std::stop_token stop_;
  std::uint32_t number_ = 0;
  std::uint64_t dropped_ = 0;
  ApplyReport report_;
};

Result<ApplyReport> go_through(database::Database& database, Vault& vault, const std::string& name,
                               const ApplyChoice& choice, bool write, std::stop_token stop) {
  TRY_LET(const auto index, load_salvage(vault, name));
  return Application(database, vault, index, choice, write, std::move(stop))
      .run()
      .in("salvage " + name);
}

}  // namespace

Result<ApplyReport> apply_salvage(database::Database& database, Vault& vault,
                                  const std::string& name, const ApplyChoice& choice,
                                  std::stop_token stop) {
  return go_through(database, vault, name, choice, true, std::move(stop));
}

Result<ApplyReport> preview_apply(database::Database& database, Vault& vault,
                                  const std::string& name, const ApplyChoice& choice,
                                  std::stop_token stop) {
  return go_through(database, vault, name, choice, false, std::move(stop));
}

}  // namespace belay::vault
