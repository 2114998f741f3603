// SPDX-License-Identifier: Apache-2.0
// Entries of the shapes that mongod writes, built by hand: chains of applyOps, prepared
// transactions, vectored inserts, diffs of $v 2, index builds, entries nobody knows.
#include "database/log_reading.hpp"

#include <gtest/gtest.h>

#include <map>

#include "tests/database/support.hpp"

namespace belay::database::testing {
namespace {

constexpr const char* uuid =
    R"({"$binary": {"base64": "AAECAwQFBgcICQoLDA0ODw==", "subType": "04"}})";
constexpr const char* uuid_hex = "000102030405060708090a0b0c0d0e0f";

// An entry: {ts: (1, ordinal), t: 1, v: 2, wall: …, …rest}.
Bson entry(int ordinal, const std::string& rest) {
  return bson(R"({"ts": {"$timestamp": {"t": 1, "i": )" + std::to_string(ordinal) +
              R"(}}, "t": {"$numberLong": "1"}, "v": {"$numberLong": "2"},
                  "wall": {"$date": "2026-01-01T00:00:00Z"}, )" +
              rest + "}");
}

std::string write(const std::string& op, const std::string& o, const std::string& o2 = "",
                  const std::string& ns = "shop.items") {
  return R"("op": ")" + op + R"(", "ns": ")" + ns + R"(", "ui": )" + uuid + R"(, "o": )" + o +
         (o2.empty() ? "" : R"(, "o2": )" + o2);
}

std::string previous(int ordinal) {
  return R"("prevOpTime": {"ts": {"$timestamp": {"t": )" + std::string(ordinal ? "1" : "0") +
         R"(, "i": )" + std::to_string(ordinal) + R"(}}, "t": {"$numberLong": ")" +
         (ordinal ? "1" : "-1") + R"("}})";
}

std::string session(int back) {
  return R"("lsid": {"id": 1}, "txnNumber": {"$numberLong": "4"}, )" + previous(back) + ", ";
}

std::string apply_ops(const std::vector<std::string>& operations, const std::string& more = "") {
  std::string list;
  for (const auto& one : operations) list += (list.empty() ? "{" : ", {") + one + "}";
  return R"("op": "c", "ns": "admin.$cmd", "o": {"applyOps": [)" + list + "]" + more + "}";
}

class LogEntries : public ::testing::Test {
 protected:
  // Feeds all entries but those that are only found by a link.
  Touched read(const std::vector<Bson>& entries, std::uint64_t commands_from = 0) {
    LogReading reading({"shop", "other.db"},
                       [&](const Position& at) -> Result<std::optional<Bson>> {
                         const auto found = earlier_.find(at);
                         if (found == earlier_.end()) return std::optional<Bson>();
                         return std::optional<Bson>(found->second);
                       });
    reading.commands_count_from(commands_from);
    for (const auto& one : entries) {
      earlier_[position_of(one)] = one;
      const Status status = reading.add(one);
      EXPECT_TRUE(status.ok());
    }
    return reading.take();
  }
  std::set<std::string> ids(const Touched& touched) {
    std::set<std::string> out;
    for (const auto& one : touched.entries)
      for (const auto& id : one.ids) out.insert(to_json(id));
    return out;
  }
  using Ids = std::set<std::string>;
  std::map<Position, Bson> earlier_;
};

TEST_F(LogEntries, InsertsUpdatesAndDeletesNameTheirIds) {
  const auto seen = read({
      entry(1, write("i", R"({"_id": 1, "x": 1})", R"({"_id": 1})")),
      entry(2, write("u", R"({"$v": 2, "diff": {"u": {"x": 2}, "sy": {"a": true, "u0": 1}}})",
                     R"({"_id": 2})")),
      entry(3, write("u", R"({"$v": 1, "$set": {"x": 2}})", R"({"_id": 3, "shard": 1})")),
      entry(4, write("d", R"({"_id": 4})")),
      entry(5, write("d", R"({"_id": 4})")),
  });
  EXPECT_EQ(seen.restart, "");
  ASSERT_EQ(seen.entries.size(), 1U);
  EXPECT_EQ(seen.entries[0].uuid, uuid_hex);
  EXPECT_EQ(seen.entries[0].ns, (Namespace{"shop", "items"}));
  EXPECT_EQ(ids(seen),
            (Ids{R"({ "_id" : 1 })", R"({ "_id" : 2 })", R"({ "_id" : 3 })", R"({ "_id" : 4 })"}));
  EXPECT_EQ(seen.count, 4U);
}

TEST_F(LogEntries, NoOpsContainersAndOtherDatabasesAreNothing) {
  const auto seen = read({
      entry(1, R"("op": "n", "ns": "", "o": {"msg": "periodic noop"})"),
      entry(2, R"("op": "ci", "ns": "shop.items", "o": {"k": 1})"),
      entry(3, write("i", R"({"_id": 1})", "", "shopping.items")),
      entry(4, write("i", R"({"_id": 1})", "", "sho.p.items")),
      entry(5, R"("op": "c", "ns": "shopping.$cmd", "o": {"drop": "items"})"),
      entry(6, write("i", R"({"_id": 1})", "", "config.transactions")),
  });
  EXPECT_EQ(seen.restart, "");
  EXPECT_EQ(seen.count, 0U);
}

