// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "base/hash.hpp"
#include "tests/vault/support.hpp"
#include "vault/verify.hpp"

namespace belay::vault {
namespace {

using database::Bson;

std::vector<Bson> numbered(int from, int to, std::size_t padding) {
  std::vector<Bson> out;
  for (int i = from; i < to; ++i) out.push_back(document(i, padding));
  return out;
}

std::set<std::string> names_of(const Layer& layer) {
  std::set<std::string> out;
  for (const auto& block : layer.blocks) out.insert(block.name);
  return out;
}

// Random text compresses badly and differs from document to document.
std::vector<Bson> random_documents(int count, std::size_t bytes, std::uint64_t seed = 7) {
  SeededRandom random(seed);
  std::vector<Bson> out;
  for (int i = 0; i < count; ++i) {
    out.push_back(
        bson(fmt::format(R"({{"_id": {}, "text": "{}"}})", i * 10, random.hex(bytes / 2))));
  }
  return out;
}

// ---- layers ----

TEST_F(VaultTest, ALayerComesBackInOrderByteForByte) {
  auto vault = open();
  const auto documents = random_documents(5000, 1000);
  const auto collection = saved("orders", write(*vault, documents));
  EXPECT_GT(collection.base.blocks.size(), 2u);
  EXPECT_EQ(read(*vault, collection).value(), documents);
}

TEST_F(VaultTest, AnEmptyLayerHasNoBlocksAndReadsAsNothing) {
  auto vault = open();
  const auto collection = saved("orders", write(*vault, {}));
  EXPECT_TRUE(collection.base.blocks.empty());
  EXPECT_TRUE(read(*vault, collection).value().empty());
}

TEST_F(VaultTest, BlocksStayWithinTheirSizes) {
  auto vault = open();
  const auto layer = write(*vault, random_documents(20000, 700));
  for (std::size_t i = 0; i + 1 < layer.blocks.size(); ++i) {
    EXPECT_GE(layer.blocks[i].plain_bytes, 256u << 10);
    EXPECT_LE(layer.blocks[i].plain_bytes, 4u << 20);
  }
  const double mean = static_cast<double>(layer.bytes) / static_cast<double>(layer.blocks.size());
  EXPECT_GT(mean, 500e3);
  EXPECT_LT(mean, 2e6);
}

TEST_F(VaultTest, TheSameDocumentsAreStoredOnce) {
  auto vault = open();
  const auto documents = random_documents(3000, 1000);
  const auto first = write(*vault, documents);
  const auto written = vault->bytes_written();
  EXPECT_EQ(names_of(write(*vault, documents)), names_of(first));
  EXPECT_EQ(vault->bytes_written(), written);
  // Another process finds them by its listing.
  auto other = open();
  EXPECT_EQ(names_of(write(*other, documents)), names_of(first));
  EXPECT_EQ(other->bytes_written(), 0u);
}

TEST_F(VaultTest, AnInsertionChangesOnlyTheBlocksAroundIt) {
  auto vault = open();
  auto documents = random_documents(20000, 1000);
  const auto before = names_of(write(*vault, documents));
  documents.insert(documents.begin() + 100, bson(R"({"_id": 995, "new": true})"));
  const auto after = names_of(write(*vault, documents));
  std::vector<std::string> fresh;
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(),
                      std::back_inserter(fresh));
  EXPECT_GT(before.size(), 12u);
  EXPECT_LE(fresh.size(), 3u);
}

TEST_F(VaultTest, TwoVaultsWithOneKeyShareNoNames) {
  auto vault = open();
  const auto documents = numbered(0, 100, 100);
  const auto here = write(*vault, documents);
  fake::FakeStorage elsewhere;
  auto other = open_vault(elsewhere, test_key, clock, random).value();
  EXPECT_NE(names_of(write(*other, documents)), names_of(here));
}

TEST_F(VaultTest, DocumentsOfSixteenMegabytesAreBlocksOfTheirOwn) {
  auto vault = open();
  const std::size_t most = (std::size_t{16} << 20) - 64;
  std::vector<Bson> documents = {document(1), document(2, most), document(3), document(4, most)};
  const auto collection = saved("files", write(*vault, documents));
  EXPECT_EQ(collection.base.blocks.size(), 4u);
  EXPECT_EQ(read(*vault, collection).value(), documents);
}

TEST_F(VaultTest, WhatIsNotADocumentIsRefused) {
  auto vault = open();
  auto writer = vault->write_layer();
  for (const std::string& bad :
       {std::string(), std::string("hello"), document(1) + "x", document(1).substr(0, 10)}) {
    auto added = writer->add(bad);
    ASSERT_FALSE(added.ok());
    EXPECT_EQ(added.error().fault, Fault::corrupt);
  }
}

TEST_F(VaultTest, AStoreThatFailsIsSeenByTheWriterAtTheLatestAtItsEnd) {
  auto vault = open();
  store.revive();
  store.die_at(5);
  auto writer = vault->write_layer();
  Status added;
  for (const auto& each : random_documents(5000, 1000)) {
    added = writer->add(each);
    if (!added) break;
  }
  auto layer = writer->finish();
  ASSERT_FALSE(layer.ok());
  EXPECT_EQ(layer.error().fault, Fault::unreachable);
}

TEST_F(VaultTest, ALostReplyOfAPutIsSettledByPuttingAgain) {
  auto vault = open();
  store.revive();
  for (int nth = 1; nth < 40; ++nth) store.lose_reply(nth);
  // The lease and the listing need answers; only the blocks' puts may lose theirs.
  store.revive();
  write(*vault, {document(1)});
  store.lose_reply(store.calls() + 1);
  const auto collection = saved("a", write(*vault, {document(2)}));
  EXPECT_EQ(read(*vault, collection).value(), std::vector<Bson>{document(2)});
}

// ---- merging ----

TEST_F(VaultTest, TheDeltaWinsAndTheGoneAreGone) {
  auto vault = open();
  auto collection = saved("a", write(*vault, numbered(0, 10, 5)));
  const std::vector<Bson> changed = {
      bson(R"({"_id": -1, "new": 1})"), bson(R"({"_id": 3, "new": 1})"),
      bson(R"({"_id": 9, "new": 1})"), bson(R"({"_id": 12, "new": 1})")};
  collection.delta = write(*vault, changed);
  for (const int id : {0, 5, 8, 77})
    collection.gone.push_back(bson(fmt::format(R"({{"_id": {}}})", id)));
  const std::vector<Bson> expected = {changed[0],     document(1, 5), document(2, 5),
                                      changed[1],     document(4, 5), document(6, 5),
                                      document(7, 5), changed[2],     changed[3]};
  EXPECT_EQ(read(*vault, collection).value(), expected);
}

TEST_F(VaultTest, IdsThatTheServerHoldsEqualAreOneIdInAMerge) {
  auto vault = open();
  auto collection = saved("a", write(*vault, {bson(R"({"_id": 1})"), bson(R"({"_id": 2})")}));
  const Bson changed = bson(R"({"_id": {"$numberDouble": "1.0"}, "x": 1})");
  collection.delta = write(*vault, {changed});
  collection.gone = {bson(R"({"_id": {"$numberLong": "2"}})")};
  EXPECT_EQ(read(*vault, collection).value(), std::vector<Bson>{changed});
}

TEST_F(VaultTest, AnEmptyBaseWithADeltaAndABaseWithEverythingGone) {
  auto vault = open();
  auto collection = saved("a", write(*vault, {}));
  collection.delta = write(*vault, {document(1)});
  EXPECT_EQ(read(*vault, collection).value(), std::vector<Bson>{document(1)});
  auto other = saved("b", write(*vault, {document(1), document(2)}));
  other.gone = {bson(R"({"_id": 1})"), bson(R"({"_id": 2})")};
  EXPECT_TRUE(read(*vault, other).value().empty());
}

// ---- points ----

TEST_F(VaultTest, ThePointIsReadBackAsItWasCommitted) {
  auto vault = open();
  Point full = point("rp-7", {saved("a", write(*vault, {document(1)}))});
  full.kind = "deploy";
  full.started = clock.now();
  full.finished = clock.now() + Millis(1500);
  full.project = "shop";
  full.environment = "production";
  full.run = "7";
  full.exact = true;
  full.method = "transaction";
  full.since = database::Position{123, 4};
  full.server = {"8.0.1", "rs0", false, "db:27017"};
  full.proofs = {true, true, true, true, {"nothing"}};
  full.databases = {"shop"};
  full.bytes = 10;
  full.stored_bytes = 5;
  full.journal_head = "412:9f3c";
  auto& facts = full.collections[0].facts;
  facts.uuid = "00ff";
  facts.indexes = {bson(R"({"v": 2, "key": {"_id": 1}, "name": "_id_"})")};
  facts.capped = facts.collated = true;
  full.collections[0].gone = {bson(R"({"_id": 4})")};
  full.collections[0].md5 = "abc";
  ASSERT_TRUE(vault->commit(full).ok());
  auto loaded = open()->load("rp-7");
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  EXPECT_EQ(canonical(to_json(loaded.value())), canonical(to_json(full)));
  EXPECT_EQ(loaded->collections[0].facts, facts);
  EXPECT_EQ(loaded->collections[0].base.blocks[0].first_id, bson(R"({"_id": 1})"));
}

TEST_F(VaultTest, ATakenNameIsAConflict) {
  auto vault = open();
  ASSERT_TRUE(vault->commit(point("rp-1", {})).ok());
  auto again = vault->commit(point("rp-1", {}));
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().fault, Fault::conflict);
}

