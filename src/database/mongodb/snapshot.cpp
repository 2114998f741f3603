// SPDX-License-Identifier: Apache-2.0
#include "database/mongodb/transaction.hpp"

#include "database/mongodb/mongodb.hpp"

namespace belay::database {

Result<std::unique_ptr<Transaction>> Transaction::start(Pool& pool, Millis limit) {
  std::unique_ptr<Transaction> out(new Transaction(pool));
  TRY_LET(auto session, Session::start(out->lease_, true));
  out->session_.emplace(std::move(session));
  mongoc_transaction_opt_t* options = mongoc_transaction_opts_new();
  mongoc_read_concern_t* snapshot = mongoc_read_concern_new();
  mongoc_read_concern_set_level(snapshot, MONGOC_READ_CONCERN_LEVEL_SNAPSHOT);
  mongoc_write_concern_t* majority = mongoc_write_concern_new();
  mongoc_write_concern_set_wmajority(majority, static_cast<std::int32_t>(limit.count()));
  mongoc_transaction_opts_set_read_concern(options, snapshot);
  mongoc_transaction_opts_set_write_concern(options, majority);
  mongoc_transaction_opts_set_max_commit_time_ms(options, limit.count());
  bson_error_t error{};
  const bool ok = mongoc_client_session_start_transaction(out->session(), options, &error);
  mongoc_write_concern_destroy(majority);
  mongoc_read_concern_destroy(snapshot);
  mongoc_transaction_opts_destroy(options);
  if (!ok) return out->lease_.explain(error, nullptr, Nature::read);
  out->open_ = true;
  return out;
}

Transaction::~Transaction() {
  abort();
}

void Transaction::abort() {
  if (!std::exchange(open_, false)) return;
  bson_error_t ignored;
  mongoc_client_session_abort_transaction(session(), &ignored);
}

Transaction::Commit Transaction::commit(Error* why) {
  constexpr int attempts = 3;
  open_ = false;
  for (int attempt = 1;; ++attempt) {
    bson_t reply;
    bson_error_t error{};
    const bool ok = mongoc_client_session_commit_transaction(session(), &reply, &error);
    const bool unknown = mongoc_error_has_label(&reply, "UnknownTransactionCommitResult") ||
                         error.domain == MONGOC_ERROR_STREAM ||
                         error.domain == MONGOC_ERROR_WRITE_CONCERN;
    if (!ok) *why = lease_.explain(error, &reply, Nature::write);
    bson_destroy(&reply);
    if (ok) return Commit::done;
    if (!unknown) return Commit::not_done;
    if (attempt == attempts) return Commit::unknown;
  }
}

Status Transaction::read(const Namespace& ns, const std::vector<Bson>& ids,
                         const DocumentSink& sink) {
  Document options;
  TRY(session_->add_to(options));
  return fetch_ids(lease_, ns, ids, options, sink);
}

namespace {

class MongoSnapshot final : public Snapshot {
 public:
  explicit MongoSnapshot(std::unique_ptr<Transaction> transaction)
      : transaction_(std::move(transaction)) {}

  Status fetch(const Namespace& ns, const std::vector<Bson>& ids,
               const DocumentSink& sink) override {
    return transaction_->read(ns, ids, sink).in("reading from " + ns.text() + " at one instant");
  }

  Status commit() override {
    Error why;
    if (transaction_->commit(&why) == Transaction::Commit::done) return {};
    why.effect = Effect::none;  // it only read: what was read is thrown away
    return std::move(why).in("confirming what was read at one instant");
  }

 private:
  std::unique_ptr<Transaction> transaction_;
};

}  // namespace

Result<std::unique_ptr<Snapshot>> Mongodb::snapshot() {
  TRY_LET(const Facts facts, this->facts());
  if (facts.replica_set.empty())
    return fail(Fault::refused,
                "a standalone server has no transactions: it cannot be read at "
                "one instant");
  TRY_LET(auto transaction, Transaction::start(*pool_, config_.limit));
  // The first read pins the instant: any read will do.
  const auto nothing = [](std::string_view) -> Status { return {}; };
  const Document id = std::move(Document().i32("_id", 0));
  TRY(transaction->read({own_database, "markers"}, {id.bytes()}, nothing)
          .in("beginning a transaction"));
  return std::unique_ptr<Snapshot>(new MongoSnapshot(std::move(transaction)));
}

}  // namespace belay::database
