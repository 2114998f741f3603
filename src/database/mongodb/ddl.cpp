// SPDX-License-Identifier: Apache-2.0
// Collections, views and indexes: each order waits for a majority where there is one.
#include "database/mongodb/mongodb.hpp"

namespace belay::database {
namespace {

// Ours only, once the write is done: absent is what was wanted.
Status fine_when_absent(Status status) {
  if (!status && status.error().fault == Fault::missing) return {};
  return status;
}

bool is_id_index(const Bson& index) {
  return text_at(index, "name") == "_id_" || flag_at(index, "clustered").value_or(false);
}

// Whether a collection has a collation of its own, which an index takes where it names none.
Result<bool> is_collated(const Lease& lease, const Namespace& ns) {
  mongoc_database_t* handle = mongoc_client_get_database(lease.get(), ns.database.c_str());
  Document options;
  options.doc("filter", Document().text("name", ns.collection));
  const Cursor cursor(mongoc_database_find_collections_with_opts(handle, options.get()));
  mongoc_database_destroy(handle);
  bool collated = false;
  const auto look = [&](std::string_view entry) -> Status {
    collated = collated || has(entry, "options.collation");
    return {};
  };
  TRY(drain(lease, cursor.get(), look, {}).in("looking at " + ns.text()));
  return collated;
}

}  // namespace

Bson index_to_create(std::string_view listed, bool collated) {
  Document out;
  out.members(listed, {"ns"});
  if (collated && !has(listed, "collation"))
    out.doc("collation", Document().text("locale", "simple"));
  return out.bytes();
}

// listCollections tells options that `create` refuses: `temp` and `autoIndexId` are history.
Status Mongodb::create(const Namespace& ns, const Bson& options) {
  TRY(facts());
  Document command;
  command.text("create", ns.collection).members(options, {"uuid", "temp", "autoIndexId"});
  add_majority(command);
  return Lease(*pool_).order(ns.database, command, Nature::write).in("creating " + ns.text());
}

Status Mongodb::drop(const Namespace& ns) {
  TRY(facts());
  Document command;
  command.text("drop", ns.collection);
  add_majority(command);
  return fine_when_absent(Lease(*patient_).order(ns.database, command, Nature::write))
      .in("dropping " + ns.text());
}

Status Mongodb::rename(const Namespace& from, const Namespace& to) {
  TRY(facts());
  Document command;
  command.text("renameCollection", from.text()).text("to", to.text()).flag("dropTarget", false);
  add_majority(command);
  return Lease(*pool_)
      .order("admin", command, Nature::write)
      .in("renaming " + from.text() + " to " + to.text());
}

Status Mongodb::create_indexes(const Namespace& ns, const std::vector<Bson>& indexes) {
  TRY(facts());
  if (std::all_of(indexes.begin(), indexes.end(), is_id_index)) return {};
  TRY_LET(const bool collated, is_collated(Lease(*pool_), ns));
  std::vector<Bson> wanted;
  for (const auto& index : indexes)
    if (!is_id_index(index)) wanted.push_back(index_to_create(index, collated));
  Document command;
  command.text("createIndexes", ns.collection).array("indexes", wanted);
  add_majority(command);
  return Lease(*patient_)
      .order(ns.database, command, Nature::write)
      .in("building the indexes of " + ns.text());
}

Status Mongodb::drop_index(const Namespace& ns, const std::string& name) {
  TRY(facts());
  Document command;
  command.text("dropIndexes", ns.collection).text("index", name);
  add_majority(command);
  return fine_when_absent(Lease(*pool_).order(ns.database, command, Nature::write))
      .in("dropping the index " + name + " of " + ns.text());
}

Status Mongodb::modify(const Namespace& ns, const Bson& changes) {
  TRY(facts());
  Document command;
  command.text("collMod", ns.collection).members(changes);
  add_majority(command);
  return Lease(*pool_)
      .order(ns.database, command, Nature::write)
      .in("changing the options of " + ns.text());
}

}  // namespace belay::database
