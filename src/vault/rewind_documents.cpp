// SPDX-License-Identifier: Apache-2.0
// Documents on the way to the goal: in batches, each change conditional on the bytes that were
// just read, and these are in the salvage.
#include <algorithm>

#include "vault/rewind_facts.hpp"
#include "vault/rewind_way.hpp"

namespace belay::vault {

namespace {

using database::Bson;
using database::Change;
using database::id_of;
using How = Task::How;

constexpr int rounds = 8;  // a batch that somebody else keeps changing

struct Wish {
  Bson id;
  std::optional<Bson> salvaged, wanted;
};

bool dollar_named(const Bson& document) {
  auto members = fields(document);
  return std::any_of(members.begin(), members.end(),
                     [](const Field& m) { return m.name.starts_with('$'); });
}

// What the first look at a batch goes by. Each change is conditional on it: where it is wrong, the
// server refuses, and the next look is at what is there.
enum class Look {
  live,      // what is there
  empty,     // nothing: the collection was just made
  salvaged,  // what was just salvaged: nobody but us should have written since
  cleared,   // the same, after all that will be inserted made room
};

class Batch {
 public:
  Batch(Way& way, std::uint32_t number, bool removing, Look look)
      : way_(way),
        number_(number),
        task_(way.index.tasks[number]),
        removing_(removing),
        look_(look),
        unique_(has_unique_index(*task_.wanted)),
        later_(way) {}

  Status add(const std::optional<std::string_view>& salvaged,
             const std::optional<std::string_view>& wanted) {
    const auto size = (salvaged ? salvaged->size() : 0) + (wanted ? wanted->size() : 0);
    if (!wishes_.empty() && (wishes_.size() >= batch_documents || bytes_ + size > batch_bytes))
      TRY(flush());
    Wish wish;
    TRY_LET(wish.id, id_of(wanted ? *wanted : *salvaged));
    if (salvaged) wish.salvaged = Bson(*salvaged);
    if (wanted) wish.wanted = Bson(*wanted);
    wishes_.push_back(std::move(wish));
    bytes_ += size;
    return {};
  }

  Status flush() {
    if (wishes_.empty()) return {};
    TRY(way_.go_on());
    TRY(converge());
    done_ += wishes_.size();
    way_.tell(removing_ ? "making room in" : "rewinding", task_, done_,
              task_.from_goal ? task_.difference.brought_back : task_.entries);
    wishes_.clear();
    bytes_ = 0;
    return {};
  }

 private:
  // Until nothing is missing. What a write reports as done is not read again here: it is read
  // back when all is written.
  Status converge() {
    std::string reason = "unknown";
    Look look = look_;
    for (int round = 0; round < rounds; ++round, look = Look::live) {
      TRY_LET(auto changes, what_is_missing(look));
      if (changes.empty()) return {};
      auto all_done = write(changes, reason);
      if (all_done && *all_done && !halfway_) return {};
      if (all_done) continue;
      if (all_done.error().effect != Effect::unknown) return std::move(all_done).error();
      reason = all_done.error().text;
    }
    return fail(Fault::conflict,
                fmt::format("{}: documents could not be changed after {} tries ({}); hold all "
                            "writers off and run it again under the same name",
                            task_.ns().text(), rounds, reason));
  }

  Result<std::vector<Change>> what_is_missing(Look look) {
    Present present;
    if (look == Look::live) {
      std::vector<Bson> ids;
      for (const auto& wish : wishes_) ids.push_back(wish.id);
      TRY_LET(present, Present::fetch(way_.database, task_.wanted->ns, ids));
    }
    std::vector<Change> changes;
    halfway_ = false;
    for (const auto& wish : wishes_) {
      const auto* now = look == Look::live ? present.look_up(wish.id) : expected(wish, look);
      auto change = step(wish, now);
      if (!change) continue;
      halfway_ = halfway_ || (!removing_ && wish.wanted && !change->wanted);
      if (now && wish.salvaged != *now) TRY(later_.add(number_, *now, wish.wanted));
      changes.push_back(std::move(*change));
    }
    TRY(later_.flush());
    return changes;
  }