TEST_F(VaultTest, ListIsOldestFirstAndShowsADamagedPointBesideTheOthers) {
  auto vault = open();
  for (const char* name : {"c", "a", "b"}) {
    Point each = point(name, {});
    clock.advance(Millis(1000));
    each.finished = clock.now();
    ASSERT_TRUE(vault->commit(each).ok());
  }
  store.flip("points/a", 50);
  auto list = vault->list();
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 3u);
  EXPECT_EQ((*list)[0].kind, "damaged");
  EXPECT_EQ((*list)[0].name, "a");
  EXPECT_EQ((*list)[1].name, "c");
  EXPECT_EQ((*list)[2].name, "b");
}

TEST_F(VaultTest, AMissingPointIsMissing) {
  auto loaded = open()->load("rp-404");
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.error().fault, Fault::missing);
}

TEST_F(VaultTest, AManifestOnlyReferencesExistingBlocks) {
  auto vault = open();
  const auto collection = saved("a", write(*vault, {document(1)}));
  store.drop(store.names("blocks/").front());
  auto committed = vault->commit(point("rp-1", {collection}));
  ASSERT_FALSE(committed.ok());
  EXPECT_EQ(committed.error().fault, Fault::missing);
  EXPECT_TRUE(store.names("points/").empty());
}

