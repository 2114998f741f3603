// SPDX-License-Identifier: Apache-2.0
#include "vault/rewind_goal.hpp"

namespace belay::vault {

namespace {

using database::Namespace;

class PointGoal final : public Goal {
 public:
  PointGoal(Vault& vault, const Point& point) : vault_(vault), point_(point) {
    kind = "rewind";
    of = point.name;
    for (const auto& saved : point.collections)
      wants.push_back({saved.facts.ns, saved.facts, false, saved.documents});
  }

  Result<std::unique_ptr<DocumentReader>> documents(const Namespace& ns) override {
    for (const auto& saved : point_.collections)
      if (saved.facts.ns == ns) return vault_.read(saved);
    return fail(Fault::missing, fmt::format("restore point {} has no {}", point_.name, ns.text()));
  }

  Result<EntryReader> changes(const Namespace&) override {
    return fail(Fault::internal, "a restore point names whole collections");
  }

 private:
  Vault& vault_;
  const Point& point_;
};

class LiveVersions final : public DocumentReader {
 public:
  explicit LiveVersions(EntryReader entries) : entries_(std::move(entries)) {}

  Result<std::optional<database::Bson>> next() override {
    while (true) {
      TRY_LET(auto entry, entries_.next());
      if (!entry) return std::optional<database::Bson>{};
      if (entry->live) return std::optional<database::Bson>{database::Bson(*entry->live)};
    }
  }

 private:
  EntryReader entries_;
};

class SalvageGoal final : public Goal {
 public:
  SalvageGoal(Vault& vault, const SalvageIndex& salvage) : vault_(vault), salvage_(salvage) {
    kind = "undo";
    of = salvage.name;
    only_named = true;
    for (const auto& task : salvage.tasks) wants.push_back(want_of(task));
  }

  Result<std::unique_ptr<DocumentReader>> documents(const Namespace& ns) override {
    TRY_LET(auto entries, changes(ns));
    return std::unique_ptr<DocumentReader>(std::make_unique<LiveVersions>(std::move(entries)));
  }

  Result<EntryReader> changes(const Namespace& ns) override {
    for (std::uint32_t number = 0; number < salvage_.tasks.size(); ++number) {
      const auto& task = salvage_.tasks[number];
      if (task.live && task.live->ns == ns) return EntryReader(vault_, salvage_, number);
    }
    return fail(Fault::missing, fmt::format("salvage {} has no {}", salvage_.name, ns.text()));
  }

 private:
  static Want want_of(const Task& task) {
    if (!task.live) return {task.wanted->ns, std::nullopt, false, 0};
    const auto& before = task.difference;
    return {task.live->ns, task.live, task.how == Task::How::change,
            task.how == Task::How::remove || task.ordered ? before.removed
                                                          : task.entries - before.brought_back};
  }

  Vault& vault_;
  const SalvageIndex& salvage_;
};

}  // namespace

std::unique_ptr<Goal> goal_of(Vault& vault, const Point& point) {
  return std::make_unique<PointGoal>(vault, point);
}

std::unique_ptr<Goal> goal_before(Vault& vault, const SalvageIndex& salvage) {
  return std::make_unique<SalvageGoal>(vault, salvage);
}

}  // namespace belay::vault