TEST_F(LogEntries, ATransactionInOneEntryCounts) {
  const auto seen = read(
      {entry(1, session(0) + apply_ops({write("i", R"({"_id": 1})"), write("d", R"({"_id": 2})"),
                                        write("i", R"({"_id": 3})", "", "elsewhere.a")}))});
  EXPECT_EQ(seen.restart, "");
  EXPECT_EQ(ids(seen), (Ids{R"({ "_id" : 1 })", R"({ "_id" : 2 })"}));
}

TEST_F(LogEntries, ALongTransactionIsFollowedBackAlsoToBeforeTheWindow) {
  earlier_[{(1ULL << 32) | 1, 1}] =
      entry(1, session(0) + apply_ops({write("i", R"({"_id": 1})")}, R"(, "partialTxn": true)"));
  const auto seen = read({
      entry(5, session(1) + apply_ops({write("i", R"({"_id": 5})")}, R"(, "partialTxn": true)")),
      entry(9, session(5) + apply_ops({write("i", R"({"_id": 9})")}, R"(, "count": 3)")),
  });
  EXPECT_EQ(seen.restart, "");
  EXPECT_EQ(seen.count, 3U);
}

TEST_F(LogEntries, ATransactionWithoutItsLastEntryDoesNotCountYet) {
  const auto seen = read(
      {entry(5, session(0) + apply_ops({write("i", R"({"_id": 5})")}, R"(, "partialTxn": true)"))});
  EXPECT_EQ(seen.restart, "");
  EXPECT_EQ(seen.count, 0U);
}

TEST_F(LogEntries, AMissingLinkAsksForANewReading) {
  const auto seen =
      read({entry(9, session(5) + apply_ops({write("i", R"({"_id": 9})")}, R"(, "count": 3)"))});
  EXPECT_NE(seen.restart, "");
}

TEST_F(LogEntries, ALinkThatGoesForwardsAsksForANewReading) {
  const auto seen = read({entry(9, session(9) + apply_ops({write("i", R"({"_id": 9})")}))});
  EXPECT_NE(seen.restart, "");
}

TEST_F(LogEntries, APreparedTransactionCountsAtItsCommit) {
  const auto prepare =
      entry(3, session(0) + apply_ops({write("i", R"({"_id": 3})")}, R"(, "prepare": true)"));
  EXPECT_EQ(read({prepare}).count, 0U);
  const auto commit =
      entry(7, session(3) + R"("op": "c", "ns": "admin.$cmd", "o": {"commitTransaction": 1,
          "commitTimestamp": {"$timestamp": {"t": 1, "i": 5}}})");
  EXPECT_EQ(read({commit}).count, 1U);  // prepared before the window
  const auto abort =
      entry(8, session(3) + R"("op": "c", "ns": "admin.$cmd", "o": {"abortTransaction": 1})");
  const auto aborted = read({prepare, abort});
  EXPECT_EQ(aborted.count, 0U);
  EXPECT_EQ(aborted.restart, "");
  const auto lost = entry(9, R"("op": "c", "ns": "admin.$cmd", "o": {"commitTransaction": 1})");
  EXPECT_NE(read({lost}).restart, "");
}

TEST_F(LogEntries, VectoredInsertsAreNoTransactionWhateverTheirLinks) {
  const auto seen =
      read({entry(9, session(5) + R"("multiOpType": 1, )" +
                         apply_ops({write("i", R"({"_id": 1})"), write("i", R"({"_id": 2})")}))});
  EXPECT_EQ(seen.restart, "");
  EXPECT_EQ(seen.count, 2U);
}

TEST_F(LogEntries, ARetryableWritesLinkIsNotFollowed) {
  const auto seen = read({entry(9, session(5) + write("i", R"({"_id": 1})"))});
  EXPECT_EQ(seen.restart, "");
  EXPECT_EQ(seen.count, 1U);
}

TEST_F(LogEntries, NestedApplyOpsAreRead) {
  const auto seen = read({entry(1, apply_ops({apply_ops({write("i", R"({"_id": 1})")})}))});
  EXPECT_EQ(seen.restart, "");
  EXPECT_EQ(seen.count, 1U);
}

