// SPDX-License-Identifier: Apache-2.0
// Collections, views, indexes and options on the way to the goal.
#include <algorithm>

#include "vault/expiry.hpp"
#include "vault/rewind_facts.hpp"
#include "vault/rewind_way.hpp"

namespace belay::vault {

namespace {

using database::Bson;
using database::Catalogue;
using database::Collection;
using database::Namespace;
using How = Task::How;

constexpr std::size_t longest_kept = 60;  // of a name, in a temporary one

const Collection* at(const Catalogue& catalogue, const Namespace& ns) {
  for (const auto& collection : catalogue)
    if (collection.ns == ns) return &collection;
  return nullptr;
}

const Collection* with_uuid(const Catalogue& catalogue, const Collection& facts) {
  for (const auto& collection : catalogue)
    if (!facts.uuid.empty() && collection.uuid == facts.uuid &&
        collection.ns.database == facts.ns.database)
      return &collection;
  return nullptr;
}

bool is_wanted(const Way& way, const Collection& collection) {
  return std::any_of(way.index.tasks.begin(), way.index.tasks.end(), [&](const Task& task) {
    return task.wanted && task.wanted->ns == collection.ns && task.wanted->kind == collection.kind;
  });
}

// The old collection of a task that does away with it, if it is still there.
const Collection* still_there(const Way& way, const Catalogue& now, const Task& task) {
  if (task.how != How::remove && task.how != How::replace) return nullptr;
  if (!task.live->uuid.empty()) return with_uuid(now, *task.live);
  const auto* there = at(now, task.live->ns);
  if (!there || there->kind != task.live->kind) return nullptr;
  const bool done =
      task.how == How::remove ? is_wanted(way, *there) : same_options(*there, *task.wanted);
  return done ? nullptr : there;
}

// Within the server's limit for names, and never in the middle of a character.
std::string shortened(std::string name) {
  if (name.size() <= longest_kept) return name;
  std::size_t end = longest_kept;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0U) == 0x80U) --end;
  name.resize(end);
  return name;
}

Namespace free_name(const Catalogue& now, const Namespace& near) {
  for (int i = 1;; ++i) {
    Namespace name{near.database, fmt::format("belay_rewind_{}_{}", i, shortened(near.collection))};
    if (!at(now, name)) return name;
  }
}

// Out of the way of everybody who writes to it by its name. Without a UUID it would not be known
// again after a kill: then it stays.
Status move_aside(Way& way, const Catalogue& now, Collection& old) {
  if (old.uuid.empty()) return {};
  const auto aside = free_name(now, old.ns);
  TRY(way.database.rename(old.ns, aside));
  old.ns = aside;
  return {};
}

// What was written between its salvage and now is saved too, before it is gone.
Status drop_old(Way& way) {
  TRY_LET(auto now, way.database.catalogue());
  for (std::uint32_t number = 0; number < way.index.tasks.size(); ++number) {
    const auto* there = still_there(way, now, way.index.tasks[number]);
    if (!there) continue;
    TRY(way.go_on());
    auto& old = now[static_cast<std::size_t>(there - now.data())];
    if (holds_documents(old)) {
      TRY(move_aside(way, now, old));
      TRY(salvage_whole_again(way, number, old));
    }
    TRY(way.database.drop(old.ns));
  }
  return {};
}

struct Move {
  Collection* from;
  Namespace to;
};

std::vector<Move> moves(Way& way, Catalogue& now) {
  std::vector<Move> found;
  for (const auto& task : way.index.tasks) {
    if (task.how != How::change) continue;
    for (auto& collection : now)
      if (!task.live->uuid.empty() && collection.uuid == task.live->uuid &&
          collection.ns.database == task.live->ns.database && collection.ns != task.wanted->ns)
        found.push_back({&collection, task.wanted->ns});
  }
  return found;
}