TEST_F(VaultTest, NothingOfTheDataIsInTheClear) {
  auto vault = open();
  const Bson secret = bson(R"({"_id": "sentinel-id", "text": "sentinel-text"})");
  auto collection = saved("sentinel-collection", write(*vault, {secret}));
  ASSERT_TRUE(vault->commit(point("rp-1", {collection})).ok());
  ASSERT_TRUE(vault->put_sealed("s/1", "sentinel-sealed").ok());
  for (const auto& [name, content] : store.objects()) {
    EXPECT_EQ(content.find("sentinel"), std::string::npos) << name;
    EXPECT_EQ(content.find(test_key.reveal()), std::string::npos) << name;
  }
}

TEST_F(VaultTest, SealedObjectsComeBackAndAreListedByPrefix) {
  auto vault = open();
  const std::string content = "line\n{\"blocks\": 1}\nend";
  ASSERT_TRUE(vault->put_sealed("salvage-7/0001", content).ok());
  ASSERT_TRUE(vault->put_sealed("salvage-7/0002", "").ok());
  ASSERT_TRUE(vault->put_sealed("salvage-8/0001", "other").ok());
  EXPECT_EQ(open()->get_sealed("salvage-7/0001").value(), content);
  EXPECT_EQ(vault->get_sealed("salvage-7/0002").value(), "");
  EXPECT_EQ(vault->list_sealed("salvage-7/").value(),
            (std::vector<std::string>{"salvage-7/0001", "salvage-7/0002"}));
  EXPECT_EQ(vault->put_sealed("salvage-7/0001", "x").error().fault, Fault::conflict);
  EXPECT_EQ(vault->get_sealed("nothing").error().fault, Fault::missing);
  ASSERT_TRUE(vault->remove_sealed("salvage-8/0001").ok());
  EXPECT_EQ(vault->list_sealed("").value().size(), 2u);
}

