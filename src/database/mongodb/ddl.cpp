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

}  // namespace

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
  std::vector<Bson> wanted;
  for (const auto& index : indexes)
    if (!is_id_index(index)) wanted.push_back(Document().members(index, {"ns"}).bytes());
  if (wanted.empty()) return {};
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
