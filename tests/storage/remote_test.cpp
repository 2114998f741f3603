// SPDX-License-Identifier: Apache-2.0
// S3 and Azure by the contract, and in trouble: each request lost, cut, throttled, one after the
// other.
#include <gtest/gtest.h>

#include "net/date.hpp"
#include "tests/contract/storage_contract.hpp"
#include "tests/fake/http_proxy.hpp"
#include "tests/storage/stores.hpp"
#include "tests/storage/troubles.hpp"
#include "tests/support/fake_world.hpp"

namespace belay::contract {
namespace {

using Action = belay::testing::HttpFault::Action;
using belay::testing::HttpFault;
using belay::testing::HttpProxy;

struct Ground {
  SystemClock clock;
  SystemRandom random;
  std::unique_ptr<storage::Storage> store;
};

std::shared_ptr<storage::Storage> kept(std::shared_ptr<Ground> ground) {
  auto* const store = ground->store.get();
  return {std::move(ground), store};
}

std::shared_ptr<storage::Storage> s3_store(storage::S3Config config) {
  auto ground = std::make_shared<Ground>();
  ground->store = storage::make_s3(std::move(config), ground->clock, ground->random).value();
  return kept(std::move(ground));
}

std::shared_ptr<storage::Storage> make_s3_store() {
  return s3_store(belay::testing::s3_server().config);
}

std::shared_ptr<storage::Storage> make_minio_store() {
  return s3_store(belay::testing::minio_server().config);
}

// With versions, of which none is left behind.
storage::S3Config kept_in_part(const storage::S3Config& config) {
  auto locking = belay::testing::with_lock(config);
  locking.lock.covers = [](const std::string& name) { return name.starts_with("kept/"); };
  return locking;
}

std::shared_ptr<storage::Storage> make_locking_s3_store() {
  return s3_store(kept_in_part(belay::testing::s3_server().config));
}

std::shared_ptr<storage::Storage> make_locking_minio_store() {
  return s3_store(kept_in_part(belay::testing::minio_server().config));
}

std::shared_ptr<storage::Storage> make_azure_store() {
  auto ground = std::make_shared<Ground>();
  ground->store =
      storage::make_azure(belay::testing::azure_server().config, ground->clock, ground->random)
          .value();
  return kept(std::move(ground));
}

INSTANTIATE_TEST_SUITE_P(S3, StorageContract,
                         ::testing::Values(&make_s3_store, &make_locking_s3_store));
INSTANTIATE_TEST_SUITE_P(Azure, StorageContract, ::testing::Values(&make_azure_store));
// Beside the others, where there is one.
template <class Maker>
std::vector<Maker> where_minio_is(Maker maker) {
  return belay::testing::has_minio() ? std::vector<Maker>{maker} : std::vector<Maker>{};
}
INSTANTIATE_TEST_SUITE_P(Minio, StorageContract,
                         ::testing::ValuesIn(where_minio_is<MakeStorage>(&make_minio_store)));
INSTANTIATE_TEST_SUITE_P(
    LockingMinio, StorageContract,
    ::testing::ValuesIn(where_minio_is<MakeStorage>(&make_locking_minio_store)));

// --- in trouble
// -----------------------------------------------------------------------------------

// A store behind a proxy, and the same without: to see what is really there.
struct Troubled {
  SystemClock clock;
  SystemRandom random;
  std::unique_ptr<HttpProxy> proxy;
  std::unique_ptr<storage::Storage> store, direct;
};
using MakeTroubled = std::unique_ptr<Troubled> (*)();

std::unique_ptr<Troubled> troubled(belay::testing::S3Server server) {
  auto made = std::make_unique<Troubled>();
  made->proxy = std::make_unique<HttpProxy>(server.port);
  made->direct = storage::make_s3(server.config, made->clock, made->random).value();
  server.config.endpoint = made->proxy->url();
  made->store = storage::make_s3(server.config, made->clock, made->random).value();
  return made;
}

std::unique_ptr<Troubled> troubled_s3() {
  return troubled(belay::testing::s3_server());
}

std::unique_ptr<Troubled> troubled_minio() {
  return troubled(belay::testing::minio_server());
}

std::unique_ptr<Troubled> troubled_azure() {
  auto made = std::make_unique<Troubled>();
  auto server = belay::testing::azure_server();
  made->proxy = std::make_unique<HttpProxy>(server.port);
  made->direct = storage::make_azure(server.config, made->clock, made->random).value();
  server.config.endpoint = made->proxy->url() + "/" + server.config.account;
  made->store = storage::make_azure(server.config, made->clock, made->random).value();
  return made;
}

// Of which no two places look alike.
std::string lines_of(std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += fmt::format("line {}\n", text.size());
  text.resize(bytes);
  return text;
}

struct Trouble : ::testing::TestWithParam<MakeTroubled> {
  std::unique_ptr<Troubled> on = GetParam()();

