// SPDX-License-Identifier: Apache-2.0
#include "database/mongodb/change_batch.hpp"

namespace belay::database {
namespace {

// Below the limit of one command, with room for its frame; a larger document goes alone.
constexpr std::size_t bytes_at_once = std::size_t{12} << 20;
constexpr std::size_t changes_at_once = 10'000;

// A replacement would take a `$` or a dot in a top-level name for an order, and a zero timestamp
// there for "now": such documents are inserted.
bool replaceable(const Bson& document) {
  bson_iter_t at;
  if (!bson_iter_init_from_data(&at, reinterpret_cast<const std::uint8_t*>(document.data()),
                                document.size()))
    return false;
  while (bson_iter_next(&at)) {
    const std::string_view key(bson_iter_key(&at), bson_iter_key_len(&at));
    if (key.starts_with('$') || key.find('.') != std::string_view::npos) return false;
    if (BSON_ITER_HOLDS_TIMESTAMP(&at)) return false;
  }
  return true;
}

bool has_empty_stamps_option(const Document& command) {
  return has(command.view(), "bypassEmptyTsReplacement");
}

Document one_change(const Bson& id) {
  return std::move(Document().doc("q", id));
}

std::size_t size_of(const Change& change) {
  return change.id.size() + (change.wanted ? change.wanted->size() : 0) + 64;
}

}  // namespace

ChangeBatch::ChangeBatch(const Lease& lease, const Namespace& ns,
                         const std::vector<Change>& changes, bool unique, bool empty_stamps)
    : lease_(lease),
      ns_(ns),
      changes_(changes),
      unique_(unique),
      empty_stamps_(empty_stamps),
      ways_(changes.size(), Way::nothing),
      results_(changes.size()) {
  for (const auto& change : changes) ids_.push_back(change.id);
}

DocumentSink ChangeBatch::live_sink() {
  return [this](std::string_view document) -> Status {
    TRY_LET(Bson id, id_of(document));
    live_.insert_or_assign(std::move(id), Bson(document));
    return {};
  };
}

const Bson* ChangeBatch::live(std::size_t index) const {
  const auto found = live_.find(changes_[index].id);
  return found == live_.end() ? nullptr : &found->second;
}

ChangeBatch::Way ChangeBatch::way_of(std::size_t index) const {
  const Change& change = changes_[index];
  const Bson* there = live(index);
  if (there == nullptr) return change.wanted ? Way::insert : Way::nothing;
  if (!change.wanted) return Way::remove;
  if (*there == *change.wanted) return Way::nothing;
  const auto live_id = id_of(*there), wanted_id = id_of(*change.wanted);
  const bool same_id = live_id && wanted_id && *live_id == *wanted_id;
  return !unique_ && same_id && replaceable(*change.wanted) ? Way::replace : Way::remove_and_insert;
}

bool ChangeBatch::compare() {
  bool all = true;
  for (std::size_t i = 0; i < changes_.size(); ++i) {
    const Bson* there = live(i);
    const auto is = [&](const std::optional<Bson>& bytes) {
      return bytes ? there != nullptr && *there == *bytes : there == nullptr;
    };
    ChangeResult& result = results_[i];
    result.applied = is(changes_[i].expected) || is(changes_[i].wanted);
    ways_[i] = result.applied ? way_of(i) : Way::nothing;
    if (result.applied) continue;
    if (there != nullptr) result.found = *there;
    result.reason = "changed meanwhile";
    all = false;
  }
  return all;
}

bool ChangeBatch::all_as_wanted() const {
  for (std::size_t i = 0; i < changes_.size(); ++i) {
    const Bson* there = live(i);
    const auto& wanted = changes_[i].wanted;
    if (wanted ? there == nullptr || *there != *wanted : there != nullptr) return false;
  }
  return true;
}

std::vector<std::size_t> ChangeBatch::going(std::initializer_list<Way> ways) const {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < ways_.size(); ++i)
    if (results_[i].applied && std::find(ways.begin(), ways.end(), ways_[i]) != ways.end())
      out.push_back(i);
  return out;
}

Status ChangeBatch::write(Transaction* transaction) {
  TRY(remove(going({Way::remove, Way::remove_and_insert}), transaction));
  if (refused_ && transaction != nullptr) return {};
  TRY(replace(going({Way::replace}), transaction));
  if (refused_ && transaction != nullptr) return {};
  return insert(going({Way::insert, Way::remove_and_insert}), transaction);
}

