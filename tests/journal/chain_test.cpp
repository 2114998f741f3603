// SPDX-License-Identifier: Apache-2.0
// What somebody who can write the file can do to it, and what verify() says about it.
#include "journal/chain.hpp"

#include <rapidcheck.h>
#include <sqlite3.h>

#include "tests/journal/fixture.hpp"

namespace belay::journal {
namespace {

class ChainTest : public JournalFixture {
 protected:
  // Run 1: events 1, 3, 5, 7, 9, 10; run 2: events 2, 4, 6, 8.
  void SetUp() override {
    auto journal = open();
    ASSERT_TRUE(journal->create_run(created()));
    ASSERT_TRUE(journal->create_run(created("staging")));
    for (int seq = 1; seq <= 3; ++seq) {
      ASSERT_TRUE(journal->append("1", seq, {event("a", R"({"n":1})")}));
      ASSERT_TRUE(journal->append("2", seq, {event("b", R"({"n":2})")}));
    }
    ASSERT_TRUE(journal->append("1", 4, {granted(), event("z")}));
  }

  // As the owner of the file, with the guards taken away.
  void tamper(const std::string& sql) const {
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open((folder() / "journal.db").c_str(), &raw), SQLITE_OK);
    std::string all;
    const std::string guards[] = {"event_is_not_changed", "event_is_not_removed"};
    sqlite3_stmt* statement = nullptr;
    ASSERT_EQ(sqlite3_prepare_v2(raw, "SELECT sql FROM sqlite_schema WHERE type = 'trigger'", -1,
                                 &statement, nullptr),
              SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW) {
      all += std::string(reinterpret_cast<const char*>(sqlite3_column_text(statement, 0))) + ";";
    }
    sqlite3_finalize(statement);
    for (const auto& guard : guards) all = "DROP TRIGGER " + guard + ";" + all;
    const auto cut = all.find("CREATE");
    all = all.substr(0, cut) + sql + ";" + all.substr(cut);
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(raw, all.c_str(), nullptr, nullptr, &message), SQLITE_OK)
        << (message != nullptr ? message : "");
    sqlite3_free(message);
    sqlite3_close(raw);
  }

  std::vector<std::string> problems() {
    const auto verified = open()->verify();
    EXPECT_TRUE(verified) << verified.error().message();
    return verified ? verified->problems : std::vector<std::string>{"?"};
  }
  // One problem that names the event says all; more follow from it.
  void expect_named(const std::string& event, const std::string& word) {
    const auto found = problems();
    ASSERT_FALSE(found.empty());
    bool named = false;
    std::string all;
    for (const auto& problem : found) {
      named = named ||
              (problem.find(event) != std::string::npos && problem.find(word) != std::string::npos);
      all += problem + "\n";
    }
    EXPECT_TRUE(named) << all;
  }
};

TEST_F(ChainTest, AnHonestJournalHasNoProblems) {
  EXPECT_TRUE(problems().empty());
}

