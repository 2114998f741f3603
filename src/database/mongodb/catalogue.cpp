// SPDX-License-Identifier: Apache-2.0
#include "base/hash.hpp"
#include "database/mongodb/mongodb.hpp"

namespace belay::database {
namespace {

// What the server keeps there for itself; views are listed as what they are.
bool is_servers_own(std::string_view name) {
  return name == "system.views" || name == "system.profile" || name == "system.indexes" ||
         name == "system.namespaces";
}

Result<bool> is_empty(const Lease& lease, const Namespace& ns) {
  Document options;
  options.i64("limit", 1);
  const auto collection = open_collection(lease, ns);
  const Document all;
  const Cursor cursor(
      mongoc_collection_find_with_opts(collection.get(), all.get(), options.get(), nullptr));
  bool empty = true;
  const auto see = [&](std::string_view) -> Status {
    empty = false;
    return {};
  };
  TRY(drain(lease, cursor.get(), see, {}).in("looking into " + ns.text()));
  return empty;
}

// Stored functions and the like are users' data: they must not be lost in silence.
Status refuse_system(const Lease& lease, const Namespace& ns) {
  if (is_servers_own(ns.collection)) return {};
  TRY_LET(const bool empty, is_empty(lease, ns));
  if (empty) return {};
  return fail(Fault::refused, ns.text() +
                                  " holds documents, and system collections are neither saved nor "
                                  "restored; move what is in it to the application's code or to a "
                                  "collection of its own, and empty it");
}

Result<Collection> read_entry(const std::string& database, std::string_view entry) {
  Collection out;
  out.ns = {database, std::string(text_at(entry, "name").value_or(""))};
  const std::string_view type = text_at(entry, "type").value_or("collection");
  out.options = Bson(doc_at(entry, "options").value_or(Document().view()));
  if (type == "timeseries" || has(out.options, "timeseries"))
    return fail(Fault::refused, out.ns.text() +
                                    " is a time series: time series collections are "
                                    "not in this version");
  out.kind = type == "view" ? Collection::Kind::view : Collection::Kind::collection;
  if (out.kind == Collection::Kind::view) return out;
  if (const auto uuid = binary_at(entry, "info.uuid")) out.uuid = hex(*uuid);
  out.capped = flag_at(out.options, "capped").value_or(false);
  out.clustered = has(out.options, "clusteredIndex");
  out.collated = has(out.options, "collation");
  return out;
}

std::string_view name_of(const Bson& index) {
  return text_at(index, "name").value_or("");
}

// listIndexes of the finished indexes: one still being built carries a buildUUID.
Result<std::vector<Bson>> read_indexes(const Lease& lease, const Namespace& ns, bool tell_builds) {
  Document options;
  if (tell_builds) options.flag("includeBuildUUIDs", true);
  const auto collection = open_collection(lease, ns);
  const Cursor cursor(mongoc_collection_find_indexes_with_opts(collection.get(), options.get()));
  std::vector<Bson> out;
  const auto add = [&](std::string_view index) -> Status {
    if (!has(index, "buildUUID")) out.emplace_back(doc_at(index, "spec").value_or(index));
    return {};
  };
  TRY(drain(lease, cursor.get(), add, {}));
  std::sort(out.begin(), out.end(),
            [](const Bson& a, const Bson& b) { return name_of(a) < name_of(b); });
  return out;
}

}  // namespace

Result<std::vector<Bson>> list_indexes(const Lease& lease, const Namespace& ns) {
  auto indexes = read_indexes(lease, ns, true);
  if (!indexes && indexes.error().fault == Fault::missing) return std::vector<Bson>();
  if (!indexes) indexes = read_indexes(lease, ns, false);  // an old server: unknown option
  return std::move(indexes).in("listing the indexes of " + ns.text());
}

Result<std::vector<Collection>> Mongodb::collections_of(const Lease& lease,
                                                        const std::string& database) {
  mongoc_database_t* handle = mongoc_client_get_database(lease.get(), database.c_str());
  const Cursor cursor(mongoc_database_find_collections_with_opts(handle, nullptr));
  mongoc_database_destroy(handle);
  std::vector<Collection> out;
  std::vector<Namespace> system;  // looked into when the cursor is done
  const auto add = [&](std::string_view entry) -> Status {
    const std::string_view name = text_at(entry, "name").value_or("");
    if (name.starts_with("system.buckets.")) return {};  // refused as the time series they are of
    if (name.starts_with("system.")) {
      system.push_back({database, std::string(name)});
      return {};
    }
    TRY_LET(auto collection, read_entry(database, entry));
    out.push_back(std::move(collection));
    return {};
  };
  TRY(drain(lease, cursor.get(), add, {}));
  for (const auto& ns : system) TRY(refuse_system(lease, ns));
  return out;
}

Result<Catalogue> Mongodb::catalogue() {
  TRY(facts());
  const Lease lease(*pool_);
  Catalogue out;
  for (const auto& name : config_.names) {
    TRY_LET(auto collections, collections_of(lease, name).in("listing the collections of " + name));
    for (auto& collection : collections) {
      if (collection.kind == Collection::Kind::collection) {
        TRY_LET(collection.indexes, list_indexes(lease, collection.ns));
      }
      out.push_back(std::move(collection));
    }
  }
  std::sort(out.begin(), out.end(),
            [](const Collection& a, const Collection& b) { return a.ns < b.ns; });
  return out;
}

}  // namespace belay::database
