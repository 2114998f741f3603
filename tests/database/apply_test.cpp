// SPDX-License-Identifier: Apache-2.0
// Conditional changes by id, in transactions and without.
#include <thread>

#include "tests/database/support.hpp"

namespace belay::database::testing {
namespace {

class Apply : public ::testing::TestWithParam<Mode> {
 protected:
  void SetUp() override {
    name_ = fresh_name();
    database_ = open(server(), name_);
    ASSERT_NE(database_, nullptr);
  }
  MongoServer& server() const { return shared_server(GetParam()); }
  bool transactions() const { return GetParam() == Mode::replica_set; }
  Namespace ns() const { return {name_, "items"}; }
  void put(std::initializer_list<const char*> json) {
    std::vector<Bson> documents;
    for (const char* text : json) documents.push_back(bson(text));
    auto refused = database_->insert(ns(), documents);
    ASSERT_OK(refused);
    ASSERT_TRUE(refused->empty());
  }
  std::vector<ChangeResult> apply(const std::vector<Change>& changes) {
    auto results = database_->apply(ns(), changes);
    EXPECT_TRUE(results.ok()) << (results ? "" : results.error().message());
    if (!results) return {};
    EXPECT_EQ(results->size(), changes.size());
    return std::move(*results);
  }
  std::vector<Bson> all() { return read_all(*database_, ns()); }

