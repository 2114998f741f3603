// SPDX-License-Identifier: Apache-2.0
// The documents of one collection that were touched while its base layer was read: by id, the
// newest version that was seen. What does not fit into memory waits, encrypted, in an unlinked
// file.
#pragma once

#include <map>

#include "base/file.hpp"
#include "vault/vault.hpp"

namespace belay::vault {

// Documents put aside in a file that nobody else can open; its key dies with the process.
class Spool {
 public:
  explicit Spool(Random& random) : random_(random) {}
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;
  struct Place {
    std::uint64_t offset = 0;
    std::uint32_t bytes = 0;
  };
  Result<Place> put(std::string_view document);
  Result<database::Bson> get(const Place& place) const;

 private:
  Status open();

  Random& random_;
  Fd file_;
  std::string key_;
  std::uint64_t end_ = 0;
};

// Shared by all collections of one reading.
class TouchedBudget {
 public:
  explicit TouchedBudget(Random& random) : spool_(random) {}
  // True: the bytes may stay in memory.
  bool take(std::size_t bytes);
  // Stays in memory whatever it costs: then less is left for documents.
  void hold(std::size_t bytes) { used_ += bytes; }
  void give_back(std::size_t bytes) { used_ -= bytes; }
  Spool& spool() { return spool_; }

 private:
  std::size_t used_ = 0;
  Spool spool_;
};

class TouchedDocuments {
 public:
  explicit TouchedDocuments(TouchedBudget& budget) : budget_(&budget) {}
  // These ids are absent until a document with an equal id is set.
  void absent(const std::vector<database::Bson>& ids);
  Status set(std::string_view document);
  bool empty() const { return versions_.empty(); }
  void clear();
  // The delta layer and the ids that are gone, both in `_id` order.
  Status write(Vault& vault, SavedCollection& saved) const;

 private:
  struct Version {
    bool present = false, spooled = false;
    database::Bson document;
    Spool::Place place;
  };
  struct ById {
    bool operator()(const database::Bson& a, const database::Bson& b) const {
      return database::compare_ids(a, b) < 0;
    }
  };
  Version& version_of(const database::Bson& id);
  void forget(Version& version);

  TouchedBudget* budget_;
  std::map<database::Bson, Version, ById> versions_;
};

}  // namespace belay::vault