TEST_F(VaultTest, MetadataHasTheNamesThatScriptsRead) {
  Point each = point("rp-1", {});
  each.environment = "production";
  each.started = clock.now();
  each.finished = clock.now() + Millis(2500);
  const Json json = metadata(each);
  for (const char* key :
       {"timestamp", "backup_name", "backup_size", "backup_hash_sha256", "backup_duration_seconds",
        "environment", "triggered_by", "github_run_id", "github_sha"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_EQ(json["backup_duration_seconds"], 2);
  Point other = each;
  other.collections.emplace_back();
  EXPECT_NE(metadata(other)["backup_hash_sha256"], json["backup_hash_sha256"]);
}

// ---- verify ----

TEST_F(VaultTest, VerifyCountsAndFindsNothingWrongInAWholePoint) {
  auto vault = open();
  auto collection = saved("a", write(*vault, random_documents(3000, 1000)));
  auto reading = read_back(*vault, collection, {});
  ASSERT_TRUE(reading.ok());
  collection.md5 = reading->md5;
  ASSERT_TRUE(vault->commit(point("rp-1", {collection})).ok());
  auto report = open()->verify("rp-1", {}, {});
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->problems, std::vector<std::string>{});
  EXPECT_EQ(report->documents, 3000u);
  EXPECT_EQ(report->blocks, collection.base.blocks.size());
}

TEST_F(VaultTest, VerifyNamesEveryBrokenBlock) {
  auto vault = open();
  auto collection = saved("a", write(*vault, random_documents(5000, 1000)));
  ASSERT_TRUE(vault->commit(point("rp-1", {collection})).ok());
  ASSERT_GE(collection.base.blocks.size(), 4u);
  const auto object = [&](std::size_t i) {
    const std::string& name = collection.base.blocks[i].name;
    return "blocks/" + name.substr(0, 2) + "/" + name;
  };
  store.flip(object(0), 100);
  store.cut(object(1), 1000);
  store.drop(object(2));
  auto report = vault->verify("rp-1", {}, {});
  ASSERT_TRUE(report.ok());
  ASSERT_EQ(report->problems.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_NE(report->problems[i].find(object(i)), std::string::npos);
}

TEST_F(VaultTest, VerifyFindsAManifestThatLies) {
  auto vault = open();
  const Layer layer = write(*vault, numbered(0, 10, 10));
  const auto problems = [&](const char* name, const std::function<void(SavedCollection&)>& lie) {
    auto collection = saved("a", layer);
    collection.md5 = read_back(*vault, collection, {})->md5;
    lie(collection);
    EXPECT_TRUE(vault->commit(point(name, {collection})).ok());
    return vault->verify(name, {}, {})->problems.size();
  };
  EXPECT_EQ(problems("p0", [](SavedCollection&) {}), 0u);
  EXPECT_GE(problems("p1", [](SavedCollection& c) { c.documents = 9; }), 1u);
  EXPECT_GE(problems("p2", [](SavedCollection& c) { c.md5[0] ^= 1; }), 1u);
  EXPECT_GE(problems("p3", [](SavedCollection& c) { c.base.blocks[0].documents = 9; }), 1u);
  EXPECT_GE(problems("p4", [](SavedCollection& c) { c.base.blocks[0].plain_bytes += 1; }), 1u);
  EXPECT_GE(problems("p5", [](SavedCollection& c) { c.base.blocks[0].first_id = document(5); }),
            1u);
  EXPECT_GE(problems("p6", [](SavedCollection& c) { c.base.blocks.push_back(c.base.blocks[0]); }),
            1u);
}

TEST_F(VaultTest, TheHashIsTheMd5OverTheRawDocumentsInOrder) {
  auto vault = open();
  const auto collection = saved("a", write(*vault, {}));
  EXPECT_EQ(read_back(*vault, collection, {})->md5, "d41d8cd98f00b204e9800998ecf8427e");
}

}  // namespace
}  // namespace belay::vault
