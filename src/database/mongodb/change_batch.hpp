// SPDX-License-Identifier: Apache-2.0
// One batch of conditional changes: compared with what is there, then written in an order in which
// unique indexes cannot clash: deletes, replacements, inserts.
#pragma once

#include <map>

#include "database/mongodb/transaction.hpp"

namespace belay::database {

class ChangeBatch {
 public:
  // `unique`: the collection has a unique index beside `_id`. `empty_stamps`: the server knows
  // bypassEmptyTsReplacement.
  ChangeBatch(const Lease& lease, const Namespace& ns, const std::vector<Change>& changes,
              bool unique, bool empty_stamps);

  const std::vector<Bson>& ids() const { return ids_; }
  DocumentSink live_sink();  // takes the live documents
  // True when every live document is as expected, or already as wanted.
  bool compare();
  bool all_as_wanted() const;
  // Writes what compare() let through; null: without a transaction. An error is one of the
  // connection or of the whole command; a refused document is in the results.
  Status write(Transaction* transaction);

  bool refused() const { return refused_; }
  bool transient() const { return transient_; }            // worth another transaction
  bool option_refused() const { return option_refused_; }  // write again without empty_stamps
  std::vector<ChangeResult> take_results() { return std::move(results_); }
  // Nothing was written: those that did not stand in the way carry this reason.
  std::vector<ChangeResult> hold_back(std::string_view reason);

 private:
  struct Less {
    bool operator()(const Bson& a, const Bson& b) const { return compare_ids(a, b) < 0; }
  };
  enum class Way { nothing, remove, replace, insert, remove_and_insert };

  const Bson* live(std::size_t index) const;
  Way way_of(std::size_t index) const;
  std::vector<std::size_t> going(std::initializer_list<Way> ways) const;
  Status remove(const std::vector<std::size_t>& some, Transaction* transaction);
  Status replace(const std::vector<std::size_t>& some, Transaction* transaction);
  Status insert(const std::vector<std::size_t>& some, Transaction* transaction);
  Status run(const Document& command, const std::vector<std::size_t>& some,
             Transaction* transaction);
  void refuse(std::size_t index, std::string reason);

  const Lease& lease_;
  const Namespace& ns_;
  const std::vector<Change>& changes_;
  const bool unique_, empty_stamps_;
  std::vector<Bson> ids_;
  std::map<Bson, Bson, Less> live_;
  std::vector<Way> ways_;
  std::vector<ChangeResult> results_;
  bool refused_ = false, transient_ = false, option_refused_ = false;
};

}  // namespace belay::database