// Names may stand in each other's way, in a circle too: then one steps aside.
Status rename_back(Way& way) {
  TRY_LET(auto now, way.database.catalogue());
  std::size_t steps = 0;
  for (auto left = moves(way, now); !left.empty(); left = moves(way, now)) {
    TRY(way.go_on());
    auto free =
        std::find_if(left.begin(), left.end(), [&](const Move& m) { return !at(now, m.to); });
    auto& move = free == left.end() ? left.front() : *free;
    const auto to = free == left.end() ? free_name(now, move.to) : move.to;
    if (++steps > 2 * way.index.tasks.size())
      return fail(Fault::conflict,
                  fmt::format("cannot rename {} back to {}: another collection of that name "
                              "stands there; move it away and run the rewind again",
                              move.from->ns.text(), move.to.text()));
    TRY(way.database.rename(move.from->ns, to));
    move.from->ns = to;
  }
  return {};
}

Status make_missing(Way& way) {
  TRY_LET(const auto now, way.database.catalogue());
  for (const auto& task : way.index.tasks) {
    if (task.how != How::create && task.how != How::replace) continue;
    if (!holds_documents(*task.wanted)) continue;
    if (const auto* there = at(now, task.wanted->ns)) {
      if (there->kind == task.wanted->kind) continue;
      return fail(Fault::conflict,
                  fmt::format("{} cannot be made: a view of that name was added since",
                              task.wanted->ns.text()));
    }
    TRY(way.go_on());
    TRY(way.database.create(task.wanted->ns, task.wanted->options));
  }
  return {};
}

Bson expiry_change(std::string_view index, const Field& seconds) {
  const auto inner = BsonBuilder().text("name", index).add(seconds).finish();
  return BsonBuilder().document("index", inner).finish();
}

Status switch_expiry_off(Way& way, const Namespace& ns, const Bson& index) {
  const auto name = text_of(index, "name");
  const auto off = BsonBuilder().int32("expireAfterSeconds", never_expires).finish();
  const auto seconds = *field(off, "expireAfterSeconds");
  if (equal_values(*field(index, "expireAfterSeconds"), seconds)) return {};
  auto changed = way.database.modify(ns, expiry_change(name, seconds));
  if (changed || changed.error().effect == Effect::unknown) return changed;
  return way.database.drop_index(ns, std::string(name));  // put back last, then
}

Status make_room(Way& way, const Task& task, const Collection& now) {
  for (const auto& index : now.indexes) {
    const auto name = text_of(index, "name");
    if (name == "_id_") continue;
    const auto* twin = index_named(*task.wanted, name);
    if (!twin || !(same_index(index, *twin) || same_index_but_expiry(index, *twin)))
      TRY(way.database.drop_index(now.ns, std::string(name)));
  }
  return {};
}

// First of all: what expires from now on would be missing at the end.
Status stop_expiry(Way& way) {
  TRY_LET(const auto now, way.database.catalogue());
  for (const auto& task : way.index.tasks) {
    if (task.how != How::change || !holds_documents(*task.wanted)) continue;
    const auto* collection = with_uuid(now, *task.live);
    if (!collection) collection = at(now, task.live->ns);
    if (!collection) continue;
    TRY(way.go_on());
    for (const auto& index : collection->indexes)
      if (is_ttl(index)) TRY(switch_expiry_off(way, collection->ns, index));
  }
  return {};
}

Error gone(const Task& task) {
  return fail(Fault::conflict,
              fmt::format("{} was dropped while the rewind was under way; hold all writers "
                          "off and rewind again under a new name",
                          task.ns().text()));
}

Status make_view(Way& way, const Task& task, const Collection* now) {
  if (now && same_options(*now, *task.wanted)) return {};
  if (now) TRY(way.database.drop(now->ns));
  return way.database.create(task.wanted->ns, task.wanted->options);
}

