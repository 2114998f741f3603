// SPDX-License-Identifier: Apache-2.0
// A shop in memory before and after a bad migration that does everything a migration can do, and
// a vault with a restore point of the good state.
#pragma once

#include <map>
#include <memory>

#include "base/clock.hpp"
#include "tests/fake/fake_database.hpp"
#include "tests/fake/fake_storage.hpp"
#include "vault/rewind.hpp"

namespace belay::vault::testing {

// Everything of a collection that a rewind must bring back; not its UUID.
struct State {
  database::Bson options;
  std::vector<database::Bson> indexes, documents;
  bool operator==(const State&) const = default;
};
using Everything = std::map<std::string, State>;

// The first difference, for a failed test's message; "" when equal.
std::string difference(const Everything& a, const Everything& b);

void good_shop(fake::FakeDatabase& database, int orders = 520);
void bad_migration(fake::FakeDatabase& database, int orders = 520);

database::Bson bson(const std::string& json);
// As run 7 of the shop's production asks.
RewindRequest request(const std::string& name, const std::string& run = "7",
                      const std::vector<std::string>& databases = {"shop"});
// A restore point of a database that nobody writes to.
Point point_of(database::Database& database, Vault& vault, const std::string& name);
Everything everything(database::Database& database);

// A database, a store and a vault in it; one process's life.
struct World {
  explicit World(std::map<std::string, std::string> objects = {});
  // Opens the vault again, as the next process does.
  void reopen();
  Point take(const std::string& name = "rp-1");
  Result<RewindReport> rewind(const Point& to, const std::string& name = "salvage-1");
  Result<RewindReport> undo(const std::string& salvage = "salvage-1",
                            const std::string& name = "undo-1");
  Preview preview(const Point& to);
  bool wrote_to_database() const;  // since forget_calls()
  void forget_calls() { calls_before = database.plan.calls().size(); }

  SystemClock clock;
  SystemRandom random;
  fake::FakeDatabase database;
  fake::FakeStorage storage;
  std::unique_ptr<Vault> vault;
  std::size_t calls_before = 0;
};

}  // namespace belay::vault::testing
