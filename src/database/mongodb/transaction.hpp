// SPDX-License-Identifier: Apache-2.0
// A transaction with snapshot reads and a majority commit. Ended without a commit, it is aborted.
#pragma once

#include "database/mongodb/client.hpp"

namespace belay::database {

class Transaction {
 public:
  static Result<std::unique_ptr<Transaction>> start(Pool& pool, Millis limit);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  const Lease& lease() const { return lease_; }
  Status add_to(Document& options) const { return session_->add_to(options); }
  Status read(const Namespace& ns, const std::vector<Bson>& ids, const DocumentSink& sink);

  enum class Commit { done, not_done, unknown };
  // Repeats a commit whose answer was lost; `why` is set unless it is done.
  Commit commit(Error* why);
  void abort();

 private:
  explicit Transaction(Pool& pool) : lease_(pool) {}
  mongoc_client_session_t* session() const { return session_->get(); }

  Lease lease_;
  std::optional<Session> session_;
  bool open_ = false;
};

}  // namespace belay::database
