// SPDX-License-Identifier: Apache-2.0
// compare_ids against a table, against arithmetic, and against the server's own `_id` index.
#include <gtest/gtest.h>
#include <mongoc/mongoc.h>
#include <rapidcheck.h>

#include <cmath>
#include <map>

#include "database/number.hpp"
#include "tests/database/support.hpp"

namespace belay::database::testing {
namespace {

int order(const char* a, const char* b) {
  const int there = compare_ids(bson(std::string(R"({"_id": )") + a + "}"),
                                bson(std::string(R"({"_id": )") + b + "}"));
  const int back = compare_ids(bson(std::string(R"({"_id": )") + b + "}"),
                               bson(std::string(R"({"_id": )") + a + "}"));
  EXPECT_EQ(there<0, back> 0) << a << " and " << b;
  EXPECT_EQ(there == 0, back == 0) << a << " and " << b;
  return there < 0 ? -1 : (there > 0 ? 1 : 0);
}

TEST(Ordering, OneOfEachKindStandsInTheServersOrder) {
  const char* sorted[] = {R"({"$minKey": 1})",
                          "null",
                          R"({"$numberDouble": "NaN"})",
                          R"({"$numberDouble": "-Infinity"})",
                          R"({"$numberDecimal": "-1E6000"})",
                          "-1.5",
                          "-1",
                          "0",
                          R"({"$numberDecimal": "1E-6176"})",
                          "4.9E-324",
                          R"({"$numberDecimal": "0.1"})",
                          "0.1",
                          "1",
                          "1.5",
                          "2",
                          R"({"$numberLong": "9007199254740993"})",
                          R"({"$numberDouble": "9223372036854775808"})",
                          "1E308",
                          R"({"$numberDecimal": "1E309"})",
                          R"({"$numberDouble": "Infinity"})",
                          R"("")",
                          R"("A")",
                          R"("a")",
                          R"("aa")",
                          R"("b")",
                          "{}",
                          R"({"z": 1})",
                          R"({"a": "x"})",
                          R"({"a": "x", "b": 1})",
                          R"({"a": "y"})",
                          "[]",
                          "[1]",
                          R"(["a"])",
                          R"({"$binary": {"base64": "", "subType": "00"}})",
                          R"({"$binary": {"base64": "/w==", "subType": "00"}})",
                          R"({"$binary": {"base64": "AA==", "subType": "80"}})",
                          R"({"$binary": {"base64": "AAA=", "subType": "00"}})",
                          R"({"$oid": "000000000000000000000000"})",
                          R"({"$oid": "ffffffffffffffffffffffff"})",
                          "false",
                          "true",
                          R"({"$date": {"$numberLong": "-1"}})",
                          R"({"$date": {"$numberLong": "1"}})",
                          R"({"$timestamp": {"t": 0, "i": 1}})",
                          R"({"$timestamp": {"t": 4294967295, "i": 0}})",
                          R"({"$regularExpression": {"pattern": "a", "options": ""}})",
                          R"({"$regularExpression": {"pattern": "a", "options": "i"}})",
                          R"({"$code": "a"})",
                          R"({"$maxKey": 1})"};
  const std::size_t count = std::size(sorted);
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t j = 0; j < count; ++j)
      EXPECT_EQ(order(sorted[i], sorted[j]), i < j ? -1 : (i == j ? 0 : 1))
          << sorted[i] << " and " << sorted[j];
}

TEST(Ordering, EqualNumbersAreEqualWhateverTheirKindAlsoInside) {
  for (const char* one : {"1.0", R"({"$numberLong": "1"})", R"({"$numberDecimal": "1"})",
                          R"({"$numberDecimal": "1.000"})", R"({"$numberDecimal": "10E-1"})"}) {
    EXPECT_EQ(order("1", one), 0) << one;
    EXPECT_EQ(order(R"({"a": [1]})", (std::string(R"({"a": [)") + one + "]}").c_str()), 0) << one;
  }
  EXPECT_EQ(order("-0.0", "0"), 0);
  EXPECT_EQ(order(R"({"$numberDecimal": "-0E+10"})", "0.0"), 0);
  EXPECT_EQ(order(R"({"$numberDecimal": "NaN"})", R"({"$numberDouble": "NaN"})"), 0);
  EXPECT_EQ(order(R"({"$numberDecimal": "Infinity"})", R"({"$numberDouble": "Infinity"})"), 0);
  EXPECT_EQ(order(R"({"$numberDecimal": "0.5"})", "0.5"), 0);
  EXPECT_EQ(order(R"({"$numberDecimal": "9223372036854775807"})",
                  R"({"$numberLong": "9223372036854775807"})"),
            0);
}

TEST(Ordering, NeverRoundsALongToADouble) {
  EXPECT_EQ(order(R"({"$numberLong": "9007199254740993"})", "9007199254740992.0"), 1);
  EXPECT_EQ(order(R"({"$numberLong": "9223372036854775807"})", "9223372036854775808.0"), -1);
  EXPECT_EQ(order(R"({"$numberLong": "-9223372036854775808"})", "-9223372036854775808.0"), 0);
}

TEST(Ordering, NumbersAgreeWithArithmetic) {
  EXPECT_TRUE(rc::check([](std::int32_t a, std::int32_t b, std::uint8_t shift) {
    const double x = std::ldexp(static_cast<double>(a), shift % 20 - 10);
    const double y = std::ldexp(static_cast<double>(b), shift % 7 - 3);
    const int expected = x < y ? -1 : (x > y ? 1 : 0);
    RC_ASSERT(compare(number_of(x), number_of(y)) == expected);
    RC_ASSERT(compare(number_of(std::int64_t{a}), number_of(std::int64_t{b})) ==
              (a < b ? -1 : (a > b ? 1 : 0)));
    RC_ASSERT(compare(number_of(std::int64_t{a}), number_of(static_cast<double>(a))) == 0);
  }));
}

// ---- against the server -------------------------------------------------------------------------

// `strict`: the server is mongod. The stand-in rounds extreme numbers, takes doubles for their
// shortest decimal text, ignores the kind of binaries, and orders documents by size.
void append_random(bson_t* to, const char* key, int depth, bool strict) {
  const int kind = *rc::gen::inRange(0, depth > 0 && strict ? 13 : 12);
  const auto small = *rc::gen::inRange(-3, 4);
  switch (kind) {
    case 0: bson_append_int32(to, key, -1, small); break;
    case 1:
      bson_append_int64(
          to, key, -1,
          *rc::gen::element<std::int64_t>(small, (1LL << 53) + small, INT64_MAX, INT64_MIN,
                                          *rc::gen::arbitrary<std::int64_t>()));
      break;
    case 2:
      bson_append_double(to, key, -1,
                         strict ? *rc::gen::element<double>(
                                      small / 2.0, -0.0, 9007199254740992.0, 9.3e18, std::nan(""),
                                      HUGE_VAL, -HUGE_VAL, 4.9e-324, *rc::gen::arbitrary<double>())
                                : *rc::gen::element<double>(
                                      small / 2.0, -0.0, 9007199254740992.0, std::nan(""), HUGE_VAL,
                                      -HUGE_VAL, *rc::gen::arbitrary<std::int32_t>() / 8.0));
      break;
    case 3: {
      bson_decimal128_t value;
      const std::string plain =
          std::to_string(small) + *rc::gen::element<std::string>(".5", ".25", ".00");
      const std::string text =
          strict
              ? *rc::gen::element<std::string>("NaN", "Infinity", "-Infinity", "0E-5", "1E6000",
                                               "-1E-6000", "0.1", "0.10", "9007199254740993", plain)
              : *rc::gen::element<std::string>("NaN", "0E-5", "9007199254740993", plain);
      bson_decimal128_from_string(text.c_str(), &value);
      bson_append_decimal128(to, key, -1, &value);
      break;
    }
    case 4:
    case 5: {
      const auto text =
          *rc::gen::container<std::string>(rc::gen::element('a', 'B', '\1', '\xC3', '~'));
      std::string valid;
      for (const char c : text) valid += c == '\xC3' ? std::string("\xC3\xA9") : std::string(1, c);
      bson_append_utf8(to, key, -1, valid.data(), static_cast<int>(valid.size()));
      break;
    }
    case 6: {
      const auto bytes =
          *rc::gen::container<std::vector<std::uint8_t>>(rc::gen::arbitrary<std::uint8_t>());
      const auto subtype =
          strict ? *rc::gen::element(BSON_SUBTYPE_BINARY, BSON_SUBTYPE_UUID, BSON_SUBTYPE_USER)
                 : BSON_SUBTYPE_USER;
      bson_append_binary(to, key, -1, subtype, bytes.data(),
                         static_cast<std::uint32_t>(bytes.size()));
      break;
    }
    case 7: bson_append_bool(to, key, -1, small > 0); break;
    case 8:
      bson_append_date_time(
          to, key, -1, *rc::gen::element<std::int64_t>(small, -62135596800000, 253402300799999));
      break;
    case 9:
      bson_append_timestamp(to, key, -1, *rc::gen::inRange(1U, 5U), *rc::gen::inRange(0U, 5U));
      break;
    case 10: {
      bson_oid_t oid;
      for (auto& byte : oid.bytes) byte = *rc::gen::arbitrary<std::uint8_t>();
      bson_append_oid(to, key, -1, &oid);
      break;
    }
    case 11:
      if (small > 0)
        bson_append_null(to, key, -1);
      else if (small > -2)
        bson_append_minkey(to, key, -1);
      else
        bson_append_maxkey(to, key, -1);
      break;
    default: {
      bson_t inside;
      bson_append_document_begin(to, key, -1, &inside);
      const int members = *rc::gen::inRange(0, 4);
      for (int i = 0; i < members; ++i) {
        const std::string name = *rc::gen::element<std::string>("a", "b", "aa") + std::to_string(i);
        append_random(&inside, name.c_str(), depth - 1, strict);
      }
      bson_append_document_end(to, &inside);
    }
  }
}

TEST(Ordering, AScanComesInTheOrderOfCompareIds) {
  auto& server = shared_server(Mode::replica_set);
  const std::string name = fresh_name();
  const auto database = open(server, name);
  int round = 0;
  EXPECT_TRUE(rc::check([&] {
    const Namespace ns = {name, "ids" + std::to_string(++round)};
    struct Less {
      bool operator()(const Bson& a, const Bson& b) const { return compare_ids(a, b) < 0; }
    };
    std::map<Bson, bool, Less> ids;
    const int count = *rc::gen::inRange(2, 60);
    for (int i = 0; i < count; ++i) {
      bson_t* id = bson_new();
      append_random(id, "_id", 2, server.is_mongod());
      ids.emplace(Bson(reinterpret_cast<const char*>(bson_get_data(id)), id->len), true);
      bson_destroy(id);
    }
    std::vector<Bson> expected;
    for (const auto& [id, unused] : ids) expected.push_back(id);
    auto refused = database->insert(ns, expected);
    RC_ASSERT(refused.ok());
    for (const auto& one : *refused) RC_LOG(to_json(one.id) + ": " + one.reason);
    RC_ASSERT(refused->empty());  // distinct to us is distinct to the server
    Collection collection;
    collection.ns = ns;
    std::vector<Bson> seen;
    const auto take = [&](std::string_view document) -> Status {
      seen.emplace_back(document);
      return {};
    };
    const Status scanned = database->scan(collection, std::nullopt, std::nullopt, take, {});
    if (!scanned) RC_FAIL(scanned.error().message());
    RC_ASSERT(seen.size() == expected.size());
    for (std::size_t i = 0; i < seen.size(); ++i)
      if (seen[i] != expected[i])
        RC_FAIL(to_json(seen[i]) + " where we have " + to_json(expected[i]));
  }));
}

TEST(Ordering, AServerThatSortsOtherwiseIsFoundOutWhileReading) {
  auto& server = shared_server(Mode::replica_set);
  if (server.is_mongod()) GTEST_SKIP() << "mongod sorts as it should";
  const std::string name = fresh_name();
  const auto database = open(server, name);
  ASSERT_OK(server.insert(name, "ids", {R"({"_id": {"a": 256}})", R"({"_id": {"a": 1}})"}));
  Collection collection;
  collection.ns = {name, "ids"};
  const auto nothing = [](std::string_view) -> Status { return {}; };
  auto status = database->scan(collection, std::nullopt, std::nullopt, nothing, {});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().fault, Fault::refused);
  EXPECT_NE(status.error().message().find(name + ".ids"), std::string::npos);
}

TEST(Proofs, AReplicaSetProvesAllAndLeavesNothingBehind) {
  auto& server = shared_server(Mode::replica_set);
  const auto database = open(server, fresh_name());
  auto proofs = database->prove();
  ASSERT_OK(proofs);
  for (const auto& one : proofs->missing) ADD_FAILURE() << one;
  EXPECT_TRUE(proofs->exact_points());
  auto left = server.command("belay", R"({"listCollections": 1, "nameOnly": true})");
  ASSERT_OK(left);
  EXPECT_EQ(left->find("proof"), std::string::npos) << *left;
}

TEST(Proofs, AStandaloneSaysWhatItLacksAndTheWayToABetterOne) {
  const auto database = open(shared_server(Mode::standalone), fresh_name());
  auto proofs = database->prove();
  ASSERT_OK(proofs);
  EXPECT_TRUE(proofs->exact_bytes);
  EXPECT_TRUE(proofs->order_agrees);
  EXPECT_FALSE(proofs->exact_points());
  ASSERT_EQ(proofs->missing.size(), 1U);
  EXPECT_NE(proofs->missing[0].find("--replSet"), std::string::npos);
}

}  // namespace
}  // namespace belay::database::testing
