// SPDX-License-Identifier: Apache-2.0
// A database that misbehaves: lost replies, cut connections, rights, a mongos, secrets.
#include <mongoc/mongoc.h>

#include <thread>

#include "tests/database/support.hpp"
#include "tests/fake/op_msg_proxy.hpp"
#include "tests/support/eventually.hpp"

namespace belay::database::testing {
namespace {

using belay::testing::OpMsgProxy;
using belay::testing::ProxyFault;
using Action = ProxyFault::Action;

class Faults : public ::testing::Test {
 protected:
  void SetUp() override {
    name_ = fresh_name();
    auto proxy = OpMsgProxy::start(server().port());
    ASSERT_OK(proxy);
    proxy_ = std::move(*proxy);
    database_ = open(server(), name_, proxy_->port());
    ASSERT_OK(server().insert(name_, "items", {R"({"_id": 1, "v": 1})"}));
    ASSERT_OK(database_->describe());
  }
  MongoServer& server() const { return shared_server(Mode::replica_set); }
  Namespace ns() const { return {name_, "items"}; }
  std::vector<Change> two_changes() const {
    return {{bson(R"({"_id": 1})"), bson(R"({"_id": 1, "v": 1})"), bson(R"({"_id": 1, "v": 2})")},
            {bson(R"({"_id": 2})"), std::nullopt, bson(R"({"_id": 2})")}};
  }
  void expect_all_applied() {
    auto results = database_->apply(ns(), two_changes());
    ASSERT_OK(results);
    for (const auto& result : *results) EXPECT_TRUE(result.applied) << result.reason;
    EXPECT_GE(proxy_->struck(), 1);
    proxy_->plan({});
    const std::vector<Bson> expected = {bson(R"({"_id": 1, "v": 2})"), bson(R"({"_id": 2})")};
    EXPECT_EQ(read_all(*database_, ns()), expected);
  }
  std::string refusal(std::int32_t code, const std::string& name) const {
    return bson(R"({"ok": 0, "code": )" + std::to_string(code) + R"(, "codeName": ")" + name +
                R"(", "errmsg": "refused by plan"})");
  }

  std::string name_;
  std::unique_ptr<OpMsgProxy> proxy_;
  std::unique_ptr<Database> database_;
};

TEST_F(Faults, ALostAnswerToACommitIsSettled) {
  proxy_->plan({{"commitTransaction", Action::lose_reply}});
  expect_all_applied();
}

TEST_F(Faults, ACommitThatNeverArrivedIsSettled) {
  proxy_->plan({{"commitTransaction", Action::cut_before}});
  expect_all_applied();
}

TEST_F(Faults, ACommitWhoseAnswersAreAllLostIsSettledByReading) {
  proxy_->plan({{"commitTransaction", Action::lose_reply, 1, 0}});
  expect_all_applied();
}

TEST_F(Faults, ACutInTheMiddleOfABatchLeavesAllOrNothing) {
  for (const char* command : {"update", "insert", "find"}) {
    proxy_->plan({{command, Action::cut_after}});
    expect_all_applied();
    ASSERT_OK(
        server().command(name_, R"({"delete": "items", "deletes": [{"q": {}, "limit": 0}]})"));
    ASSERT_OK(server().insert(name_, "items", {R"({"_id": 1, "v": 1})"}));
  }
}

TEST_F(Faults, AWriteBetweenReadingAndWritingIsNotOverwritten) {
  ProxyFault other{"update", Action::call};
  other.hook = [&] {
    (void)server().command(name_, R"({"update": "items", "updates": [
        {"q": {"_id": 1}, "u": {"_id": 1, "v": "customer"}}]})");
  };
  proxy_->plan({other});
  auto results = database_->apply(ns(), two_changes());
  ASSERT_OK(results);
  EXPECT_FALSE((*results)[0].applied);
  EXPECT_EQ((*results)[0].found, bson(R"({"_id": 1, "v": "customer"})"));
  EXPECT_FALSE((*results)[1].applied);
  EXPECT_EQ(read_all(*database_, ns()), std::vector<Bson>{bson(R"({"_id": 1, "v": "customer"})")});
}