namespace {

// Cuts the list so that each command stays within the server's limits.
Status in_portions(const std::vector<std::size_t>& some, const std::vector<Change>& changes,
                   const std::function<Status(const std::vector<std::size_t>&)>& one) {
  std::vector<std::size_t> portion;
  std::size_t bytes = 0;
  for (const std::size_t index : some) {
    const std::size_t size = size_of(changes[index]);
    if (!portion.empty() && (bytes + size > bytes_at_once || portion.size() == changes_at_once)) {
      TRY(one(portion));
      portion.clear();
      bytes = 0;
    }
    portion.push_back(index);
    bytes += size;
  }
  return portion.empty() ? Status() : one(portion);
}

}  // namespace

Status ChangeBatch::remove(const std::vector<std::size_t>& some, Transaction* transaction) {
  return in_portions(some, changes_, [&](const std::vector<std::size_t>& portion) {
    std::vector<Bson> deletes;
    for (const std::size_t i : portion)
      deletes.push_back(one_change(changes_[i].id).i32("limit", 1).bytes());
    Document command;
    command.text("delete", ns_.collection).array("deletes", deletes).flag("ordered", false);
    return run(command, portion, transaction);
  });
}

Status ChangeBatch::replace(const std::vector<std::size_t>& some, Transaction* transaction) {
  return in_portions(some, changes_, [&](const std::vector<std::size_t>& portion) {
    std::vector<Bson> updates;
    for (const std::size_t i : portion)
      updates.push_back(one_change(changes_[i].id).doc("u", *changes_[i].wanted).bytes());
    Document command;
    command.text("update", ns_.collection).array("updates", updates).flag("ordered", false);
    command.flag("bypassDocumentValidation", true);
    return run(command, portion, transaction);
  });
}

Status ChangeBatch::insert(const std::vector<std::size_t>& some, Transaction* transaction) {
  return in_portions(some, changes_, [&](const std::vector<std::size_t>& portion) -> Status {
    std::vector<Bson> documents;
    for (const std::size_t i : portion) documents.push_back(*changes_[i].wanted);
    Document command;
    command.text("insert", ns_.collection).array("documents", documents).flag("ordered", false);
    command.flag("bypassDocumentValidation", true);
    if (!empty_stamps_) return run(command, portion, transaction);
    const Document plain = Document::copy(command.view());
    TRY(run(command.flag("bypassEmptyTsReplacement", true), portion, transaction));
    // Deletes may have been done already: without a transaction there is no beginning anew.
    if (option_refused_ && transaction == nullptr) return run(plain, portion, transaction);
    return {};
  });
}

Status ChangeBatch::run(const Document& command, const std::vector<std::size_t>& some,
                        Transaction* transaction) {
  Document options;
  if (transaction != nullptr) TRY(transaction->add_to(options));
  bson_t reply;
  bson_error_t error{};
  const bool ok = mongoc_client_write_command_with_opts(
      lease_.get(), ns_.database.c_str(), command.get(), options.get(), &reply, &error);
  const Document answer(bson_copy(&reply));
  transient_ = mongoc_error_has_label(&reply, "TransientTransactionError");
  bson_destroy(&reply);
  const auto errors = doc_at(answer.view(), "writeErrors");
  const auto named = errors ? documents_in(*errors) : std::vector<std::string_view>();
  if (transient_ || (!ok && named.empty())) {
    const bool newly = !option_refused_ && has_empty_stamps_option(command) &&
                       (error.code == 40415 || error.code == 72);
    option_refused_ = option_refused_ || newly;
    if (newly) return {};
    return lease_.explain(error, answer.get(), Nature::write);
  }
  for (const std::string_view one : named) {
    const auto index = static_cast<std::size_t>(number_at(one, "index").value_or(0));
    if (index >= some.size()) continue;
    std::string reason(text_at(one, "errmsg").value_or("refused by the server"));
    if (number_at(one, "code") == 11000) reason = "duplicate key: " + reason;
    refuse(some[index], std::move(reason));
  }
  return {};
}

void ChangeBatch::refuse(std::size_t index, std::string reason) {
  refused_ = true;
  results_[index] = {false, std::nullopt, std::move(reason)};
  if (const Bson* there = live(index)) results_[index].found = *there;
}

std::vector<ChangeResult> ChangeBatch::hold_back(std::string_view reason) {
  for (std::size_t i = 0; i < results_.size(); ++i) {
    if (!results_[i].applied) continue;
    results_[i] = {false, std::nullopt, std::string(reason)};
    if (const Bson* there = live(i)) results_[i].found = *there;
  }
  return take_results();
}

}  // namespace belay::database
