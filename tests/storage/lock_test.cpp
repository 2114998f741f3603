// SPDX-License-Identifier: Apache-2.0
// Stores that lock what is put into them, against a thief who has all the keys.
#include <gtest/gtest.h>

#include "storage/s3_bucket.hpp"
#include "tests/storage/stores.hpp"
#include "tests/storage/troubles.hpp"
#include "tests/support/eventually.hpp"

namespace belay::storage {
namespace {

using belay::testing::HttpProxy;
using belay::testing::with_lock;
using std::chrono::hours;

struct Provider {
  const char* name;
  belay::testing::S3Server (*server)();
};

void PrintTo(const Provider& provider, std::ostream* out) {
  *out << provider.name;
}

std::vector<Provider> providers() {
  std::vector<Provider> all{{"S3", &belay::testing::s3_server}};
  if (belay::testing::has_minio()) all.push_back({"Minio", &belay::testing::minio_server});
  return all;
}

struct LockTest : ::testing::TestWithParam<Provider> {
  SystemClock clock;
  SystemRandom random;
  belay::testing::S3Server server = GetParam().server();
  S3Config config = with_lock(server.config);
  std::unique_ptr<Storage> store = make(config);
  // Has the keys, and does not care.
  std::unique_ptr<Storage> thief = make(without_lock());