// A client of its own that has changed document 1 in a transaction, and then says no more.
class Silent {
 public:
  Silent(int port, const std::string& database)
      : client_(mongoc_client_new(
            fmt::format("mongodb://127.0.0.1:{}/?directConnection=true", port).c_str())),
        items_(mongoc_client_get_collection(client_, database.c_str(), "items")) {
    session_ = mongoc_client_start_session(client_, nullptr, nullptr);
    EXPECT_TRUE(mongoc_client_session_start_transaction(session_, nullptr, nullptr));
    const Bson one = bson(R"({"_id": 1})"), change = bson(R"({"$set": {"v": "half"}})");
    bson_t query, update, options = BSON_INITIALIZER;
    bson_init_static(&query, reinterpret_cast<const std::uint8_t*>(one.data()), one.size());
    bson_init_static(&update, reinterpret_cast<const std::uint8_t*>(change.data()), change.size());
    EXPECT_TRUE(mongoc_client_session_append(session_, &options, nullptr));
    EXPECT_TRUE(mongoc_collection_update_one(items_, &query, &update, &options, nullptr, nullptr));
    bson_destroy(&options);
  }
  ~Silent() {
    mongoc_client_session_abort_transaction(session_, nullptr);
    mongoc_client_session_destroy(session_);
    mongoc_collection_destroy(items_);
    mongoc_client_destroy(client_);
  }

 private:
  mongoc_client_t* client_;
  mongoc_collection_t* items_;
  mongoc_client_session_t* session_ = nullptr;
};

TEST_F(Faults, ABatchOutlastsTheTransactionThatAKilledClientLeftOpen) {
  auto silent = std::make_unique<Silent>(server().port(), name_);
  proxy_->plan({});
  std::jthread server_ends_it([&] {
    EXPECT_TRUE(eventually([&] { return proxy_->count("update") >= 8; }));
    silent.reset();
  });
  auto results = database_->apply(ns(), two_changes());
  ASSERT_OK(results);
  for (const auto& result : *results) EXPECT_TRUE(result.applied) << result.reason;
  const std::vector<Bson> expected = {bson(R"({"_id": 1, "v": 2})"), bson(R"({"_id": 2})")};
  EXPECT_EQ(read_all(*database_, ns()), expected);
}

TEST_F(Faults, AnInsertThatIsCutEndsInEveryDocumentOnRepeating) {
  std::vector<Bson> documents;
  for (int i = 10; i < 500; ++i) documents.push_back(bson(R"({"_id": )" + std::to_string(i) + "}"));
  proxy_->plan({{"insert", Action::lose_reply, 1, 0}});
  auto first = database_->insert(ns(), documents);
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().effect, Effect::unknown);
  proxy_->plan({});
  auto again = database_->insert(ns(), documents);
  ASSERT_OK(again);
  EXPECT_TRUE(again->empty());
  EXPECT_EQ(read_all(*database_, ns()).size(), 491U);
}

TEST_F(Faults, AServerThatDoesNotKnowAnOptionIsAskedWithoutIt) {
  proxy_->plan({{"insert", Action::answer, 1, 1, {}, {}, refusal(40415, "Location40415")}});
  auto refused = database_->insert(ns(), {bson(R"({"_id": 5})")});
  ASSERT_OK(refused);
  EXPECT_TRUE(refused->empty());
  EXPECT_EQ(proxy_->count("insert"), 2);
  EXPECT_EQ(read_all(*database_, ns()).size(), 2U);
}

TEST_F(Faults, AMissingRightIsDeniedAndSaysWhatFailed) {
  proxy_->plan({{"find", Action::answer, 1, 0, {}, {}, refusal(13, "Unauthorized")}});
  const auto nothing = [](std::string_view) -> Status { return {}; };
  auto status = database_->fetch(ns(), {bson(R"({"_id": 1})")}, nothing);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().fault, Fault::denied);
  EXPECT_NE(status.error().message().find(ns().text()), std::string::npos);
}

