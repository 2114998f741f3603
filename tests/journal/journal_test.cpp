// SPDX-License-Identifier: Apache-2.0
#include "journal/journal.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/hash.hpp"
#include "journal/schema.hpp"
#include "tests/journal/fixture.hpp"

namespace belay::journal {
namespace {

using namespace std::chrono_literals;

enum class Kept { here, in_a_ledger };

// What a journal promises, wherever it is kept.
class JournalTest : public JournalFixture, public ::testing::WithParamInterface<Kept> {
 protected:
  Result<std::unique_ptr<Journal>> open_with(Clock& clock) {
    return open_sqlite(folder(), clock, GetParam() == Kept::here ? nullptr : &ledger_);
  }
  std::unique_ptr<Journal> open() {
    auto journal = open_with(clock_);
    EXPECT_TRUE(journal) << journal.error().message();
    return journal ? std::move(*journal) : nullptr;
  }

  fake::FakeLedger ledger_{scratch_.path() / "ledger"};
};
INSTANTIATE_TEST_SUITE_P(Here, JournalTest, ::testing::Values(Kept::here));
INSTANTIATE_TEST_SUITE_P(Shared, JournalTest, ::testing::Values(Kept::in_a_ledger));

TEST_P(JournalTest, AFreshJournalIsEmptyAndPrivate) {
  auto journal = open();
  EXPECT_EQ(journal->head().value(), (std::pair<std::int64_t, std::string>{0, ""}));
  EXPECT_TRUE(journal->runs()->empty());
  EXPECT_TRUE(journal->verify()->problems.empty());
  struct stat facts {};
  ASSERT_EQ(::stat((folder() / "journal.db").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
  ASSERT_EQ(::stat(folder().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0700U);
}

TEST_P(JournalTest, RunsAreNumberedAndTheirEventsComeBackInOrder) {
  auto journal = open();
  EXPECT_EQ(journal->create_run(created()).value(), "1");
  EXPECT_EQ(journal->create_run(created("staging")).value(), "2");
  clock_.advance(5s);
  ASSERT_TRUE(journal->append(
      "1", 1, {{"step.intent", "1-build", R"({"step":"build"})", 3}, event("step.outcome")}));
  const auto events = journal->load("1");
  ASSERT_TRUE(events);
  ASSERT_EQ(events->size(), 3U);
  const Event& intent = (*events)[1];
  EXPECT_EQ(intent.id, 3);
  EXPECT_EQ(intent.run, "1");
  EXPECT_EQ(intent.seq, 2);
  EXPECT_EQ(intent.at, clock_.now());
  EXPECT_EQ(intent.kind, "step.intent");
  EXPECT_EQ(intent.version, 3);
  EXPECT_EQ(intent.key, "1-build");
  EXPECT_EQ(intent.body, R"({"step":"build"})");
  EXPECT_EQ(intent.hash.size(), 64U);
  EXPECT_EQ(journal->load("1", 2)->size(), 1U);
  EXPECT_EQ(journal->tail(2)->size(), 2U);
  EXPECT_EQ(journal->tail(0, 2)->size(), 2U);
  EXPECT_EQ(journal->hash_of(3).value(), intent.hash);
  EXPECT_EQ(journal->head().value().first, 4);
  EXPECT_TRUE(journal->verify()->problems.empty());
}

TEST_P(JournalTest, WhatWasWrittenIsThereAfterReopening) {
  const std::string head = [&] {
    auto journal = open();
    EXPECT_TRUE(journal->create_run(created()));
    EXPECT_TRUE(journal->append("1", 1, {granted()}));
    return journal->head().value().second;
  }();
  auto journal = open();
  EXPECT_EQ(journal->head().value().second, head);
  ASSERT_EQ(journal->locks()->size(), 1U);
  EXPECT_EQ(journal->locks()->front().run, "1");
}

TEST_P(JournalTest, AppendAfterSomebodyElseIsAConflict) {
  auto journal = open();
  ASSERT_TRUE(journal->create_run(created()));
  ASSERT_TRUE(journal->append("1", 1, {event("a")}));
  for (const std::int64_t stale : {0, 1, 3, -1}) {
    const Status status = journal->append("1", stale, {event("b")});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().fault, Fault::conflict);
    EXPECT_EQ(status.error().effect, Effect::none);
  }
  EXPECT_EQ(journal->load("1")->size(), 2U);
}

TEST_P(JournalTest, AnUnknownRunIsMissing) {
  auto journal = open();
  for (const char* run : {"1", "", "x", "01", "-1", "99999999999999999999"}) {
    EXPECT_EQ(journal->load(run).error().fault, Fault::missing) << run;
    EXPECT_EQ(journal->append(run, 0, {event("a")}).error().fault, Fault::missing) << run;
  }
  EXPECT_EQ(journal->hash_of(1).error().fault, Fault::missing);
}

TEST_P(JournalTest, ManyThreadsOneWinnerASeq) {
  auto journal = open();
  ASSERT_TRUE(journal->create_run(created()));
  constexpr int threads = 8, rounds = 25;
  for (int round = 0; round < rounds; ++round) {
    std::atomic<int> wins{0}, conflicts{0};
    std::vector<std::jthread> running;
    for (int i = 0; i < threads; ++i) {
      running.emplace_back([&] {
        const Status status = journal->append("1", 1 + round, {event("a")});
        if (status) ++wins;
        if (!status && status.error().fault == Fault::conflict) ++conflicts;
      });
    }
    running.clear();
    EXPECT_EQ(wins, 1);
    EXPECT_EQ(conflicts, threads - 1);
  }
  EXPECT_TRUE(journal->verify()->problems.empty());
}

TEST_P(JournalTest, AGroupCommitsEachRequestOrRefusesItAlone) {
  auto journal = open();
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(journal->create_run(created()));
  std::vector<std::jthread> running;
  std::atomic<int> failures{0};
  for (int i = 1; i <= 8; ++i) {
    running.emplace_back([&, i] {
      for (int n = 1; n <= 50; ++n) {
        if (!journal->append(std::to_string(i), n, {event("good")})) ++failures;
        if (journal->append(std::to_string(i), n, {event("stale")})) ++failures;
      }
    });
  }
  running.clear();
  EXPECT_EQ(failures, 0);
  const auto verified = journal->verify();
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->events, 8 + 8 * 50);
  EXPECT_TRUE(verified->problems.empty());
}

TEST_P(JournalTest, TwoProcessesOneWinnerASeq) {
  auto journal = open();
  ASSERT_TRUE(journal->create_run(created()));
  std::vector<pid_t> processes;
  constexpr int rounds = 100;
  for (int p = 0; p < 3; ++p) {
    const pid_t child = ::fork();
    if (child == 0) {
      FakeClock clock;
      auto mine = open_with(clock);
      int wins = 0;
      for (int seq = 1; mine && seq <= rounds;) {
        const Status status = (*mine)->append("1", seq, {event("a")});
        if (!status && status.error().fault != Fault::conflict) ::_exit(255);
        wins += status ? 1 : 0;
        ++seq;
      }
      ::_exit(mine ? wins : 255);
    }
    processes.push_back(child);
  }
  int total = 0;
  for (const pid_t child : processes) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_NE(WEXITSTATUS(status), 255);
    total += WEXITSTATUS(status);
  }
  EXPECT_EQ(total, rounds);
  const auto verified = journal->verify();
  EXPECT_EQ(verified->events, rounds + 1);
  EXPECT_TRUE(verified->problems.empty());
}

TEST_P(JournalTest, ManyProcessesMayCreateItAtOnce) {
  std::vector<pid_t> processes;
  for (int p = 0; p < 6; ++p) {
    const pid_t child = ::fork();
    if (child == 0) {
      FakeClock clock;
      auto mine = open_with(clock);
      if (!mine) std::fprintf(stderr, "%s\n", mine.error().message().c_str());
      ::_exit(mine && (*mine)->create_run(created()) ? 0 : 1);
    }
    processes.push_back(child);
  }
  for (const pid_t child : processes) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(open()->runs()->size(), 6U);
}

TEST_P(JournalTest, AnEnvironmentIsLockedByOneRunAndTheEndOfTheRunReleasesIt) {
  auto journal = open();
  ASSERT_TRUE(journal->create_run(created()));
  ASSERT_TRUE(journal->create_run(created()));
  ASSERT_TRUE(journal->append("1", 1, {granted()}));
  const Status refused = journal->append("2", 1, {event("before"), granted(), event("after")});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, Fault::busy);
  EXPECT_NE(refused.error().text.find("run 1"), std::string::npos);
  EXPECT_EQ(journal->load("2")->size(), 1U) << "nothing of a refused request is written";
  EXPECT_TRUE(journal->append("1", 2, {granted()})) << "its own lock again is fine";
  ASSERT_TRUE(journal->append("2", 1, {granted("staging")}));
  EXPECT_EQ(journal->locks()->size(), 2U);
  ASSERT_TRUE(journal->append("1", 3, {finished()}));
  ASSERT_EQ(journal->locks()->size(), 1U);
  EXPECT_EQ(journal->locks()->front().environment, "staging");
  EXPECT_TRUE(journal->append("2", 2, {granted()}));
  EXPECT_TRUE(journal->verify()->problems.empty());
}

TEST_P(JournalTest, AFinishedRunTakesNotesAndNothingElse) {
  auto journal = open();
  ASSERT_TRUE(journal->create_run(created()));
  clock_.advance(1min);
  ASSERT_TRUE(journal->append("1", 1, {finished("rolled back")}));
  EXPECT_EQ(journal->append("1", 2, {event("step.intent")}).error().fault, Fault::refused);
  EXPECT_EQ(journal->append("1", 2, {finished()}).error().fault, Fault::refused);
  EXPECT_EQ(journal->append("1", 2, {granted()}).error().fault, Fault::refused);
  EXPECT_TRUE(journal->locks()->empty());
  EXPECT_TRUE(journal->append("1", 2, {event("note")}));
  const auto rows = journal->runs();
  EXPECT_EQ(rows->front().state, "rolled back");
  EXPECT_EQ(rows->front().finished.value(), clock_.now());
  EXPECT_TRUE(journal->open_runs()->empty());
}

TEST_P(JournalTest, NothingMayFollowTheEndInTheSameRequestEither) {
  auto journal = open();
  ASSERT_TRUE(journal->create_run(created()));
  EXPECT_EQ(journal->append("1", 1, {finished(), event("step.intent")}).error().fault,
            Fault::refused);
  EXPECT_EQ(journal->load("1")->size(), 1U);
}

TEST_P(JournalTest, RunRowsSayWhatTheEventsSay) {
  auto journal = open();
  ASSERT_TRUE(journal->create_run(created("staging")));
  ASSERT_TRUE(journal->create_run(created()));
  ASSERT_TRUE(journal->append("1", 1, {event("a"), event("b")}));
  const auto all = journal->runs();
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ((*all)[0].run, "2") << "newest first";
  EXPECT_EQ((*all)[1].last_seq, 3);
  EXPECT_EQ((*all)[1].environment, "staging");
  EXPECT_EQ((*all)[1].pipeline, "deploy");
  EXPECT_EQ((*all)[1].summary, R"({"tag":"t"})");
  EXPECT_EQ((*all)[1].state, "open");
  EXPECT_EQ(journal->runs("staging")->size(), 1U);
  EXPECT_EQ(journal->runs("nowhere")->size(), 0U);
  EXPECT_EQ(journal->runs("", 1)->front().run, "2");
}

TEST_P(JournalTest, BadEventsAreRefusedBeforeAnythingIsWritten) {
  auto journal = open();
  ASSERT_TRUE(journal->create_run(created()));
  const std::string large = "\"" + std::string(std::size_t{1} << 20, 'x') + "\"";
  for (const NewEvent& bad :
       {event("a", large), event("", "{}"), event("a", "{"), event("lock.granted", "{}"),
        event("lock.granted", "[]"), event("run.finished", R"({"ending":7})"),
        event("run.finished", R"({"ending":"open"})"), created()}) {
    EXPECT_EQ(journal->append("1", 1, {event("good"), bad}).error().fault, Fault::invalid)
        << bad.kind;
  }
  EXPECT_EQ(journal->create_run(event("other")).error().fault, Fault::invalid);
  EXPECT_EQ(journal->create_run({"run.created", "", "[]"}).error().fault, Fault::invalid);
  EXPECT_EQ(journal->head()->first, 1);
  EXPECT_TRUE(journal->append("1", 1, {event("a", large.substr(0, large.size() - 3) + "\"")}));
}

TEST_P(JournalTest, HostileTextsComeBackAsTheyWere) {
  auto journal = open();
  ASSERT_TRUE(journal->create_run(created("x'; DROP TABLE event; --")));
  const std::string body = R"({"a":"\u0000 ' \" ü \ud83d\ude00"})";
  ASSERT_TRUE(journal->append("1", 1, {{"k'", std::string("a\0b", 3), body}}));
  const auto events = journal->load("1", 1);
  EXPECT_EQ(events->front().key, std::string("a\0b", 3));
  EXPECT_EQ(events->front().body, body);
  EXPECT_EQ(journal->runs("x'; DROP TABLE event; --")->size(), 1U);
  EXPECT_TRUE(journal->verify()->problems.empty());
}

TEST_P(JournalTest, WaitingEndsWhenTheJournalGrowsOrTheTimeIsOver) {
  auto journal = open();
  EXPECT_EQ(journal->wait(0, 10s, {}).value(), 0);
  EXPECT_GE(clock_.slept(), 10s);
  clock_.on_sleep([&](Millis) {
    const bool empty = journal->head()->first == 0;
    if (empty && !journal->create_run(created())) ADD_FAILURE();
  });
  EXPECT_EQ(journal->wait(0, 1h, {}).value(), 1);
  EXPECT_EQ(journal->wait(0, 1h, {}).value(), 1);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(journal->wait(1, 1h, stop.get_token()).value(), 1);
}

TEST_P(JournalTest, ANewerFormatIsRefusedByName) {
  open().reset();
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open((folder() / "journal.db").c_str(), &raw), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(raw, "UPDATE meta SET value = '2' WHERE name = 'format'", nullptr, nullptr,
                         nullptr),
            SQLITE_OK);
  sqlite3_close(raw);
  const auto journal = open_with(clock_);
  ASSERT_FALSE(journal);
  EXPECT_EQ(journal.error().fault, Fault::refused);
  EXPECT_NE(journal.error().message().find("format 2"), std::string::npos);
}

