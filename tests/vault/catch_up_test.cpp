// SPDX-License-Identifier: Apache-2.0
// Restore points beside what makes a reading start anew.
#include "tests/vault/support.hpp"

namespace belay::vault {
namespace {

struct CatchUp : VaultTest {
  fake::FakeDatabase database;
  std::unique_ptr<Vault> vault = open();

  Result<Point> take() {
    BackupRequest request;
    request.name = "rp-1";
    request.kind = "manual";
    return take_restore_point(database, *vault, request, clock, {}, {});
  }
};

TEST_F(CatchUp, AReadingThatMustStartAnewWaitsUntilAMigrationsCommandsAreOver) {
  database.put({"shop", "orders"}, R"({"_id": 1})");
  int made = 0;
  database.on_call = [&](const std::string& name) {
    if (name != "snapshot" || clock.steady() > std::chrono::seconds(1)) return;
    database.put({"shop", fmt::format("made{}", ++made)}, R"({"_id": 1})");
  };
  auto point = take();
  ASSERT_TRUE(point) << point.error().message();
  EXPECT_TRUE(point->exact);
  EXPECT_GT(made, 1);
  EXPECT_EQ(point->collections.size(), 1U + static_cast<std::size_t>(made));
}

TEST_F(CatchUp, ABusyCollectionThatCanOnlyBeReadWholeIsNamed) {
  ASSERT_TRUE(
      database.create({"shop", "events"}, bson(R"({"capped": true, "size": 100000})")).ok());
  int number = 0;
  database.on_call = [&](const std::string& name) {
    if (name == "snapshot" || name == "touched")
      database.put({"shop", "events"}, fmt::format(R"({{"_id": {}}})", ++number));
  };
  auto point = take();
  ASSERT_FALSE(point);
  EXPECT_EQ(point.error().fault, Fault::busy);
  EXPECT_NE(point.error().message().find("shop.events"), std::string::npos)
      << point.error().message();
}

}  // namespace
}  // namespace belay::vault