TEST_F(LogEntries, EveryCommandOnOurDatabasesAsksForANewReadingAndIsNamed) {
  for (const char* command : {"create", "drop", "dropDatabase", "collMod", "createIndexes",
                              "startIndexBuild", "commitIndexBuild", "abortIndexBuild",
                              "dropIndexes", "convertToCapped", "emptycapped", "neverHeardOf"}) {
    const auto seen = read({entry(
        1, R"("op": "c", "ns": "shop.$cmd", "o": {")" + std::string(command) + R"(": "items"})")});
    EXPECT_NE(seen.restart.find(command), std::string::npos) << seen.restart;
    const auto inside = read({entry(1, apply_ops({R"("op": "c", "ns": "shop.$cmd", "o": {")" +
                                                  std::string(command) + R"(": "items"})"}))});
    EXPECT_NE(inside.restart.find(command), std::string::npos) << inside.restart;
  }
}

TEST_F(LogEntries, ARenameIntoOrOutOfOursIsSeenFromTheOtherDatabase) {
  const auto in = read({entry(
      1, R"("op": "c", "ns": "tmp.$cmd", "o": {"renameCollection": "tmp.a", "to": "shop.a"})")});
  EXPECT_NE(in.restart, "");
  const auto elsewhere = read({entry(
      1, R"("op": "c", "ns": "tmp.$cmd", "o": {"renameCollection": "tmp.a", "to": "tmp.b"})")});
  EXPECT_EQ(elsewhere.restart, "");
}

TEST_F(LogEntries, WhatNobodyKnowsAsksForANewReading) {
  EXPECT_NE(read({entry(1, R"("op": "zz", "ns": "a.b", "o": {})")}).restart, "");
  EXPECT_NE(read({entry(1, R"("ns": "a.b")")}).restart, "");
  EXPECT_NE(read({entry(1, R"("op": "c", "ns": "admin.$cmd", "o": {"someday": 1})")}).restart, "");
  EXPECT_NE(read({entry(1, R"("op": "c", "ns": "admin.$cmd", "o": {"applyOps": 1})")}).restart, "");
  EXPECT_NE(read({entry(1, write("u", R"({"$set": {}})"))}).restart, "");
  EXPECT_NE(read({entry(1, write("i", R"({"x": 1})"))}).restart, "");
}

TEST_F(LogEntries, ViewsAndTimeSeriesBucketsAskForANewReading) {
  EXPECT_NE(read({entry(1, write("i", R"({"_id": "shop.v"})", "", "shop.system.views"))}).restart,
            "");
  EXPECT_NE(read({entry(1, write("i", R"({"_id": 1})", "", "shop.system.buckets.t"))}).restart, "");
}

TEST_F(LogEntries, BeforeTheWindowOnlyIdsCount) {
  const auto seen = read({entry(1, R"("op": "c", "ns": "shop.$cmd", "o": {"drop": "a"})"),
                          entry(2, write("i", R"({"_id": 1})"))},
                         (1ULL << 32) | 3);
  EXPECT_EQ(seen.restart, "");
  EXPECT_EQ(seen.count, 1U);
}

TEST_F(LogEntries, OfACollectionDroppedBeforeTheWindowNothingCounts) {
  const std::string drop =
      std::string(R"("op": "c", "ns": "shop.$cmd", "ui": )") + uuid + R"(, "o": {"drop": "items"})";
  const std::string plain = R"("op": "c", "ns": "shop.$cmd", "o": {"drop": "items"})";
  for (const auto& command : {drop, plain}) {
    const auto seen = read({entry(1, write("i", R"({"_id": 1})")), entry(2, command),
                            entry(3, R"("op": "i", "ns": "shop.items", "o": {"_id": 2})")},
                           (1ULL << 32) | 4);
    EXPECT_EQ(seen.restart, "");
    EXPECT_EQ(ids(seen), Ids{R"({ "_id" : 2 })"});
  }
  const auto all = read({entry(1, write("i", R"({"_id": 1})")),
                         entry(2, R"("op": "c", "ns": "shop.$cmd", "o": {"dropDatabase": 1})")},
                        (1ULL << 32) | 4);
  EXPECT_EQ(all.count, 0U);
}

TEST_F(LogEntries, AMereCommandLosesNoIdAndAnUnknownEntryMay) {
  const auto command = read({entry(1, R"("op": "c", "ns": "shop.$cmd", "o": {"drop": "a"})"),
                             entry(2, write("i", R"({"_id": 1})"))});
  EXPECT_NE(command.restart, "");
  EXPECT_TRUE(command.ids_complete);
  EXPECT_EQ(command.count, 1U);
  EXPECT_FALSE(read({entry(1, R"("op": "zz", "ns": "a.b", "o": {})")}).ids_complete);
  EXPECT_FALSE(
      read({entry(1, R"("op": "c", "ns": "shop.$cmd", "o": {"someday": 1})")}).ids_complete);
}

TEST_F(LogEntries, AWriteToASystemCollectionIsNotPassedOver) {
  EXPECT_NE(read({entry(1, write("i", R"({"_id": "f"})", "", "shop.system.js"))}).restart, "");
}

TEST_F(LogEntries, IdsThatAreEqualButOfOtherBytesAreBothNamed) {
  const auto seen =
      read({entry(1, write("d", R"({"_id": 1})")), entry(2, write("i", R"({"_id": 1.0})"))});
  EXPECT_EQ(seen.count, 2U);
}

}  // namespace
}  // namespace belay::database::testing