TEST_P(JournalTest, WhatIsNoJournalIsNotTouched) {
  ASSERT_TRUE(make_folder(folder()));
  const std::string garbage(5000, 'g');
  ASSERT_TRUE(write_file(folder() / "journal.db", garbage));
  EXPECT_EQ(open_with(clock_).error().fault, Fault::corrupt);
  EXPECT_EQ(read_file(folder() / "journal.db").value(), garbage);
}

TEST_P(JournalTest, NetworkFileSystemsAreRefusedByName) {
  const Status nfs = check_file_system("/mnt/x", 0x6969);
  ASSERT_FALSE(nfs);
  EXPECT_EQ(nfs.error().fault, Fault::refused);
  EXPECT_NE(nfs.error().text.find("NFS"), std::string::npos);
  EXPECT_FALSE(check_file_system("/mnt/x", 0x65735546));
  EXPECT_TRUE(check_file_system("/", 0xEF53));      // ext4
  EXPECT_TRUE(check_file_system("/", 0x01021994));  // tmpfs
}

TEST_P(JournalTest, AFolderThatCannotBeWrittenIsDenied) {
  open().reset();
  std::filesystem::permissions(scratch_.path(), std::filesystem::perms::all);
  std::filesystem::permissions(
      folder(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec |
                    std::filesystem::perms::others_read | std::filesystem::perms::others_exec);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(2);
    const auto journal = open_with(clock_);
    ::_exit(!journal && journal.error().fault == Fault::denied ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  std::filesystem::permissions(folder(), std::filesystem::perms::owner_all);
}

TEST_P(JournalTest, AJournalThatSomebodyElseHoldsIsWaitedForNotBroken) {
  auto journal = open();
  ASSERT_TRUE(journal->create_run(created()));
  ProcessLock other(Fd(::open((folder() / "journal.lock").c_str(), O_RDWR | O_CLOEXEC)));
  ASSERT_TRUE(other.take(0ms));
  ProcessLock third(Fd(::open((folder() / "journal.lock").c_str(), O_RDWR | O_CLOEXEC)));
  EXPECT_EQ(third.take(20ms).error().fault, Fault::timeout);
  std::jthread releaser([&] {
    std::this_thread::sleep_for(50ms);
    other.give_back();
  });
  EXPECT_TRUE(journal->append("1", 1, {event("a")})) << "waits for the lock";
}

TEST_P(JournalTest, TheWalDoesNotGrowForEver) {
  auto journal = open();
  ASSERT_TRUE(journal->create_run(created()));
  const std::string body = "\"" + std::string(100'000, 'x') + "\"";
  for (int i = 1; i <= 300; ++i) ASSERT_TRUE(journal->append("1", i, {event("a", body)}));
  EXPECT_LT(std::filesystem::file_size(folder() / "journal.db-wal"), 10'000'000U);
  EXPECT_TRUE(journal->verify()->problems.empty());
}

}  // namespace
}  // namespace belay::journal