  void strike(int number, HttpFault fault) {
    on->proxy->plan([number, fault](int nth, const std::string&) {
      return nth == number ? std::optional(fault) : std::nullopt;
    });
  }

  // Every request of `work` in turn has every trouble, and `work` is done all the same. Each time
  // it gets another name for its objects.
  void everywhere(const std::function<void(const std::string& name)>& work) {
    on->proxy->plan({});
    work("calm");
    const int requests = on->proxy->count();
    ASSERT_GT(requests, 0);
    const auto faults = belay::testing::troubles();
    for (std::size_t kind = 0; kind < faults.size(); ++kind) {
      for (int number = 1; number <= requests; ++number) {
        SCOPED_TRACE("trouble " + std::to_string(kind) + " at request " + std::to_string(number));
        strike(number, faults[kind]);
        work("x" + std::to_string(kind) + "-" + std::to_string(number));
        EXPECT_GT(on->proxy->count(), 1);
      }
    }
  }
};

TEST_P(Trouble, APutIsDoneOnceWhateverHappensToItsRequests) {
  everywhere([this](const std::string& name) {
    const auto put = on->store->put(name, "content of " + name);
    EXPECT_TRUE(put.ok()) << put.error().message();
    EXPECT_EQ(on->direct->get(name).value(), "content of " + name);
  });
}

TEST_P(Trouble, ALargePutIsDoneOnceWhateverHappensToItsRequests) {
  const std::string large(std::size_t{6} << 20, 'x');  // two parts
  everywhere([&](const std::string& name) {
    const auto put = on->store->put(name, large + name);
    EXPECT_TRUE(put.ok()) << put.error().message();
    EXPECT_TRUE(on->direct->get(name).value() == large + name);
    ASSERT_TRUE(on->direct->remove(name).ok());
  });
}

TEST_P(Trouble, ReadingListingAndRemovingAreDoneWhateverHappensToTheirRequests) {
  everywhere([this](const std::string& name) {
    ASSERT_TRUE(on->direct->put("r/" + name, name).ok());
    EXPECT_EQ(on->store->get("r/" + name).value(), name);
    EXPECT_TRUE(on->store->exists("r/" + name).value());
    EXPECT_EQ(on->store->list("r/").value().size(), 1u);
    EXPECT_TRUE(on->store->remove("r/" + name).ok());
    EXPECT_FALSE(on->direct->exists("r/" + name).value());
  });
}

std::string head_of(const std::string& head, const std::string& name) {
  const auto at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const auto begin = at + name.size() + 4;
  return head.substr(begin, head.find('\r', begin) - begin);
}

TEST_P(Trouble, ADownloadThatIsCutGoesOnFromWhereItStopped) {
  const auto content = lines_of(300'000);
  ASSERT_TRUE(on->direct->put("long", content).ok());
  for (const std::size_t came : {std::size_t{0}, std::size_t{1}, std::size_t{65'536},
                                 std::size_t{150'000}, content.size() - 1}) {
    SCOPED_TRACE(came);
    std::vector<std::string> heads;
    on->proxy->plan([&](int nth, const std::string& head) -> std::optional<HttpFault> {
      heads.push_back(head);
      if (nth == 1) return HttpFault{Action::cut_reply, "", came};
      return std::nullopt;
    });
    EXPECT_TRUE(on->store->get("long").value() == content);
    ASSERT_EQ(heads.size(), 2U);
    EXPECT_EQ(head_of(heads[0], "range"), "");
    EXPECT_EQ(head_of(heads[1], "range"), came == 0 ? "" : fmt::format("bytes={}-", came));
    EXPECT_EQ(head_of(heads[1], "if-match").empty(), came == 0);
  }
}

TEST_P(Trouble, ADownloadThatIsCutMoreOftenThanThereAreTriesGetsThereAllTheSame) {
  const auto content = lines_of(300'000);
  ASSERT_TRUE(on->direct->put("long", content).ok());
  on->proxy->plan([](int nth, const std::string&) -> std::optional<HttpFault> {
    return nth <= 20 ? std::optional(HttpFault{Action::cut_reply, "", 10'000}) : std::nullopt;
  });
  EXPECT_TRUE(on->store->get("long").value() == content);
  EXPECT_EQ(on->proxy->count(), 21);
  on->proxy->plan([](int nth, const std::string&) -> std::optional<HttpFault> {
    return nth <= 3 ? std::optional(HttpFault{Action::cut_reply, "", 1000}) : std::nullopt;
  });
  EXPECT_TRUE(on->store->get_part("long", 5000, 100'000).value() == content.substr(5000, 100'000));
}

TEST_P(Trouble, WhatIsReplacedWhileItIsReadIsNeverMixed) {
  ASSERT_TRUE(on->direct->put("changed", std::string(200'000, 'a')).ok());
  on->proxy->plan([this](int nth, const std::string&) -> std::optional<HttpFault> {
    if (nth == 1) return HttpFault{Action::cut_reply, "", 100'000};
    if (nth == 2) {
      EXPECT_TRUE(on->direct->remove("changed").ok());
      EXPECT_TRUE(on->direct->put("changed", std::string(200'000, 'b')).ok());
    }
    return std::nullopt;
  });
  EXPECT_TRUE(on->store->get("changed").value() == std::string(200'000, 'b'));
}

TEST_P(Trouble, AStoreThatAlwaysCutsAtTheSamePlaceIsAnError) {
  ASSERT_TRUE(on->direct->put("long", lines_of(300'000)).ok());
  on->proxy->plan([](int, const std::string& head) {
    const bool rest = !head_of(head, "range").empty();
    return std::optional(HttpFault{Action::cut_reply, "", rest ? 0U : 1000U});
  });
  EXPECT_EQ(on->store->get("long").error().fault, Fault::unreachable);
}

TEST_P(Trouble, ATakenNameIsAConflictAlsoAfterALostAnswer) {
  ASSERT_TRUE(on->direct->put("taken", "theirs").ok());
  strike(1, {Action::lose_reply});
  const auto put = on->store->put("taken", "ours");
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().fault, Fault::conflict);
  EXPECT_EQ(on->direct->get("taken").value(), "theirs");
}

TEST_P(Trouble, AStoreThatNeverAnswersIsAnErrorWhoseEffectIsUnknown) {
  on->proxy->plan([](int, const std::string&) { return HttpFault{Action::lose_reply}; });
  const auto put = on->store->put("name", "x");
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().effect, Effect::unknown);
  EXPECT_EQ(put.error().fault, Fault::unreachable);
  EXPECT_EQ(on->direct->get("name").value(), "x");
}

TEST_P(Trouble, WhatAnInterruptedLargePutHasLeftIsUsedAgain) {
  const std::string large(std::size_t{11} << 20, 'y');
  int parts = 0;
  on->proxy->plan([&parts](int, const std::string& head) -> std::optional<HttpFault> {
    const bool part = head.starts_with("PUT") && (head.find("partNumber=") < head.find('\n') ||
                                                  head.find("comp=block ") < head.find('\n'));
    if (part && ++parts > 1)
      return HttpFault{Action::answer, "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n"};
    return std::nullopt;
  });
  ASSERT_FALSE(on->store->put("large", large).ok());
  EXPECT_FALSE(on->direct->exists("large").value());
  parts = -10;
  ASSERT_TRUE(on->store->put("large", large).ok());
  EXPECT_EQ(parts, -10 + 2);  // of three
  EXPECT_TRUE(on->direct->get("large").value() == large);
}

TEST_P(Trouble, ThousandsOfNamesAreListed) {
  const int many = 1203;
  for (int i = 0; i < many; ++i) ASSERT_TRUE(on->direct->put("n/" + std::to_string(i), "").ok());
  const auto found = on->store->list("n/");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->size(), static_cast<std::size_t>(many));
  EXPECT_TRUE(std::is_sorted(found->begin(), found->end(),
                             [](const auto& a, const auto& b) { return a.name < b.name; }));
}

INSTANTIATE_TEST_SUITE_P(S3, Trouble, ::testing::Values(&troubled_s3));
INSTANTIATE_TEST_SUITE_P(Azure, Trouble, ::testing::Values(&troubled_azure));
INSTANTIATE_TEST_SUITE_P(Minio, Trouble,
                         ::testing::ValuesIn(where_minio_is<MakeTroubled>(&troubled_minio)));

// --- what is told
// -----------------------------------------------------------------------------------

struct Told : ::testing::Test {
  SystemClock clock;
  SystemRandom random;

  Error s3(storage::S3Config config) {
    auto store = storage::make_s3(std::move(config), clock, random);
    if (!store) return store.error();
    auto put = (*store)->put("name", "x");
    EXPECT_FALSE(put.ok());
    return put ? Error{} : put.error();
  }
  Error azure(storage::AzureConfig config) {
    auto store = storage::make_azure(std::move(config), clock, random);
    if (!store) return store.error();
    auto put = (*store)->put("name", "x");
    EXPECT_FALSE(put.ok());
    return put ? Error{} : put.error();
  }
};

TEST_F(Told, AWrongSecretIsDeniedAndStaysSecret) {
  auto config = belay::testing::s3_server().config;
  config.key.secret = Secret("a-wrong-secret-key");
  const auto error = s3(config);
  EXPECT_EQ(error.fault, Fault::denied) << error.message();
  EXPECT_EQ(error.message().find("a-wrong-secret-key"), std::string::npos);
  auto blob = belay::testing::azure_server().config;
  blob.key = Secret("YS13cm9uZy1rZXk=");
  EXPECT_EQ(azure(blob).fault, Fault::denied);
}

TEST_F(Told, ABucketThatIsNotThereIsNamed) {
  auto config = belay::testing::s3_server().config;
  config.bucket = "no-such-bucket";
  const auto error = s3(config);
  EXPECT_NE(error.message().find("no-such-bucket"), std::string::npos) << error.message();
  auto blob = belay::testing::azure_server().config;
  blob.container = "no-such-container";
  EXPECT_EQ(azure(blob).fault, Fault::missing);
}

TEST_F(Told, WhatIsMissingInItsConfigurationIsInvalid) {
  storage::S3Config none;
  EXPECT_EQ(s3(none).fault, Fault::invalid);
  none.bucket = "b";
  none.endpoint = "shop.example";
  EXPECT_EQ(s3(none).fault, Fault::invalid);
  storage::AzureConfig blob;
  EXPECT_EQ(azure(blob).fault, Fault::invalid);
  blob.container = "c";
  blob.account = "a";
  EXPECT_EQ(azure(blob).fault, Fault::invalid);
  blob.key = Secret("not base64!");
  EXPECT_EQ(azure(blob).fault, Fault::invalid);
}

// The server's own answer to a clock that is wrong, as S3 gives it: moto does not look.
TEST(WrongClock, TheServersTimeIsUsedForSigning) {
  SystemRandom random;
  SystemClock real;
  FakeClock wrong(real.now() - std::chrono::hours(3));
  auto server = belay::testing::s3_server();
  HttpProxy proxy(server.port);
  std::vector<std::string> stamps;
  proxy.plan([&](int nth, const std::string& head) -> std::optional<HttpFault> {
    stamps.push_back(head.substr(head.find("x-amz-date: ") + 12, 16));
    if (nth > 1) return std::nullopt;
    const std::string body = "<Error><Code>RequestTimeTooSkewed</Code></Error>";
    return HttpFault{Action::answer,
                     "HTTP/1.1 403 Forbidden\r\nDate: " + net::http_date(real.now()) +
                         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body};
  });
  server.config.endpoint = proxy.url();
  const auto store = storage::make_s3(server.config, wrong, random).value();
  const auto put = store->put("name", "x");
  ASSERT_TRUE(put.ok()) << put.error().message();
  ASSERT_EQ(stamps.size(), 2u);
  EXPECT_LT(stamps[0], stamps[1]);
}

}  // namespace
}  // namespace belay::contract
