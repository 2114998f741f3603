// SPDX-License-Identifier: Apache-2.0
// Version-level immutability of Azure, on a stand-in: Azurite has none.
#include <gtest/gtest.h>

#include "net/date.hpp"
#include "storage/azure_container.hpp"
#include "tests/fake/stand_in.hpp"
#include "tests/storage/stores.hpp"
#include "tests/storage/troubles.hpp"
#include "tests/support/eventually.hpp"

namespace belay::storage {
namespace {

using std::chrono::hours;

struct AzureLock : ::testing::Test {
  SystemClock clock;
  SystemRandom random;
  static belay::testing::StandIn& stand_in() {
    static belay::testing::StandIn one("azure_server.py");
    return one;
  }
  AzureConfig config = fresh();
  std::unique_ptr<Storage> store = make(config);
  std::unique_ptr<Storage> thief = make(without_lock());

  static AzureConfig fresh() {
    static int count = 0;
    AzureConfig config;
    config.account = "devstoreaccount1";
    config.container = "locked";
    config.prefix = fmt::format("p{}/", ++count);
    config.endpoint = stand_in().direct_url() + "/devstoreaccount1";
    config.key = Secret("YQ==");
    config.lock.time = hours(1);
    config.patience = belay::testing::impatience();
    return config;
  }
  void TearDown() override { EXPECT_EQ(stand_in().state().at("complaints"), Json::array()); }
  std::unique_ptr<Storage> make(const AzureConfig& of) {
    return make_azure(of, clock, random).value();
  }
  AzureConfig without_lock() const {
    auto plain = config;
    plain.lock = {};
    return plain;
  }
  Result<net::Sent> ask(Ask wanted) {
    AzureContainer container(without_lock(),
                             net::parse_url(config.endpoint + "/" + config.container).value(), "a",
                             clock, random);
    if (!wanted.key.empty()) wanted.key = container.key_of(wanted.key);
    return container.ask(wanted);
  }
  std::string versions() {
    return ask({"GET",
                "",
                {{"restype", "container"},
                 {"comp", "list"},
                 {"include", "versions"},
                 {"prefix", config.prefix}}})
        ->response.body;
  }
  std::string shown(const std::string& name) {
    const auto bytes = store->get(name);
    return bytes ? *bytes : to_string(bytes.error().fault);
  }
  void expect_locked(const std::string& name, Millis time) {
    const auto until = store->locking()->until(name);
    ASSERT_TRUE(until.ok()) << until.error().message();
    ASSERT_TRUE(until->has_value());
    EXPECT_GE(**until, clock.now() + time);
    EXPECT_LE(**until, clock.now() + time + time / 4 + Millis(1000));
  }
};

TEST_F(AzureLock, WhatIsPutIsLockedAndStaysWhoeverHasTheKeys) {
  ASSERT_TRUE(store->put("name", "x").ok());
  expect_locked("name", hours(1));
  const auto removed = store->remove("name");
  EXPECT_EQ(removed.error().fault, Fault::busy);
  EXPECT_NE(removed.error().message().find("name is locked until 20"), std::string::npos);
  const auto version = ask({"HEAD", "name"})->response.header("x-ms-version-id");
  ASSERT_TRUE(thief->remove("name").ok());
  EXPECT_EQ(ask({"DELETE", "name", {{"versionid", version}}})->response.status, 409);
  EXPECT_EQ(ask({"PUT",
                 "name",
                 {{"comp", "immutabilityPolicies"}, {"versionid", version}},
                 {{"x-ms-immutability-policy-until-date",
                   net::http_date(clock.now() + std::chrono::minutes(1))},
                  {"x-ms-immutability-policy-mode", "Unlocked"}}})
                ->response.status,
            409);
}

TEST_F(AzureLock, WhatAThiefRemovedOrWroteOverIsFoundAndBroughtBack) {
  for (const char* name : {"blocks/1", "blocks/2", "points/a"})
    ASSERT_TRUE(store->put(name, name).ok());
  EXPECT_TRUE(store->locking()->hidden().value().empty());
  ASSERT_TRUE(thief->remove("blocks/2").ok());
  ASSERT_TRUE(thief->remove("points/a").ok());
  ASSERT_TRUE(thief->put("points/a", "theirs").ok());
  const std::vector<std::string> gone{"blocks/2", "points/a"};
  EXPECT_EQ(store->locking()->hidden().value(), gone);
  for (const auto& name : gone) {
    const auto back = store->locking()->uncover(name);
    EXPECT_TRUE(back.ok()) << back.error().message();
    EXPECT_EQ(shown(name), name);
    expect_locked(name, hours(1));
  }
  EXPECT_TRUE(store->locking()->hidden().value().empty());
  EXPECT_TRUE(store->locking()->uncover("blocks/1").ok());
  EXPECT_EQ(shown("blocks/1"), "blocks/1");
  EXPECT_EQ(store->locking()->uncover("none").error().fault, Fault::missing);
}

TEST_F(AzureLock, WhatIsUsedAgainIsLockedFromThenOn) {
  ASSERT_TRUE(thief->put("old", "x").ok());
  EXPECT_FALSE(store->locking()->until("old").value().has_value());
  ASSERT_TRUE(store->locking()->keep("old").ok());
  expect_locked("old", hours(1));
  config.lock.time = hours(2);
  store = make(config);
  ASSERT_TRUE(store->locking()->keep("old").ok());
  expect_locked("old", hours(2));
  EXPECT_EQ(store->locking()->keep("none").error().fault, Fault::missing);
}

TEST_F(AzureLock, WhenItsTimeIsOverItIsRemovedForGood) {
  config.lock.time = std::chrono::seconds(1);
  store = make(config);
  ASSERT_TRUE(store->put("short", "x").ok());
  EXPECT_EQ(store->remove("short").error().fault, Fault::busy);
  belay::eventually([this] { return store->remove("short").ok(); });
  EXPECT_EQ(versions().find("short"), std::string::npos) << versions();
}

TEST_F(AzureLock, WhatIsNotToBeLockedComesAndGoesWithoutATrace) {
  config.lock.covers = [](const std::string& name) { return !name.starts_with("leases/"); };
  store = make(config);
  ASSERT_TRUE(store->put("leases/1", "x").ok());
  ASSERT_TRUE(store->remove("leases/1").ok());
  EXPECT_EQ(versions().find("leases/1"), std::string::npos) << versions();
}

TEST_F(AzureLock, AContainerWithoutItIsNamedAndTakesNothing) {
  EXPECT_TRUE(store->locking()->check().ok());
  config.container = "plain";
  store = make(config);
  const auto checked = store->locking()->check();
  EXPECT_EQ(checked.error().fault, Fault::refused);
  EXPECT_EQ(checked.error().message(), "the container plain has no version-level immutability");
  EXPECT_FALSE(store->put("name", "x").ok());
  EXPECT_EQ(shown("name"), "missing");
}

TEST_F(AzureLock, AzuriteWhichTakesTheDateAndForgetsItIsNotBelieved) {
  auto azurite = belay::testing::azure_server().config;
  azurite.lock.time = hours(1);
  store = make(azurite);
  EXPECT_EQ(store->locking()->check().error().fault, Fault::refused);
  EXPECT_EQ(store->put("name", "x").error().fault, Fault::refused);
}

TEST_F(AzureLock, WhateverHappensToItsRequestsItIsLockedFoundAndBroughtBack) {
  auto& proxy = stand_in().proxy();
  auto behind = config;
  behind.endpoint = proxy.url() + "/devstoreaccount1";
  const auto troubled = make(behind);
  int count = 0;
  const auto work = [&] {
    const auto name = "x" + std::to_string(++count);
    EXPECT_TRUE(thief->put(name, name).ok());
    const auto kept = troubled->locking()->keep(name);
    EXPECT_TRUE(kept.ok()) << kept.error().message();
    EXPECT_TRUE(thief->remove(name).ok());
    EXPECT_EQ(troubled->locking()->hidden().value(), std::vector<std::string>{name});
    EXPECT_TRUE(troubled->locking()->uncover(name).ok());
    EXPECT_EQ(troubled->remove(name).error().fault, Fault::busy);
    EXPECT_EQ(shown(name), name);
  };
  proxy.plan({});
  work();
  const int requests = proxy.count();
  const auto faults = belay::testing::troubles();
  for (std::size_t kind = 0; kind < faults.size(); ++kind) {
    for (int number = 1; number <= requests; ++number) {
      SCOPED_TRACE(fmt::format("trouble {} at request {}", kind, number));
      proxy.plan([&faults, kind, number](int nth, const std::string&) {
        return nth == number ? std::optional(faults[kind]) : std::nullopt;
      });
      work();
    }
  }
  proxy.plan({});
}

}  // namespace
}  // namespace belay::storage