  const Bson* expected(const Wish& wish, Look look) const {
    if (look == Look::empty || !wish.salvaged) return nullptr;
    const bool gone = look == Look::cleared && (!wish.wanted || is_made_anew(wish, *wish.salvaged));
    return gone ? nullptr : &*wish.salvaged;
  }

  bool is_made_anew(const Wish& wish, const Bson& now) const {
    const auto now_id = id_of(now);
    return unique_ || (now_id && *now_id != wish.id) || dollar_named(now) ||
           dollar_named(*wish.wanted);
  }

  // One step towards the wish. A document that cannot be replaced is removed now and inserted in
  // the next round.
  std::optional<Change> step(const Wish& wish, const Bson* now) const {
    if (!now) {
      if (removing_ || !wish.wanted) return std::nullopt;
      return Change{wish.id, std::nullopt, wish.wanted};
    }
    if (wish.wanted == *now) return std::nullopt;
    auto now_id = id_of(*now);
    Change change{now_id ? *now_id : wish.id, *now, std::nullopt};
    if (!wish.wanted) return change;
    const bool anew = is_made_anew(wish, *now);
    if (removing_ && !anew) return std::nullopt;
    if (!anew) change.wanted = wish.wanted;
    return change;
  }

  // Whether all of them are done.
  Result<bool> write(const std::vector<Change>& changes, std::string& reason) {
    const bool only_new =
        std::none_of(changes.begin(), changes.end(), [](const Change& c) { return c.expected; });
    if (only_new && task_.how != How::change) return insert(changes, reason);
    TRY_LET(auto results, way_.database.apply(task_.wanted->ns, changes));
    bool all = true;
    for (const auto& result : results) {
      all = all && result.applied;
      if (!result.applied && !result.reason.empty()) reason = result.reason;
    }
    return all;
  }

  Result<bool> insert(const std::vector<Change>& changes, std::string& reason) {
    std::vector<Bson> documents;
    for (const auto& change : changes) documents.push_back(*change.wanted);
    TRY_LET(auto refused, way_.database.insert(task_.wanted->ns, documents));
    if (!refused.empty()) reason = refused.front().reason;
    return refused.empty();
  }

