// SPDX-License-Identifier: Apache-2.0
// Removing: never what something still needs, never when nobody knows what is needed.
#include "tests/vault/support.hpp"
#include "vault/rewind.hpp"

namespace belay::vault {
namespace {

struct PruneTest : VaultTest {
  static std::string object_of(const Block& block) {
    return "blocks/" + block.name.substr(0, 2) + "/" + block.name;
  }
};

TEST_F(PruneTest, KeepsWhatPointsAndSealedObjectsUseAndRemovesTheRest) {
  auto vault = open();
  const auto kept = saved("a", write(*vault, {document(1, 100)}));
  auto merged = saved("b", write(*vault, {document(2, 100)}));
  merged.delta = write(*vault, {document(3, 100)});
  const auto salvaged = write(*vault, {document(4, 100)});
  const auto forgotten = saved("c", write(*vault, {document(5, 100)}));
  write(*vault, {document(6, 100)});  // of a writer that was killed
  ASSERT_TRUE(vault->commit(point("rp-1", {kept, merged})));
  ASSERT_TRUE(vault->put_sealed("salvage/x/index", "{}", {salvaged.blocks.front().name}));
  ASSERT_TRUE(vault->commit(point("rp-2", {kept, forgotten})));
  ASSERT_TRUE(vault->forget("rp-2"));
  auto freed = vault->prune();
  ASSERT_TRUE(freed) << freed.error().message();
  EXPECT_GT(freed->bytes, 0U);
  std::set<std::string> expected{object_of(kept.base.blocks[0]), object_of(merged.base.blocks[0]),
                                 object_of(merged.delta.blocks[0]), object_of(salvaged.blocks[0])};
  const auto left = store.names("blocks/");
  EXPECT_EQ(std::set<std::string>(left.begin(), left.end()), expected);
  EXPECT_EQ(vault->prune()->bytes, 0U) << "a second time nothing is left to remove";
}

TEST_F(PruneTest, RefusesWhenAManifestOrASealedObjectCannotBeRead) {
  for (const char* damaged : {"points/rp-1", "sealed/salvage/x/index"}) {
    fake::FakeStorage fresh;
    auto vault = open_vault(fresh, test_key, clock, random).value();
    ASSERT_TRUE(vault->commit(point("rp-1", {saved("a", write(*vault, {document(1)}))})));
    ASSERT_TRUE(vault->put_sealed("salvage/x/index", "{}"));
    write(*vault, {document(2)});
    ASSERT_TRUE(vault->commit(point("rp-2", {})));  // ends the writer's lease
    fresh.flip(damaged, 50);
    const auto blocks = fresh.names("blocks/");
    auto freed = vault->prune();
    ASSERT_FALSE(freed) << damaged;
    EXPECT_EQ(freed.error().fault, Fault::corrupt) << damaged;
    EXPECT_EQ(fresh.names("blocks/"), blocks) << damaged;
  }
}

struct LockedVault : PruneTest {
  LockedVault() { store.lock(clock, std::chrono::hours(24)); }
  TimePoint now_and_a_day() const { return clock.now() + std::chrono::hours(24); }
};

TEST_F(LockedVault, LocksWhatAPointNeedsAgainWithEachPointAndNoLease) {
  auto vault = open();
  const auto old = saved("a", write(*vault, {document(1, 100)}));
  ASSERT_TRUE(vault->commit(point("rp-1", {old})));
  clock.advance(std::chrono::hours(20));
  // The same documents: stored already, and needed for another day.
  const auto same = saved("a", write(*vault, {document(1, 100)}));
  EXPECT_EQ(same.base.blocks[0].name, old.base.blocks[0].name);
  ASSERT_TRUE(vault->commit(point("rp-2", {same})));
  for (const auto& name : store.names()) {
    const auto until = store.locked_until(name);
    ASSERT_TRUE(until.has_value()) << name;
    if (name != "points/rp-1") {
      EXPECT_EQ(*until, now_and_a_day()) << name;
    }
  }
}

TEST_F(LockedVault, LocksWhatAnotherProcessStoredToo) {
  auto vault = open();
  const auto layer = write(*vault, {document(1, 100)});
  ASSERT_TRUE(vault->commit(point("rp-1", {saved("a", layer)})));
  clock.advance(std::chrono::hours(20));
  ASSERT_TRUE(open()->commit(point("rp-2", {saved("a", layer)})));
  EXPECT_EQ(store.locked_until(object_of(layer.blocks[0])), now_and_a_day());
  clock.advance(std::chrono::hours(1));
  ASSERT_TRUE(open()->put_sealed("salvage/x/index", "{}", {layer.blocks[0].name}));
  EXPECT_EQ(store.locked_until(object_of(layer.blocks[0])), now_and_a_day());
}

TEST_F(LockedVault, APointWhoseBlocksCannotBeLockedIsNone) {
  auto vault = open();
  const auto layer = write(*vault, {document(1, 100)});
  ASSERT_TRUE(vault->commit(point("rp-1", {saved("a", layer)})));
  for (int call = 1;; ++call) {
    auto again = open();
    store.revive();
    store.fail_call(call);
    const auto committed = again->commit(point("rp-2", {saved("a", layer)}));
    store.revive();
    if (committed) break;
    EXPECT_EQ(store.names("points/"), std::vector<std::string>{"points/rp-1"}) << call;
  }
}

TEST_F(LockedVault, PruningKeepsWhatIsLockedSaysUntilWhenAndFreesItAfterwards) {
  auto vault = open();
  const auto gone = write(*vault, {document(5, 100)});
  ASSERT_TRUE(vault->commit(point("rp-1", {})));
  EXPECT_EQ(vault->forget("rp-1").error().fault, Fault::busy);
  auto freed = vault->prune();
  ASSERT_TRUE(freed) << freed.error().message();
  EXPECT_EQ(freed->bytes, 0U);
  EXPECT_GT(freed->locked, 0U);
  EXPECT_EQ(freed->until, now_and_a_day());
  clock.advance(std::chrono::hours(25));
  freed = vault->prune();
  EXPECT_GT(freed->bytes, 0U);
  EXPECT_EQ(freed->locked, 0U);
  EXPECT_FALSE(freed->until.has_value());
  EXPECT_TRUE(store.names("blocks/").empty());
  EXPECT_TRUE(vault->forget("rp-1").ok());
}

TEST_F(LockedVault, ASalvageThatIsLockedStaysWholeUntilItsTimeIsOver) {
  auto vault = open();
  for (const char* part : {"index", "0001", "done"})
    ASSERT_TRUE(vault->put_sealed(fmt::format("salvage/x/{}", part), "{}"));
  const auto all = store.names("sealed/");
  ASSERT_TRUE(forget_salvages(*vault, {"x"}).ok());
  EXPECT_EQ(store.names("sealed/"), all);
  clock.advance(std::chrono::hours(25));
  ASSERT_TRUE(forget_salvages(*vault, {"x"}).ok());
  EXPECT_TRUE(store.names("sealed/").empty());
}

TEST(Lasting, IsEverythingButLeasesAndProofs) {
  for (const char* name : {"config", "keys/1", "blocks/ab/abcd", "points/rp-1", "sealed/x",
                           "journal/events/00000000/000000000001"})
    EXPECT_TRUE(is_lasting(name)) << name;
  for (const char* name : {"leases/write-1-2", "proof/12345678", "configs", "claims/7/00000001",
                           "records/production/x/00000001"})
    EXPECT_FALSE(is_lasting(name)) << name;
}

SalvageSummary old_salvage(const std::string& name, TimePoint now, int days) {
  SalvageSummary out;
  out.name = name;
  out.at = now - std::chrono::hours(24) * days;
  out.finished = true;
  return out;
}

TEST(SalvageRetention, EndsFinishedSalvagesByAgeAndNoOthers) {
  const TimePoint now = parse_time("2026-11-23T12:00:00Z").value();
  auto unfinished = old_salvage("unfinished", now, 400);
  unfinished.finished = false;
  auto damaged = old_salvage("damaged", now, 400);
  damaged.damaged = "a bit flipped";
  EXPECT_EQ(expired_salvages(
                {old_salvage("old", now, 91), old_salvage("young", now, 89), unfinished, damaged},
                90, now),
            std::vector<std::string>{"old"});
}

TEST_F(PruneTest, AForgottenSalvageLeavesNothingAlsoWhenForgettingWasKilled) {
  const std::vector<std::string> objects{"salvage/s/1-000001", "salvage/s/done", "salvage/s/index",
                                         "salvage/s/later-000001"};
  const auto fill = [&](Vault& vault) {
    for (const auto& name : objects) ASSERT_TRUE(vault.put_sealed(name, "x"));
    ASSERT_TRUE(vault.put_sealed("salvage/begun/1-000001", "x"));  // a rewind is at work on it
    ASSERT_TRUE(vault.put_sealed("salvage/t/index", "x"));
    ASSERT_TRUE(vault.put_sealed("salvage/t/done", "x"));
  };
  const std::vector<std::string> left{"salvage/begun/1-000001", "salvage/t/done",
                                      "salvage/t/index"};
  for (int killed = 1; killed < 8; ++killed) {
    store.set_objects({});
    store.revive();
    auto vault = open();
    fill(*vault);
    store.revive();
    store.die_at(killed);
    const bool done = forget_salvages(*vault, {"s"}).ok();
    store.revive();
    ASSERT_TRUE(forget_salvages(*vault, done ? std::vector<std::string>{}
                                        : store.names("sealed/salvage/s/index").empty()
                                            ? std::vector<std::string>{}
                                            : std::vector<std::string>{"s"}));
    EXPECT_EQ(vault->list_sealed("salvage/").value(), left) << "killed at call " << killed;
  }
}

}  // namespace
}  // namespace belay::vault