TEST_F(ChainTest, TheTriggersRefuseChanges) {
  open().reset();
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open((folder() / "journal.db").c_str(), &raw), SQLITE_OK);
  EXPECT_NE(sqlite3_exec(raw, "UPDATE event SET body = '{}'", nullptr, nullptr, nullptr),
            SQLITE_OK);
  EXPECT_NE(sqlite3_exec(raw, "DELETE FROM event", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(raw);
  EXPECT_TRUE(problems().empty());
}

TEST_F(ChainTest, EveryChangedFieldIsNamedWithItsEvent) {
  for (const char* change : {"body = '{\"n\":3}'", "kind = 'c'", "at = at + 1", "version = 2",
                             "key = 'x'", "epoch = 1"}) {
    tamper(
        fmt::format("CREATE TABLE kept AS SELECT * FROM event WHERE id = 5; "
                    "UPDATE event SET {} WHERE id = 5",
                    change));
    const auto found = problems();
    ASSERT_EQ(found.size(), 1U) << change;
    EXPECT_NE(found[0].find("event 5 (run 1, seq 3): it was changed"), std::string::npos)
        << found[0];
    tamper(
        "UPDATE event SET body = (SELECT body FROM kept), kind = (SELECT kind FROM kept), "
        "at = (SELECT at FROM kept), version = (SELECT version FROM kept), "
        "key = (SELECT key FROM kept), epoch = (SELECT epoch FROM kept) WHERE id = 5; DROP TABLE "
        "kept");
    EXPECT_TRUE(problems().empty());
  }
}

TEST_F(ChainTest, AChangedHashIsFound) {
  tamper("UPDATE event SET hash = zeroblob(32) WHERE id = 4");
  expect_named("event 4 ", "changed");
}

TEST_F(ChainTest, AnEventRemovedFromTheMiddleIsNamed) {
  tamper("DELETE FROM event WHERE id = 5");
  expect_named("event 5:", "removed");
}

TEST_F(ChainTest, SeveralRemovedAreNamed) {
  tamper("DELETE FROM event WHERE id BETWEEN 4 AND 6");
  expect_named("events 4 to 6", "removed");
}

TEST_F(ChainTest, TheFirstEventRemovedIsNamed) {
  tamper("DELETE FROM event WHERE id = 1");
  expect_named("event 1:", "removed");
}

TEST_F(ChainTest, RemovedAndRenumberedIsFound) {
  tamper("DELETE FROM event WHERE id = 5; UPDATE event SET id = id - 1 WHERE id > 5");
  expect_named("event 5 ", "");
}

TEST_F(ChainTest, AnInsertedEventIsNamed) {
  tamper(
      "UPDATE event SET id = -id WHERE id > 5; UPDATE event SET id = 1 - id WHERE id < 0; "
      "INSERT INTO event SELECT 6, run_id, 100, at, kind, version, epoch, key, body, hash "
      "FROM event WHERE id = 5");
  expect_named("event 6 (run 1, seq 100)", "inserted");
}

TEST_F(ChainTest, AnEventAddedAtTheEndWithoutTheRightHashIsFound) {
  tamper(
      "INSERT INTO event SELECT 11, 1, 7, at, kind, version, epoch, key, body, hash FROM event "
      "WHERE id = 5");
  expect_named("event 11 ", "");
}

// A chain cannot show what was cut off its end. The head that was anchored elsewhere can.
TEST_F(ChainTest, ACutTailIsFoundOnlyByAnAnchoredHead) {
  const auto anchored = open()->head().value();
  tamper("DELETE FROM event WHERE id = 10");
  EXPECT_TRUE(problems().empty());
  EXPECT_EQ(open()->hash_of(anchored.first).error().fault, Fault::missing);
}

TEST_F(ChainTest, AForgedRowOfARunIsFound) {
  tamper("UPDATE run SET state = 'shipped' WHERE id = 2");
  expect_named("run 2", "differs");
}

TEST_F(ChainTest, AMissingRowOfARunIsFound) {
  tamper("DELETE FROM run WHERE id = 2");
  expect_named("run 2", "missing");
}

TEST_F(ChainTest, AForgedLockIsFound) {
  tamper("INSERT INTO env_lock VALUES ('staging', 2, 0)");
  expect_named("the lock of staging", "nobody");
}

TEST_F(ChainTest, ARemovedLockIsFound) {
  tamper("DELETE FROM env_lock");
  expect_named("the lock of production", "run 1");
}

TEST_F(ChainTest, MissingGuardsAreFound) {
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open((folder() / "journal.db").c_str(), &raw), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(raw, "DROP TRIGGER event_is_not_changed", nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(raw);
  expect_named("triggers", "missing");
}

TEST_F(ChainTest, DamagedBytesAreAnErrorOrAProblemNeverSilence) {
  open()->verify().value();
  sqlite3* raw = nullptr;  // closing with a checkpoint brings all into one file
  ASSERT_EQ(sqlite3_open((folder() / "journal.db").c_str(), &raw), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(raw, "PRAGMA wal_checkpoint(TRUNCATE)", nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(raw);
  const std::string whole = read_file(folder() / "journal.db").value();
  const auto at = whole.find("{\"n\":1}");
  ASSERT_NE(at, std::string::npos);
  std::string damaged = whole;
  damaged[at + 5] = '7';
  ASSERT_TRUE(write_file(folder() / "journal.db", damaged));
  EXPECT_FALSE(problems().empty());
}

// The bytes that are hashed are a promise: journals of today must verify in ten years.
// Written by the first version of this format: every later program reads it.
TEST(StoredJournal, OfFormatOneIsStillReadAndItsChainHolds) {
  const auto scratch = ScratchFolder::make("belay-journal").value();
  std::filesystem::copy(Path(BELAY_SOURCE_DIR) / "tests/journal/format-1.db",
                        scratch.path() / "journal.db");
  FakeClock clock;
  const auto journal = open_sqlite(scratch.path(), clock);
  ASSERT_TRUE(journal) << journal.error().message();
  const auto verified = (*journal)->verify();
  ASSERT_TRUE(verified) << verified.error().message();
  EXPECT_TRUE(verified->problems.empty()) << verified->problems.front();
  const auto runs = (*journal)->runs();
  ASSERT_EQ(runs->size(), 3u);
  EXPECT_EQ(runs->at(0).pipeline + " " + runs->at(0).state, "rollback done");
  EXPECT_EQ(runs->at(2).pipeline + " " + runs->at(2).state, "deploy done");
}

TEST(Chain, TheEncodingIsTheDocumentedOne) {
  Event event;
  event.id = 1;
  event.run = "7";
  event.seq = 2;
  event.at = TimePoint(Millis(3));
  event.kind = "k";
  event.version = 4;
  event.key = "";
  event.body = "{}";
  std::string bytes = "belay.event.1\n" + std::string(32, '\0');
  for (int value : {1, 7, 2, 3, 4, 5}) bytes += std::string(7, '\0') + static_cast<char>(value);
  bytes += std::string(7, '\0') + "\x01" + "k";
  bytes += std::string(8, '\0');
  bytes += std::string(7, '\0') + "\x02" + "{}";
  EXPECT_EQ(hex(chained(chain_start(), event, 5)), sha256_hex(bytes));
}

TEST(Chain, NoTwoEventsShareAHash) {
  EXPECT_TRUE(rc::check("moving bytes between fields changes the hash", [] {
    const auto text = *rc::gen::container<std::string>(rc::gen::element('a', '\0', 'b'));
    const auto cut = *rc::gen::inRange<std::size_t>(0, text.size() + 1);
    const auto other = *rc::gen::inRange<std::size_t>(0, text.size() + 1);
    RC_PRE(cut != other);
    Event one, two;
    one.run = two.run = "1";
    one.kind = text.substr(0, cut);
    one.key = text.substr(cut);
    two.kind = text.substr(0, other);
    two.key = text.substr(other);
    RC_ASSERT(chained(chain_start(), one, 0) != chained(chain_start(), two, 0));
  }));
}

}  // namespace
}  // namespace belay::journal