  Way& way_;
  std::uint32_t number_;
  const Task& task_;
  bool removing_;
  Look look_;
  bool unique_;
  bool halfway_ = false;  // something was removed that the next round inserts
  LaterVersions later_;
  std::vector<Wish> wishes_;
  std::size_t bytes_ = 0;
  std::uint64_t done_ = 0;
};

// Where a unique index exists two documents may have swapped values, also across batches: all
// that will change makes room first.
bool makes_room(const Task& task) {
  return task.how == How::change && task.entries > 0 &&
         (task.difference.removed > 0 || task.split || has_unique_index(*task.wanted));
}

Status by_entries(Way& way, std::uint32_t number, bool removing, Look look) {
  EntryReader entries(way.vault, way.index, number);
  Batch batch(way, number, removing, look);
  while (true) {
    TRY_LET(auto entry, entries.next());
    if (!entry) return batch.flush();
    if (removing ? entry->live.has_value() : entry->wanted.has_value())
      TRY(batch.add(entry->live, entry->wanted));
  }
}

Look first_look(const Way& way, const Task& task, bool cleared) {
  if (way.resumed) return Look::live;  // an earlier process may have got anywhere
  if (task.how != How::change) return Look::empty;
  return cleared ? Look::cleared : Look::salvaged;
}

Status by_goal(Way& way, std::uint32_t number) {
  const auto& ns = way.index.tasks[number].wanted->ns;
  TRY_LET(const auto there, way.database.count(ns));
  TRY_LET(auto documents, way.goal.documents(ns));
  Batch batch(way, number, false, there == 0 ? Look::empty : Look::live);
  while (true) {
    TRY_LET(auto document, documents->next());
    if (!document) return batch.flush();
    TRY(batch.add(std::nullopt, *document));
  }
}

Result<database::Collection> now_at(Way& way, const Task& task) {
  TRY_LET(auto catalogue, way.database.catalogue());
  for (auto& collection : catalogue)
    if (collection.ns == task.wanted->ns) return std::move(collection);
  return fail(Fault::conflict, task.ns().text() + " was dropped while the rewind was under way");
}

Status insert_rest(Way& way, const Task& task, std::uint64_t skip) {
  TRY_LET(auto documents, way.goal.documents(task.wanted->ns));
  std::vector<Bson> batch;
  std::size_t bytes = 0;
  auto flush = [&]() -> Status {
    if (batch.empty()) return {};
    TRY(way.go_on());
    TRY_LET(auto refused, way.database.insert(task.wanted->ns, batch));
    if (!refused.empty())
      return fail(Fault::conflict,
                  fmt::format("{}: {} was not inserted: {}", task.ns().text(),
                              database::to_json(refused[0].id), refused[0].reason));
    batch.clear();
    bytes = 0;
    return {};
  };
  for (std::uint64_t i = 0;; ++i) {
    TRY_LET(auto document, documents->next());
    if (!document) return flush();
    if (i < skip) continue;
    if (batch.size() >= batch_documents || bytes + document->size() > batch_bytes) TRY(flush());
    bytes += document->size();
    batch.push_back(std::move(*document));
    way.tell("rewinding", task, i + 1, task.difference.brought_back);
  }
}

// A sequence goes on where it stops being equal only if that is its end; else it is made anew.
Status in_order(Way& way, std::uint32_t number) {
  const auto& task = way.index.tasks[number];
  TRY_LET(const auto now, now_at(way, task));
  TRY_LET(auto documents, way.goal.documents(task.wanted->ns));
  TRY_LET(const auto both, compare_sequence(way.database, now, std::nullopt, *documents, way.stop));
  if (both.same()) return {};
  if (both.live_ended) return insert_rest(way, task, both.equal);
  TRY(salvage_whole_again(way, number, now));
  TRY(way.database.drop(now.ns));
  TRY(way.database.create(task.wanted->ns, task.wanted->options));
  return insert_rest(way, task, 0);
}

}  // namespace

Status bring_documents(Way& way) {
  for (std::uint32_t number = 0; number < way.index.tasks.size(); ++number) {
    const auto& task = way.index.tasks[number];
    if (!task.wanted || !holds_documents(*task.wanted)) continue;
    if (task.ordered)
      TRY(in_order(way, number));
    else if (task.from_goal)
      TRY(by_goal(way, number));
    else {
      const bool room = makes_room(task);
      if (room) TRY(by_entries(way, number, true, first_look(way, task, false)));
      TRY(by_entries(way, number, false, first_look(way, task, room)));
    }
  }
  return {};
}

Status LaterVersions::add(std::uint32_t task, std::string_view live,
                          const std::optional<std::string_view>& wanted) {
  if (!writer_) {
    TRY_LET(auto number, next_later(way_.vault, way_.index.name));
    writer_.emplace(way_.vault, later_stem(way_.index.name), number);
  }
  return writer_->add(task, live, wanted);
}

Status LaterVersions::flush() {
  if (writer_) TRY(writer_->flush());
  writer_.reset();
  return {};
}

Status salvage_whole_again(Way& way, std::uint32_t number, const database::Collection& now) {
  EntryReader entries(way.vault, way.index, number);
  bool same = true;
  TRY(way.database.scan(
      now, std::nullopt, std::nullopt,
      [&](std::string_view document) -> Status {
        if (!same) return {};
        TRY_LET(auto entry, entries.next());
        while (entry && !entry->live) {
          TRY_LET(entry, entries.next());
        }
        same = entry && *entry->live == document;
        return {};
      },
      way.stop));
  if (same) return {};
  LaterVersions later(way);
  TRY(way.database.scan(
      now, std::nullopt, std::nullopt,
      [&](std::string_view document) { return later.add(number, document, std::nullopt); },
      way.stop));
  return later.flush();
}

}  // namespace belay::vault