TEST_F(Faults, ProofsThatMayNotBeTriedAreListed) {
  proxy_->plan({{"insert", Action::answer, 1, 0, {}, {}, refusal(13, "Unauthorized")}});
  auto proofs = database_->prove();
  ASSERT_OK(proofs);
  EXPECT_FALSE(proofs->exact_bytes);
  EXPECT_FALSE(proofs->exact_points());
  EXPECT_EQ(proofs->missing.size(), 4U);
}

TEST_F(Faults, AMajorityThatDoesNotMoveIsToldAsThat) {
  proxy_->plan({{"insert", Action::answer, 1, 0, {}, {}, bson(R"({"ok": 1, "n": 1,
      "writeConcernError": {"code": 64, "codeName": "WriteConcernTimeout",
                            "errmsg": "waiting for replication timed out"}})")}});
  auto position = database_->mark();
  ASSERT_FALSE(position);
  EXPECT_NE(position.error().message().find("majority"), std::string::npos);
}

TEST_F(Faults, AMongosIsRefused) {
  proxy_->plan({{"hello", Action::answer, 1, 0, {}, {}, bson(R"({"ismaster": true,
      "isWritablePrimary": true, "msg": "isdbgrid", "maxBsonObjectSize": 16777216,
      "maxMessageSizeBytes": 48000000, "maxWriteBatchSize": 100000, "minWireVersion": 0,
      "maxWireVersion": 21, "logicalSessionTimeoutMinutes": 30, "ok": 1})")}});
  const auto database = open(server(), name_, proxy_->port());
  auto facts = database->describe();
  ASSERT_OK(facts);
  EXPECT_TRUE(facts->mongos);
  auto catalogue = database->catalogue();
  ASSERT_FALSE(catalogue);
  EXPECT_EQ(catalogue.error().fault, Fault::refused);
  EXPECT_NE(catalogue.error().message().find("mongos"), std::string::npos);
}

TEST_F(Faults, AReadThatIsCutIsAnErrorAndNotAShortCollection) {
  std::vector<Bson> documents;
  for (int i = 0; i < 30; ++i) documents.push_back(sized_document(i + 10, 1U << 20));
  ASSERT_OK(database_->insert(ns(), documents));
  proxy_->plan({{"getMore", Action::lose_reply, 1, 0}});
  std::size_t seen = 0;
  const auto counting = [&](std::string_view) -> Status {
    ++seen;
    return {};
  };
  auto status =
      database_->scan(find_collection(*database_, ns()), std::nullopt, std::nullopt, counting, {});
  EXPECT_FALSE(status);
  EXPECT_LT(seen, 31U);
}

TEST_F(Faults, ASnapshotWhoseCommitIsRefusedIsNotTrusted) {
  auto snapshot = database_->snapshot();
  ASSERT_OK(snapshot);
  proxy_->plan(
      {{"commitTransaction", Action::answer, 1, 0, {}, {}, refusal(251, "NoSuchTransaction")}});
  EXPECT_FALSE((*snapshot)->commit());
}

TEST(Secrets, NeverStandInAnErrorsText) {
  const std::string sentinel = "s3ntinel-of-a-password";
  int connected = 0;
  for (const std::string& uri : std::vector<std::string>{
           "mongodb://me:" + sentinel + "@127.0.0.1:1/shop?serverSelectionTimeoutMS=200",
           "mongodb://me:" + sentinel + "@/shop", sentinel, "mongodb://" + sentinel + ":x:y/",
           "mongodb://me:" + sentinel + "@127.0.0.1/",
           "mongodb://me:" + sentinel + "@127.0.0.1/admin"}) {
    auto made = make_mongodb({Secret(uri), {}, std::chrono::seconds(1)});
    if (!made) {
      EXPECT_EQ(made.error().fault, Fault::invalid);
      EXPECT_EQ(made.error().message().find(sentinel), std::string::npos);
      continue;
    }
    auto facts = (*made)->describe();
    ++connected;
    ASSERT_FALSE(facts);
    EXPECT_EQ(facts.error().fault, Fault::unreachable);
    EXPECT_EQ(facts.error().message().find(sentinel), std::string::npos);
  }
  EXPECT_EQ(connected, 1);
}

}  // namespace
}  // namespace belay::database::testing