Status make_indexes(Way& way, const Task& task, const Collection& now, bool expiring) {
  std::vector<Bson> missing;
  for (const auto& index : task.wanted->indexes) {
    const auto name = text_of(index, "name");
    if (name == "_id_" || is_ttl(index) != expiring) continue;
    const auto* there = index_named(now, name);
    if (there && same_index(*there, index)) continue;
    if (there && same_index_but_expiry(*there, index)) {
      TRY(way.database.modify(now.ns, expiry_change(name, *field(index, "expireAfterSeconds"))));
      continue;
    }
    if (there) TRY(way.database.drop_index(now.ns, std::string(name)));
    missing.push_back(index);
  }
  if (missing.empty()) return {};
  way.tell("building indexes of", task, 0, missing.size());
  return way.database.create_indexes(now.ns, missing);
}

// Tells people; a server that cannot count is no reason to fail.
void note_expiring(Way& way, Task& task) {
  for (const auto& index : task.wanted->indexes) {
    const auto count = about_to_expire(way.database, task.wanted->ns, index, way.clock.now());
    if (count && *count > 0)
      task.difference.catalogue.push_back(fmt::format("index {}: {} documents are about to expire",
                                                      text_of(index, "name"), *count));
  }
}

Status check_facts(const Task& task, const Collection* now) {
  auto wrong = [&](std::string_view what) {
    return fail(Fault::conflict,
                fmt::format("{}: {} after the rewind; run it again under the same name",
                            task.ns().text(), what));
  };
  if (!now || now->kind != task.wanted->kind) return wrong("it is not there");
  if (!same_options(*now, *task.wanted)) return wrong("its options are not those of the goal");
  for (const auto& index : task.wanted->indexes) {
    const auto* there = index_named(*now, text_of(index, "name"));
    if (!there || !same_index(*there, index))
      return wrong(fmt::format("index {} is not as it was", text_of(index, "name")));
  }
  if (now->indexes.size() != task.wanted->indexes.size()) return wrong("it has an index more");
  return {};
}

}  // namespace

Status clear_the_way(Way& way) {
  TRY(stop_expiry(way));
  TRY(drop_old(way));
  TRY(rename_back(way));
  TRY(make_missing(way));
  TRY_LET(const auto now, way.database.catalogue());
  for (const auto& task : way.index.tasks) {
    if (task.how != How::change || !holds_documents(*task.wanted)) continue;
    const auto* collection = at(now, task.wanted->ns);
    if (!collection) return gone(task);
    TRY(make_room(way, task, *collection));
  }
  return {};
}

Status put_facts_back(Way& way) {
  TRY_LET(const auto now, way.database.catalogue());
  for (const auto& task : way.index.tasks) {
    if (!task.wanted) continue;
    TRY(way.go_on());
    const auto* collection = at(now, task.wanted->ns);
    if (!holds_documents(*task.wanted)) {
      TRY(make_view(way, task, collection));
      continue;
    }
    if (!collection) return gone(task);
    if (auto changes = option_changes(*collection, *task.wanted))
      TRY(way.database.modify(collection->ns, *changes));
    TRY(make_indexes(way, task, *collection, false));
  }
  return {};
}

Status put_expiry_back(Way& way) {
  TRY_LET(const auto now, way.database.catalogue());
  for (auto& task : way.index.tasks) {
    if (!task.wanted || !holds_documents(*task.wanted)) continue;
    const auto* collection = at(now, task.wanted->ns);
    if (!collection) return gone(task);
    TRY(make_indexes(way, task, *collection, true));
    note_expiring(way, task);
  }
  return {};
}

Status verify_facts(Way& way) {
  TRY_LET(const auto now, way.database.catalogue());
  for (const auto& task : way.index.tasks) {
    if (task.wanted) TRY(check_facts(task, at(now, task.wanted->ns)));
    const auto* old = task.wanted ? nullptr : still_there(way, now, task);
    if (old) return fail(Fault::conflict, old->ns.text() + " is still there after the rewind");
  }
  return {};
}

}  // namespace belay::vault
