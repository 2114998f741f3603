// SPDX-License-Identifier: Apache-2.0
// Inserting documents as they were: unordered, unvalidated, zero timestamps kept. The driver
// splits a batch under the server's limits (48 MB, 100,000 documents).
#include <deque>

#include "database/mongodb/mongodb.hpp"

namespace belay::database {
namespace {

constexpr std::size_t largest_document = std::size_t{16} << 20;

// A bson_t in a struct: its alignment may not be a template argument.
struct Raw {
  explicit Raw(const Bson& bytes) : view(bytes) {}
  View view;
};

struct Batch {
  std::vector<std::size_t> places;  // in the caller's list
  std::deque<Raw> views;            // they never move
};

bool unknown_option(const bson_error_t& error) {
  return error.domain == MONGOC_ERROR_SERVER &&
         (error.code == 40415 || error.code == 72 || error.code == 9);
}

Bson id_or_empty(const Bson& document) {
  auto id = id_of(document);
  return id ? std::move(*id) : Document().bytes();
}

// What may be sent; the others are named at once.
Batch sort_out(const std::vector<Bson>& documents, std::vector<Database::NotInserted>& refused) {
  Batch batch;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const Bson& document = documents[i];
    if (!is_framed(document))
      refused.push_back({Document().bytes(), "not a BSON document"});
    else if (!id_of(document))
      refused.push_back({Document().bytes(), "it has no `_id`"});
    else if (document.size() > largest_document)
      refused.push_back({id_or_empty(document), "larger than 16 MiB"});
    else {
      batch.places.push_back(i);
      batch.views.emplace_back(document);
    }
  }
  return batch;
}

Document insert_options(bool log, bool empty_stamps) {
  Document out;
  out.flag("ordered", false).flag("validate", false).flag("bypassDocumentValidation", true);
  if (empty_stamps) out.flag("bypassEmptyTsReplacement", true);
  if (log) out.doc("writeConcern", Document().i32("w", 1));  // barrier() waits for the majority
  return out;
}

}  // namespace

struct Mongodb::Sent {
  bool ok = false;
  bson_error_t error{};
  Document reply;
};

Mongodb::Sent Mongodb::send(const Lease& lease, const Namespace& ns, const void* list,
                            std::size_t count, bool log) {
  const auto collection = open_collection(lease, ns);
  const auto* documents = static_cast<const bson_t* const*>(list);
  Sent sent;
  for (;;) {
    const bool empty_stamps = knows_empty_stamps_;
    const Document options = insert_options(log, empty_stamps);
    bson_t reply;
    sent.ok = mongoc_collection_insert_many(collection.get(), const_cast<const bson_t**>(documents),
                                            count, options.get(), &reply, &sent.error);
    sent.reply = Document(bson_copy(&reply));
    bson_destroy(&reply);
    if (sent.ok || !empty_stamps || !unknown_option(sent.error)) return sent;
    knows_empty_stamps_ = false;  // an older server: it refuses the option's name, nothing else
  }
}

Result<std::vector<Database::NotInserted>> Mongodb::insert(const Namespace& ns,
                                                           const std::vector<Bson>& documents) {
  TRY_LET(const Facts facts, this->facts());
  std::vector<NotInserted> refused;
  const Batch batch = sort_out(documents, refused);
  if (batch.views.empty()) return refused;
  const auto list = std::make_unique<const bson_t*[]>(batch.views.size());
  for (std::size_t i = 0; i < batch.views.size(); ++i) list[i] = batch.views[i].view.get();
  const Lease lease(*pool_);
  const Sent sent = send(lease, ns, list.get(), batch.views.size(), !facts.replica_set.empty());
  if (sent.ok) return refused;
  const auto errors = doc_at(sent.reply.view(), "writeErrors");
  const auto named = errors ? documents_in(*errors) : std::vector<std::string_view>();
  if (named.empty() || has(sent.reply.view(), "writeConcernErrors.0"))
    return lease.explain(sent.error, sent.reply.get(), Nature::write)
        .in("inserting into " + ns.text());
  std::vector<Bson> clashing;
  for (const std::string_view error : named) {
    const auto index = static_cast<std::size_t>(number_at(error, "index").value_or(0));
    if (index >= batch.places.size()) continue;
    const Bson& document = documents[batch.places[index]];
    if (number_at(error, "code") == 11000) clashing.push_back(document);
    refused.push_back({id_or_empty(document),
                       std::string(text_at(error, "errmsg").value_or("refused by the server"))});
  }
  TRY(drop_equal(ns, clashing, refused));
  return refused;
}

// A document that is there already, byte for byte, was inserted: by an earlier, interrupted run.
Status Mongodb::drop_equal(const Namespace& ns, const std::vector<Bson>& documents,
                           std::vector<NotInserted>& refused) {
  if (documents.empty()) return {};
  std::map<Bson, const Bson*> by_id;
  std::vector<Bson> ids;
  for (const auto& document : documents) {
    ids.push_back(id_or_empty(document));
    by_id[ids.back()] = &document;
  }
  return fetch(ns, ids, [&](std::string_view live) -> Status {
    TRY_LET(const Bson id, id_of(live));
    const auto wanted = by_id.find(id);
    if (wanted != by_id.end() && *wanted->second == live)
      std::erase_if(refused, [&](const NotInserted& one) { return one.id == id; });
    return {};
  });
}

}  // namespace belay::database
