// SPDX-License-Identifier: Apache-2.0
// What changes FakeDatabase's catalogue: collections, indexes, options.
#include "tests/fake/bson_peek.hpp"
#include "tests/fake/fake_database.hpp"

namespace belay::fake {

using database::Bson;
using database::Collection;
using database::Namespace;

namespace {

Error absent(const Namespace& ns) {
  return fail(Fault::missing, "there is no collection " + ns.text());
}

}  // namespace

Status FakeDatabase::create(const Namespace& ns, const Bson& options) {
  return act<Status>("create",
                     [&]() -> Status {
                       const std::lock_guard lock(mutex_);
                       if (stores_.contains(ns))
                         return fail(Fault::conflict, ns.text() + " is there already");
                       make(ns, options);
                       return {};
                     },
                     {});
}

Status FakeDatabase::drop(const Namespace& ns) {
  return act<Status>("drop",
                     [&]() -> Status {
                       const std::lock_guard lock(mutex_);
                       if (stores_.erase(ns) != 0) command(ns, "drop " + ns.text());
                       return {};
                     },
                     {});
}

Status FakeDatabase::rename(const Namespace& from, const Namespace& to) {
  return act<Status>("rename",
                     [&]() -> Status {
                       const std::lock_guard lock(mutex_);
                       if (!stores_.contains(from)) return absent(from);
                       if (stores_.contains(to))
                         return fail(Fault::conflict, to.text() + " is there already");
                       auto node = stores_.extract(from);
                       node.key() = to;
                       node.mapped().facts.ns = to;
                       stores_.insert(std::move(node));
                       command(from, "renameCollection " + from.text());
                       return {};
                     },
                     {});
}

Status FakeDatabase::create_indexes(const Namespace& ns, const std::vector<Bson>& indexes) {
  return act<Status>("create_indexes",
                     [&]() -> Status {
                       const std::lock_guard lock(mutex_);
                       const auto stored = stores_.find(ns);
                       if (stored == stores_.end()) return absent(ns);
                       auto& present = stored->second.facts.indexes;
                       for (const auto& index : indexes) {
                         const auto same = [&](const Bson& each) {
                           return text(each, "name") == text(index, "name");
                         };
                         if (std::none_of(present.begin(), present.end(), same))
                           present.push_back(index);
                       }
                       std::sort(present.begin(), present.end(), [](const Bson& a, const Bson& b) {
                         return text(a, "name") < text(b, "name");
                       });
                       command(ns, "createIndexes " + ns.text());
                       return {};
                     },
                     {});
}

Status FakeDatabase::drop_index(const Namespace& ns, const std::string& name) {
  return act<Status>("drop_index",
                     [&]() -> Status {
                       const std::lock_guard lock(mutex_);
                       const auto stored = stores_.find(ns);
                       if (stored == stores_.end()) return absent(ns);
                       std::erase_if(stored->second.facts.indexes,
                                     [&](const Bson& each) { return text(each, "name") == name; });
                       command(ns, "dropIndexes " + ns.text());
                       return {};
                     },
                     {});
}

Status FakeDatabase::modify(const Namespace& ns, const Bson& changes) {
  return act<Status>("modify",
                     [&]() -> Status {
                       const std::lock_guard lock(mutex_);
                       const auto stored = stores_.find(ns);
                       if (stored == stores_.end()) return absent(ns);
                       Collection& facts = stored->second.facts;
                       facts.options = merged(facts.options, changes);
                       if (const Bson index = inner(changes, "index"); !index.empty()) {
                         for (auto& each : facts.indexes) {
                           if (text(each, "name") == text(index, "name"))
                             each = merged(each, index);
                         }
                       }
                       command(ns, "collMod " + ns.text());
                       return {};
                     },
                     {});
}

}  // namespace belay::fake
