// SPDX-License-Identifier: Apache-2.0
#include "tests/support/mongo_server.hpp"

#include <gtest/gtest.h>

namespace belay::testing {
namespace {

TEST(MongoServer, TakesAndCountsDocuments) {
  for (auto mode : {MongoServer::Mode::replica_set, MongoServer::Mode::standalone}) {
    auto server = MongoServer::start(mode);
    ASSERT_TRUE(server) << server.error().message();
    auto inserted = (*server)->insert("shop", "items", {R"({"_id": 1})", R"({"_id": "a"})"});
    ASSERT_TRUE(inserted) << inserted.error().message();
    auto reply = (*server)->command("shop", R"({"count": "items"})");
    ASSERT_TRUE(reply) << reply.error().message();
    EXPECT_NE(reply->find(R"("n" : 2)"), std::string::npos) << *reply;
  }
}

TEST(MongoServer, KeepsItsDataOverAKill) {
  auto server = MongoServer::start();
  ASSERT_TRUE(server) << server.error().message();
  ASSERT_TRUE((*server)->insert("shop", "items", {R"({"_id": 1})"}));
  auto again = (*server)->restart();
  ASSERT_TRUE(again) << again.error().message();
  auto reply = (*server)->command("shop", R"({"find": "items"})");
  ASSERT_TRUE(reply) << reply.error().message();
}

}  // namespace
}  // namespace belay::testing
