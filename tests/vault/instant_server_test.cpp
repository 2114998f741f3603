// SPDX-License-Identifier: Apache-2.0
// A restore point is one instant of the database: while several clients move money between two
// collections in transactions, the sum in every point is the sum that there always was.
#include <gtest/gtest.h>
#include <mongoc/mongoc.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "tests/fake/fake_storage.hpp"
#include "tests/support/mongo_server.hpp"
#include "vault/backup.hpp"
#include "vault/bson_facts.hpp"

namespace belay::vault::testing {
namespace {

using belay::testing::MongoServer;

constexpr int accounts = 60, writers = 4, points = 20;
constexpr std::int64_t each = 1000, in_all = 2 * accounts * each;

// One customer, with a connection of its own.
class Teller {
 public:
  Teller(const std::string& uri, unsigned seed)
      : client_(mongoc_client_new(uri.c_str())),
        left_(mongoc_client_get_collection(client_, "bank", "left")),
        right_(mongoc_client_get_collection(client_, "bank", "right")),
        seed_(seed) {}
  ~Teller() {
    mongoc_collection_destroy(left_);
    mongoc_collection_destroy(right_);
    mongoc_client_destroy(client_);
  }
  Teller(const Teller&) = delete;
  Teller& operator=(const Teller&) = delete;

  // From an account of one collection to one of the other, or not at all.
  bool transfer() {
    bson_error_t error;
    mongoc_client_session_t* session = mongoc_client_start_session(client_, nullptr, &error);
    if (session == nullptr) return false;
    bool done = mongoc_client_session_start_transaction(session, nullptr, &error);
    const int amount = 1 + next(9), sign = next(2) == 0 ? 1 : -1;
    done = done && add(session, left_, next(accounts), -sign * amount) &&
           add(session, right_, next(accounts), sign * amount);
    if (done)
      done = mongoc_client_session_commit_transaction(session, nullptr, &error);
    else
      mongoc_client_session_abort_transaction(session, nullptr);
    mongoc_client_session_destroy(session);
    return done;
  }

 private:
  int next(int below) {
    seed_ = seed_ * 1664525U + 1013904223U;
    return static_cast<int>((seed_ >> 8) % static_cast<unsigned>(below));
  }

  static bool add(mongoc_client_session_t* session, mongoc_collection_t* to, int account,
                  int amount) {
    bson_error_t error;
    bson_t* filter = BCON_NEW("_id", BCON_INT32(account));
    bson_t* change = BCON_NEW("$inc", "{", "balance", BCON_INT32(amount), "}");
    bson_t options = BSON_INITIALIZER;
    const bool done = mongoc_client_session_append(session, &options, &error) &&
                      mongoc_collection_update_one(to, filter, change, &options, nullptr, &error);
    bson_destroy(&options);
    bson_destroy(change);
    bson_destroy(filter);
    return done;
  }

  mongoc_client_t* client_;
  mongoc_collection_t *left_, *right_;
  unsigned seed_;
};

std::int64_t balance_of(const database::Bson& document) {
  const auto balance = field(document, "balance");
  std::int64_t wide = 0;
  std::int32_t narrow = 0;
  if (!balance) return 0;
  if (balance->type == 0x12) std::memcpy(&wide, balance->value.data(), sizeof wide);
  if (balance->type != 0x10) return wide;
  std::memcpy(&narrow, balance->value.data(), sizeof narrow);
  return narrow;
}

// As it comes out of the vault.
std::int64_t sum_of(Vault& vault, const Point& point, std::uint64_t& documents) {
  std::int64_t sum = 0;
  for (const auto& saved : point.collections) {
    auto reader = vault.read(saved);
    EXPECT_TRUE(reader) << reader.error().message();
    while (reader) {
      auto document = (*reader)->next();
      EXPECT_TRUE(document) << document.error().message();
      if (!document || !*document) break;
      sum += balance_of(**document);
      ++documents;
    }
  }
  return sum;
}

struct Instant : ::testing::Test {
  SystemClock clock;
  SystemRandom random;
  fake::FakeStorage storage;
  std::unique_ptr<MongoServer> server;
  std::unique_ptr<Vault> vault;
  std::unique_ptr<database::Database> database;

  void SetUp() override {
    auto started = MongoServer::start(MongoServer::Mode::replica_set, 1'000'000);
    ASSERT_TRUE(started) << started.error().message();
    server = std::move(*started);
    std::vector<std::string> rows;
    for (int i = 0; i < accounts; ++i)
      rows.push_back(fmt::format(R"({{"_id": {}, "balance": {}}})", i, each));
    for (const auto* name : {"left", "right"}) {
      auto done = server->insert("bank", name, rows);
      ASSERT_TRUE(done) << done.error().message();
    }
    database::MongoConfig config;
    config.uri = Secret(server->uri("bank"));
    auto made = database::make_mongodb(std::move(config));
    ASSERT_TRUE(made) << made.error().message();
    database = std::move(*made);
    auto opened = open_vault(storage, Secret(std::string(64, 'a')), clock, random);
    ASSERT_TRUE(opened) << opened.error().message();
    vault = std::move(*opened);
  }
};

TEST_F(Instant, TheSumOfAllAccountsIsTheSameInTwentyOfTwentyPointsBesideTransfersAtFullSpeed) {
  std::atomic<std::uint64_t> transfers = 0;
  std::vector<std::jthread> tellers;
  for (unsigned i = 0; i < writers; ++i)
    tellers.emplace_back([&, i](const std::stop_token& stop) {
      Teller teller(server->uri("bank"), i + 1);
      while (!stop.stop_requested())
        if (teller.transfer()) ++transfers;
    });
  int beside = 0;
  for (int i = 1; i <= points; ++i) {
    BackupRequest request;
    request.name = fmt::format("rp-{}", i);
    request.kind = "manual";
    const auto before = transfers.load();
    auto point = take_restore_point(*database, *vault, request, clock, {}, {});
    ASSERT_TRUE(point) << point.error().message();
    beside += transfers.load() > before ? 1 : 0;
    EXPECT_TRUE(point->exact);
    EXPECT_EQ(point->method, "transaction");
    std::uint64_t documents = 0;
    EXPECT_EQ(sum_of(*vault, *point, documents), in_all) << "in point " << i;
    EXPECT_EQ(documents, 2U * accounts);
  }
  for (auto& teller : tellers) teller.request_stop();
  tellers.clear();
  EXPECT_EQ(beside, points) << "no transfer ran beside some point: nothing was proved";
  RecordProperty("transfers", std::to_string(transfers.load()));
}

}  // namespace
}  // namespace belay::vault::testing
