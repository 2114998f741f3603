// SPDX-License-Identifier: Apache-2.0
#include "vault/rewind_match.hpp"

#include <map>

namespace belay::vault {

namespace {

using database::Catalogue;
using database::Collection;
using database::Namespace;

struct Matching {
  std::map<Namespace, const Collection*> by_name;
  std::map<std::pair<std::string, std::string>, const Collection*> by_uuid;  // within a database
  std::map<const Collection*, bool> taken;

  explicit Matching(const Catalogue& live) {
    for (const auto& collection : live) {
      by_name[collection.ns] = &collection;
      if (!collection.uuid.empty())
        by_uuid[{collection.ns.database, collection.uuid}] = &collection;
    }
  }

  const Collection* same_uuid(const Collection& facts) const {
    auto place = by_uuid.find({facts.ns.database, facts.uuid});
    return place != by_uuid.end() && place->second->kind == facts.kind ? place->second : nullptr;
  }

  const Collection* free_at(const Namespace& ns) const {
    auto place = by_name.find(ns);
    return place != by_name.end() && !taken.contains(place->second) ? place->second : nullptr;
  }
};

}  // namespace

Result<std::vector<Pair>> match(const Goal& goal, const Catalogue& live) {
  Matching matching(live);
  std::map<const Want*, const Collection*> found;
  auto take = [&](const Want& want, const Collection* collection) {
    if (!collection || matching.taken.contains(collection)) return;
    found[&want] = collection;
    matching.taken[collection] = true;
  };
  for (const auto& want : goal.wants)
    if (want.facts) take(want, matching.same_uuid(*want.facts));
  for (const auto& want : goal.wants) {
    if (!want.facts || found.contains(&want)) continue;
    const auto* there = matching.free_at(want.ns);
    if (there && there->kind == want.facts->kind) take(want, there);
  }
  std::vector<Pair> pairs;
  for (const auto& want : goal.wants) {
    const auto* there = found.contains(&want) ? found[&want] : nullptr;
    if (want.facts) pairs.push_back({&want, there ? std::optional(*there) : std::nullopt});
  }
  std::map<Namespace, bool> named;
  for (const auto& want : goal.wants) named[want.ns] = true;
  // What an undo does not name stays; what stands at a name that the goal needs goes.
  for (const auto& collection : live)
    if (!matching.taken.contains(&collection) &&
        (!goal.only_named || named.contains(collection.ns)))
      pairs.push_back({nullptr, collection});
  return pairs;
}

}  // namespace belay::vault
