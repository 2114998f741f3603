// SPDX-License-Identifier: Apache-2.0
// What the benchmarks of data share: a real server with an empty vault beside it, documents of a
// shop, plain writes of the driver as a floor, and how a figure is shown.
#pragma once

#include <memory>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "bench/figure.hpp"
#include "tests/support/mongo_server.hpp"
#include "vault/backup.hpp"
#include "vault/rewind.hpp"

namespace belay::bench {

using belay::testing::MongoServer;
using database::Bson;

struct DataStage {
  // The stand-in reads its whole log for each question, where a mongod seeks: it is kept short.
  explicit DataStage(int log_entries = 20'000);
  std::unique_ptr<database::Database> connect() const;
  vault::Point take(const std::string& name);
  vault::RewindReport rewind(const vault::Point& to, const std::string& name);

  SystemClock clock;
  SystemRandom random;
  ScratchFolder folder;
  std::unique_ptr<MongoServer> server;
  std::unique_ptr<storage::Storage> store;
  std::unique_ptr<vault::Vault> vault;
  std::unique_ptr<database::Database> database;  // "shop"
};

// About 265 bytes, two indexed members; the same for the same number.
Bson order(std::int32_t number);
Bson text_document(std::int32_t number, std::string_view text);
// `count` of them in shop.orders, with two indexes.
void load_orders(DataStage& stage, std::int32_t count);
std::vector<Bson> read_all(database::Database& database, const database::Namespace& ns);
// The same documents put there by the driver alone: replaced by `_id`, 500 at a time.
void plainly_replace(const MongoServer& server, const database::Namespace& ns,
                     const std::vector<Bson>& documents);

}  // namespace belay::bench