  std::unique_ptr<Storage> make(const S3Config& of) { return make_s3(of, clock, random).value(); }
  S3Config without_lock() const {
    auto plain = config;
    plain.lock = {};
    return plain;
  }
  Result<net::Sent> ask(Ask wanted) {
    S3Bucket bucket(without_lock(),
                    net::parse_url(config.endpoint + "/" + config.bucket + "/").value(), clock,
                    random);
    wanted.key = wanted.key.empty() ? "" : bucket.key_of(wanted.key);
    return bucket.ask(wanted);
  }
  std::string version_of(const std::string& name) {
    return ask({"HEAD", name})->response.header("x-amz-version-id");
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

TEST_P(LockTest, WhatIsPutIsLockedInOnePieceAndInParts) {
  ASSERT_TRUE(store->put("a/small", "x").ok());
  expect_locked("a/small", hours(1));
  const std::string large(std::size_t{6} << 20, 'x');
  const auto put = store->put("a/large", large);
  ASSERT_TRUE(put.ok()) << put.error().message();
  expect_locked("a/large", hours(1));
  EXPECT_TRUE(store->get("a/large").value() == large);
}

TEST_P(LockTest, WhatIsLockedStaysAndItsDateIsTold) {
  ASSERT_TRUE(store->put("name", "x").ok());
  const auto removed = store->remove("name");
  ASSERT_FALSE(removed.ok());
  EXPECT_EQ(removed.error().fault, Fault::busy);
  EXPECT_NE(removed.error().message().find("name is locked until 20"), std::string::npos)
      << removed.error().message();
  EXPECT_EQ(shown("name"), "x");
}

TEST_P(LockTest, WhoHasTheKeysCanNeitherEraseNorShortenIt) {
  ASSERT_TRUE(store->put("name", "x").ok());
  const auto version = version_of("name");
  ASSERT_FALSE(version.empty());
  EXPECT_GE(ask({"DELETE", "name", {{"versionId", version}}})->response.status, 400);
  const net::Query of{{"versionId", version}, {"retention", ""}};
  const auto sooner = s3_date(clock.now() + std::chrono::minutes(1));
  for (const char* mode : {"COMPLIANCE", "GOVERNANCE"}) {
    const auto body =
        fmt::format("<Retention><Mode>{}</Mode><RetainUntilDate>{}</RetainUntilDate></Retention>",
                    mode, sooner);
    const HeaderMap bypass{{"x-amz-bypass-governance-retention", "true"}};
    const auto answer = ask({"PUT", "name", of, bypass, body});
    // moto lets it be shortened; Amazon and MinIO do not.
    if (std::string_view(GetParam().name) != "S3") {
      EXPECT_GE(answer->response.status, 400) << mode;
    }
  }
  EXPECT_EQ(shown("name"), "x");
}

TEST_P(LockTest, WhatAThiefRemovedIsFoundAndBroughtBack) {
  for (const char* name : {"blocks/1", "blocks/2", "points/a"})
    ASSERT_TRUE(store->put(name, name).ok());
  EXPECT_TRUE(store->locking()->hidden().value().empty());
  ASSERT_TRUE(thief->remove("blocks/2").ok());
  ASSERT_TRUE(thief->remove("points/a").ok());
  ASSERT_TRUE(thief->remove("points/a").ok());
  EXPECT_EQ(shown("blocks/2"), "missing");
  EXPECT_EQ(store->list("").value().size(), 1U);
  const std::vector<std::string> gone{"blocks/2", "points/a"};
  EXPECT_EQ(store->locking()->hidden().value(), gone);
  for (const auto& name : gone) {
    const auto back = store->locking()->uncover(name);
    EXPECT_TRUE(back.ok()) << back.error().message();
    EXPECT_EQ(shown(name), name);
  }
  EXPECT_TRUE(store->locking()->hidden().value().empty());
  EXPECT_TRUE(store->locking()->uncover("blocks/1").ok());
  EXPECT_EQ(shown("blocks/1"), "blocks/1");
}

TEST_P(LockTest, WhatAThiefWroteOverIsFoundAndBroughtBack) {
  ASSERT_TRUE(store->put("name", "ours").ok());
  ASSERT_TRUE(thief->remove("name").ok());
  ASSERT_TRUE(thief->put("name", "theirs").ok());
  EXPECT_EQ(shown("name"), "theirs");
  EXPECT_EQ(store->locking()->hidden().value(), std::vector<std::string>{"name"});
  ASSERT_TRUE(store->locking()->uncover("name").ok());
  EXPECT_EQ(shown("name"), "ours");
}

TEST_P(LockTest, WhatIsRemovedAndPutAgainByUsHidesNothing) {
  ASSERT_TRUE(store->put("name", "first").ok());
  ASSERT_TRUE(thief->remove("name").ok());
  ASSERT_TRUE(store->put("name", "again").ok());
  EXPECT_TRUE(store->locking()->hidden().value().empty());
  expect_locked("name", hours(1));
}

TEST_P(LockTest, WhatIsUsedAgainIsLockedFromThenOnAndAskedForOnceOnly) {
  ASSERT_TRUE(store->put("name", "x").ok());
  HttpProxy proxy(server.port);
  std::vector<std::string> asked;
  proxy.plan([&asked](int, const std::string& head) {
    asked.push_back(head.substr(0, head.find(' ')));
    return std::nullopt;
  });
  config.endpoint = proxy.url();
  config.lock.time = hours(2);
  store = make(config);
  const auto kept = store->locking()->keep("name");
  ASSERT_TRUE(kept.ok()) << kept.error().message();
  EXPECT_EQ(asked, (std::vector<std::string>{"HEAD", "PUT"}));
  expect_locked("name", hours(2));
  asked.clear();
  ASSERT_TRUE(store->locking()->keep("name").ok());
  EXPECT_EQ(asked, std::vector<std::string>{"HEAD"});
  EXPECT_EQ(store->locking()->keep("none").error().fault, Fault::missing);
}

TEST_P(LockTest, WhatWasPutBeforeThereWasALockIsLockedWhenItIsUsedAgain) {
  ASSERT_TRUE(thief->put("old", "x").ok());
  EXPECT_FALSE(store->locking()->until("old").value().has_value());
  ASSERT_TRUE(store->locking()->keep("old").ok());
  expect_locked("old", hours(1));
}

TEST_P(LockTest, WhatIsNotToBeLockedComesAndGoesWithoutATrace) {
  config.lock.covers = [](const std::string& name) { return !name.starts_with("leases/"); };
  store = make(config);
  ASSERT_TRUE(store->put("leases/1", "x").ok());
  EXPECT_FALSE(store->locking()->until("leases/1").value().has_value());
  ASSERT_TRUE(store->remove("leases/1").ok());
  const auto left = ask({"GET", "", {{"versions", ""}, {"prefix", config.prefix}}})->response.body;
  EXPECT_EQ(left.find("leases/1"), std::string::npos) << left;
}

TEST_P(LockTest, WhenItsTimeIsOverItIsRemovedForGood) {
  config.lock.time = std::chrono::seconds(1);
  store = make(config);
  ASSERT_TRUE(store->put("short", "x").ok());
  EXPECT_EQ(store->remove("short").error().fault, Fault::busy);
  belay::eventually([this] { return store->remove("short").ok(); });
  const auto left = ask({"GET", "", {{"versions", ""}, {"prefix", config.prefix}}})->response.body;
  EXPECT_EQ(left.find("short"), std::string::npos) << left;
}

TEST_P(LockTest, ABucketWithoutObjectLockIsNamedAndTakesNothing) {
  EXPECT_TRUE(store->locking()->check().ok());
  auto other = server.config;
  other.lock.time = hours(1);
  store = make(other);
  const auto checked = store->locking()->check();
  ASSERT_FALSE(checked.ok());
  EXPECT_EQ(checked.error().fault, Fault::refused);
  EXPECT_NE(checked.error().message().find("shop-backups has no object lock"), std::string::npos);
  EXPECT_FALSE(store->put("name", "x").ok());
  EXPECT_FALSE(store->exists("name").value());
}

TEST_P(LockTest, AStoreThatDoesNotKnowObjectLockIsNotBelieved) {
  HttpProxy proxy(server.port);
  proxy.plan([this](int, const std::string& head) -> std::optional<belay::testing::HttpFault> {
    if (!head.starts_with("PUT")) return std::nullopt;
    EXPECT_TRUE(thief->put("name", "x").ok());
    return belay::testing::HttpFault{belay::testing::HttpFault::Action::answer,
                                     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
  });
  config.endpoint = proxy.url();
  const auto put = make(config)->put("name", "x");
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().fault, Fault::refused);
  EXPECT_EQ(put.error().effect, Effect::none);
}

TEST_P(LockTest, WhateverHappensToItsRequestsItIsLockedFoundAndBroughtBack) {
  HttpProxy proxy(server.port);
  auto behind = config;
  behind.endpoint = proxy.url();
  const auto troubled = make(behind);
  int count = 0;
  const auto work = [&] {
    const auto name = "x" + std::to_string(++count);
    EXPECT_TRUE(thief->put(name, name).ok());
    const auto kept = troubled->locking()->keep(name);
    EXPECT_TRUE(kept.ok()) << kept.error().message();
    EXPECT_TRUE(thief->remove(name).ok());
    const auto hidden = troubled->locking()->hidden();
    EXPECT_EQ(hidden.value(), std::vector<std::string>{name});
    EXPECT_TRUE(troubled->locking()->uncover(name).ok());
    EXPECT_EQ(troubled->remove(name).error().fault, Fault::busy);
    EXPECT_EQ(shown(name), name);
  };
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
}

INSTANTIATE_TEST_SUITE_P(Of, LockTest, ::testing::ValuesIn(providers()),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace belay::storage
