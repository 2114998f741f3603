// SPDX-License-Identifier: Apache-2.0
#include "vault/exported.hpp"

#include "tests/vault/support.hpp"
#include "vault/lease.hpp"
#include "vault/verify.hpp"

namespace belay::vault {
namespace {

struct Exported : VaultTest {
  fake::FakeStorage file, other;
  std::unique_ptr<Vault> vault = open();
  std::vector<database::Bson> documents;
  Point kept;

  void SetUp() override {
    for (int i = 0; i < 200; ++i) documents.push_back(document(i, 20'000));
    auto orders = saved("orders", write(*vault, documents));
    orders.delta = write(*vault, {document(7, 30'000), document(900)});
    orders.gone = {bson(R"({"": 3})")};
    const auto reading = read_back(*vault, orders, {}).value();
    orders.documents = reading.documents;
    orders.bytes = reading.bytes;
    orders.md5 = reading.md5;
    kept = point("rp-7", {orders});
    kept.origin = "c0ffee";
    ASSERT_TRUE(vault->commit(kept).ok());
    ASSERT_TRUE(whole(*vault));
  }

  static bool whole(Vault& in, const std::string& name = "rp-7") {
    const auto report = in.verify(name, {}, {});
    return report.ok() && report->problems.empty();
  }

  std::unique_ptr<Vault> open_in(storage::Storage& in, const Secret& key = test_key) {
    auto opened = open_vault(in, key, clock, random);
    if (!opened) throw std::runtime_error(opened.error().message());
    return std::move(opened).value();
  }

  void export_it() { ASSERT_TRUE(export_point(store, kept, file, {}, {}).ok()); }
};

TEST_F(Exported, IsAVaultOfOnePointThatOpensWithTheSameKey) {
  ASSERT_TRUE(vault->commit(point("another", {})).ok());
  export_it();
  const auto alone = open_in(file);
  ASSERT_EQ(alone->list().value().size(), 1u);
  EXPECT_TRUE(whole(*alone));
  EXPECT_EQ(read(*alone, kept.collections.front()).value().size(), 200u);
  EXPECT_FALSE(open_vault(file, Secret(std::string(64, 'b')), clock, random).ok());
}

TEST_F(Exported, ComesIntoAVaultOfAnotherKeyAsItWas) {
  export_it();
  const auto to = open_in(other, Secret(std::string(64, 'b')));
  const auto imported = import_point(*open_in(file), "rp-7", *to, {}, {});
  ASSERT_TRUE(imported.ok()) << imported.error().message();
  EXPECT_EQ(imported->origin, "c0ffee");
  EXPECT_TRUE(whole(*to));
  EXPECT_EQ(read(*to, to->load("rp-7")->collections.front()).value(),
            read(*vault, kept.collections.front()).value());
}

TEST_F(Exported, GoesBackIntoItsOwnVaultAfterItWasForgottenAndPruned) {
  export_it();
  ASSERT_TRUE(vault->forget("rp-7").ok());
  ASSERT_TRUE(vault->prune().ok());
  ASSERT_TRUE(import_point(*open_in(file), "rp-7", *vault, {}, {}).ok());
  EXPECT_TRUE(whole(*vault));
}

TEST_F(Exported, MendsBlocksThatAreDamagedOrGone) {
  export_it();
  const auto blocks = store.list("blocks/").value();
  ASSERT_GT(blocks.size(), 3u);
  ASSERT_TRUE(store.remove(blocks[0].name).ok());
  ASSERT_TRUE(store.remove(blocks[1].name).ok());
  ASSERT_TRUE(store.put(blocks[1].name, "rubbish").ok());
  ASSERT_FALSE(whole(*vault));
  const auto to = open();
  ASSERT_TRUE(import_point(*open_in(file), "rp-7", *to, {}, {}).ok());
  EXPECT_TRUE(whole(*to));
}

TEST_F(Exported, MendsAManifestThatIsDamaged) {
  export_it();
  ASSERT_TRUE(store.remove("points/rp-7").ok());
  ASSERT_TRUE(store.put("points/rp-7", "rubbish").ok());
  ASSERT_TRUE(import_point(*open_in(file), "rp-7", *vault, {}, {}).ok());
  EXPECT_TRUE(whole(*vault));
}

TEST_F(Exported, TwiceIsFine) {
  export_it();
  for (int i = 0; i < 2; ++i)
    ASSERT_TRUE(import_point(*open_in(file), "rp-7", *vault, {}, {}).ok());
  EXPECT_EQ(vault->list().value().size(), 1u);
}

TEST_F(Exported, NothingIsWrittenOfOneThatIsDamaged) {
  export_it();
  const auto blocks = file.list("blocks/").value();
  ASSERT_TRUE(file.remove(blocks.back().name).ok());
  ASSERT_TRUE(file.put(blocks.back().name, "rubbish").ok());
  const auto to = open_in(other);
  const auto before = other.list("").value().size();
  const auto imported = import_point(*open_in(file), "rp-7", *to, {}, {});
  ASSERT_FALSE(imported.ok());
  EXPECT_EQ(imported.error().fault, Fault::corrupt);
  EXPECT_EQ(other.list("").value().size(), before);
}

TEST_F(Exported, AnotherPointOfItsNameStays) {
  export_it();
  const auto to = open_in(other);
  ASSERT_TRUE(to->commit(point("rp-7", {})).ok());
  const auto imported = import_point(*open_in(file), "rp-7", *to, {}, {});
  ASSERT_FALSE(imported.ok());
  EXPECT_EQ(imported.error().fault, Fault::conflict);
  EXPECT_TRUE(to->load("rp-7")->collections.empty());
}

TEST_F(Exported, KilledAnywhereItComesInTheNextTime) {
  export_it();
  int killed = 0;
  for (int nth = 1;; ++nth) {
    other.set_objects({});
    other.die_at(nth, nth % 2 == 0);
    auto opened = open_vault(other, test_key, clock, random);
    const bool done = opened && import_point(*open_in(file), "rp-7", **opened, {}, {}).ok();
    opened = fail(Fault::cancelled, "killed");
    other.revive();
    if (done) break;
    ++killed;
    clock.advance(lease_time);
    const auto to = open_in(other);
    EXPECT_TRUE(to->list().value().empty() || whole(*to)) << nth;
    ASSERT_TRUE(import_point(*open_in(file), "rp-7", *to, {}, {}).ok()) << nth;
    EXPECT_TRUE(whole(*to)) << nth;
  }
  EXPECT_GT(killed, 20);
}

TEST_F(Exported, StoppedItSaysSo) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(export_point(store, kept, file, {}, stop.get_token()).error().fault, Fault::cancelled);
  file.set_objects({});
  export_it();
  const auto to = open_in(other);
  EXPECT_EQ(import_point(*open_in(file), "rp-7", *to, {}, stop.get_token()).error().fault,
            Fault::cancelled);
}

}  // namespace
}  // namespace belay::vault