  std::string name_;
  std::unique_ptr<Database> database_;
};

std::optional<Bson> some(const char* json) {
  if (json == nullptr) return std::nullopt;
  return bson(json);
}

Change change(const char* id, const char* expected, const char* wanted) {
  return {bson(id), some(expected), some(wanted)};
}

std::vector<Bson> documents(std::initializer_list<const char*> json) {
  std::vector<Bson> out;
  for (const char* text : json) out.push_back(bson(text));
  return out;
}

bool all_applied(const std::vector<ChangeResult>& results) {
  for (const auto& result : results)
    if (!result.applied) ADD_FAILURE() << result.reason;
  return true;
}

TEST_P(Apply, RevertsRemovesAndBringsBack) {
  put({R"({"_id": 1, "v": "bad"})", R"({"_id": 2, "v": "new"})"});
  all_applied(
      apply({change(R"({"_id": 1})", R"({"_id": 1, "v": "bad"})", R"({"_id": 1, "v": "good"})"),
             change(R"({"_id": 2})", R"({"_id": 2, "v": "new"})", nullptr),
             change(R"({"_id": "x"})", nullptr, R"({"_id": "x", "v": "back"})")}));
  EXPECT_EQ(all(), documents({R"({"_id": 1, "v": "good"})", R"({"_id": "x", "v": "back"})"}));
}

TEST_P(Apply, NothingToDoIsFine) {
  EXPECT_TRUE(apply({}).empty());
}

TEST_P(Apply, TwiceIsSafe) {
  put({R"({"_id": 1, "v": 1})"});
  const std::vector<Change> changes = {
      change(R"({"_id": 1})", R"({"_id": 1, "v": 1})", R"({"_id": 1, "v": 2})"),
      change(R"({"_id": 2})", nullptr, R"({"_id": 2})")};
  all_applied(apply(changes));
  all_applied(apply(changes));
  EXPECT_EQ(all(), documents({R"({"_id": 1, "v": 2})", R"({"_id": 2})"}));
}

TEST_P(Apply, ADocumentThatChangedMeanwhileIsNotWrittenAndIsShown) {
  put({R"({"_id": 1, "v": "customer"})", R"({"_id": 2})"});
  const auto results =
      apply({change(R"({"_id": 1})", R"({"_id": 1, "v": "old"})", R"({"_id": 1, "v": "point"})"),
             change(R"({"_id": 3})", R"({"_id": 3})", nullptr),  // gone already, as wanted
             change(R"({"_id": 2})", R"({"_id": 2})", nullptr)});
  ASSERT_EQ(results.size(), 3U);
  EXPECT_FALSE(results[0].applied);
  EXPECT_EQ(results[0].found, bson(R"({"_id": 1, "v": "customer"})"));
  EXPECT_EQ(results[0].reason, "changed meanwhile");
  // In a transaction all of the batch or none.
  EXPECT_EQ(results[2].applied, !transactions());
  EXPECT_EQ(all().size(), transactions() ? 2U : 1U);
  EXPECT_EQ(all().front(), bson(R"({"_id": 1, "v": "customer"})"));
}

TEST_P(Apply, AnIdOfEqualValueAndOtherTypeIsAnotherDocument) {
  put({R"({"_id": 1, "v": 1})"});
  const auto refused = apply({change(R"({"_id": 1.0})", R"({"_id": 1.0, "v": 1})", nullptr)});
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_FALSE(refused[0].applied);
  EXPECT_EQ(refused[0].found, bson(R"({"_id": 1, "v": 1})"));
  all_applied(
      apply({change(R"({"_id": 1.0})", R"({"_id": 1, "v": 1})", R"({"_id": 1.0, "v": 1})")}));
  EXPECT_EQ(all(), documents({R"({"_id": 1.0, "v": 1})"}));
}

TEST_P(Apply, DocumentsThatSwappedUniqueValuesSwapBack) {
  ASSERT_OK(
      database_->create_indexes(ns(), {bson(R"({"key": {"u": 1}, "name": "u", "unique": true})")}));
  put({R"({"_id": 1, "u": "b"})", R"({"_id": 2, "u": "a"})"});
  all_applied(
      apply({change(R"({"_id": 1})", R"({"_id": 1, "u": "b"})", R"({"_id": 1, "u": "a"})"),
             change(R"({"_id": 2})", R"({"_id": 2, "u": "a"})", R"({"_id": 2, "u": "b"})")}));
  EXPECT_EQ(all(), documents({R"({"_id": 1, "u": "a"})", R"({"_id": 2, "u": "b"})"}));
}

TEST_P(Apply, ADuplicateKeyIsNamedAndNothingElseOfATransactionStands) {
  ASSERT_OK(
      database_->create_indexes(ns(), {bson(R"({"key": {"u": 1}, "name": "u", "unique": true})")}));
  put({R"({"_id": 1, "u": "taken"})", R"({"_id": 2, "u": "x"})"});
  const auto results = apply({change(R"({"_id": 2})", R"({"_id": 2, "u": "x"})", nullptr),
                              change(R"({"_id": 3})", nullptr, R"({"_id": 3, "u": "taken"})")});
  ASSERT_EQ(results.size(), 2U);
  EXPECT_FALSE(results[1].applied);
  EXPECT_NE(results[1].reason.find("duplicate key"), std::string::npos) << results[1].reason;
  EXPECT_EQ(results[0].applied, !transactions());
  EXPECT_EQ(all().size(), transactions() ? 2U : 1U);
}

TEST_P(Apply, NamesThatLookLikeOrdersAndZeroTimestampsAreKept) {
  put({R"({"_id": 1, "v": 1})", R"({"_id": 2, "v": 1})", R"({"_id": 3, "v": 1})"});
  const char* dollar = R"({"_id": 1, "$set": {"v": 9}, "a.b": 1, "": 2})";
  const char* zero = R"({"_id": 2, "t": {"$timestamp": {"t": 0, "i": 0}}})";
  const char* first = R"({"_id": 3, "": {"$inc": 1}})";
  all_applied(apply({change(R"({"_id": 1})", R"({"_id": 1, "v": 1})", dollar),
                     change(R"({"_id": 2})", R"({"_id": 2, "v": 1})", zero),
                     change(R"({"_id": 3})", R"({"_id": 3, "v": 1})", first)}));
  EXPECT_EQ(all(), documents({dollar, zero, first}));
}

TEST_P(Apply, ValidatorsDoNotStandInTheWay) {
  put({R"({"_id": 1})"});
  ASSERT_OK(database_->modify(ns(), bson(R"({"validator": {"must": 1}})")));
  all_applied(apply({change(R"({"_id": 1})", R"({"_id": 1})", R"({"_id": 1, "x": 1})"),
                     change(R"({"_id": 2})", nullptr, R"({"_id": 2})")}));
  EXPECT_EQ(all().size(), 2U);
}

TEST_P(Apply, ManyAndLargeDocumentsGoInPortions) {
  std::vector<Change> changes;
  for (int i = 0; i < 5; ++i) {
    const std::string id = R"({"_id": )" + std::to_string(i) + "}";
    changes.push_back({bson(id), std::nullopt,
                       sized_document(i, i == 0 ? std::size_t{16} << 20 : std::size_t{5} << 20)});
  }
  all_applied(apply(changes));
  EXPECT_EQ(all().size(), 5U);
  for (auto& one : changes) {
    one.expected = one.wanted;
    (*one.wanted)[one.wanted->size() - 3] = 'y';
  }
  all_applied(apply(changes));
  const auto now = all();
  ASSERT_EQ(now.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_TRUE(now[i] == *changes[i].wanted) << i;
}

class ApplyInTransactions : public Apply {};

TEST_P(ApplyInTransactions, ABatchThatMeetsAnotherWriterEndsWholeOrNotAtAll) {
  put({R"({"_id": 1, "n": 0})", R"({"_id": 2, "n": 0})"});
  const auto worker = [&](int mine) {
    for (int round = 0; round < 20; ++round) {
      const auto now = all();
      std::vector<Change> changes;
      for (const auto& document : now) {
        const std::string id = to_json(*id_of(document));
        changes.push_back({bson(id), document,
                           bson(id.substr(0, id.size() - 1) + R"(, "n": )" +
                                std::to_string(mine * 1000 + round) + "}")});
      }
      (void)database_->apply(ns(), changes);
    }
  };
  std::thread first(worker, 1), second(worker, 2);
  first.join();
  second.join();
  const auto end = all();
  ASSERT_EQ(end.size(), 2U);
  EXPECT_EQ(end[0].substr(13), end[1].substr(13));  // both from one batch
  EXPECT_NE(end[0], bson(R"({"_id": 1, "n": 0})"));
}

INSTANTIATE_TEST_SUITE_P(Servers, ApplyInTransactions, ::testing::Values(Mode::replica_set));

INSTANTIATE_TEST_SUITE_P(Servers, Apply, ::testing::Values(Mode::replica_set, Mode::standalone),
                         [](const auto& one) {
                           return one.param == Mode::replica_set ? "ReplicaSet" : "Standalone";
                         });

}  // namespace
}  // namespace belay::database::testing
