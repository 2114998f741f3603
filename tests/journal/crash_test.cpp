// SPDX-License-Identifier: Apache-2.0
// Killed at any instant, a full disk: what was acknowledged is there, what failed is not.
#include <signal.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/journal/fixture.hpp"

namespace belay::journal {
namespace {

using namespace std::chrono_literals;

struct Shared {
  std::atomic<std::int64_t> acknowledged{0};
};

class CrashTest : public JournalFixture {
 protected:
  CrashTest()
      : shared_(new (::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Shared) {}
  ~CrashTest() override { ::munmap(shared_, sizeof(Shared)); }

  // Appends to run 1 for ever, and says in shared memory what was acknowledged.
  [[noreturn]] void write_for_ever() {
    FakeClock clock;
    auto journal = open_sqlite(folder(), clock);
    if (!journal) ::_exit(1);
    const std::string body = "\"" + std::string(3000, 'x') + "\"";
    for (std::int64_t seq = (*journal)->runs()->front().last_seq;; ++seq) {
      if (!(*journal)->append("1", seq, {event("a", body)})) ::_exit(1);
      shared_->acknowledged = seq + 1;
    }
  }

  Shared* shared_;
};

TEST_F(CrashTest, AfterAKillEveryAcknowledgedEventIsThere) {
  ASSERT_TRUE(open()->create_run(created()));
  SeededRandom random(7);
  for (int round = 0; round < 30; ++round) {
    const std::int64_t before = shared_->acknowledged;
    const pid_t writer = ::fork();
    if (writer == 0) write_for_ever();
    const std::int64_t enough = before + static_cast<std::int64_t>(random.next() % 60);
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (shared_->acknowledged < enough && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::microseconds(random.next() % 500));
    }
    ::kill(writer, SIGKILL);
    int status = 0;
    ::waitpid(writer, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer failed by itself";
    auto journal = open();
    const auto verified = journal->verify();
    ASSERT_TRUE(verified) << verified.error().message();
    ASSERT_TRUE(verified->problems.empty()) << verified->problems.front();
    ASSERT_GE(verified->events, shared_->acknowledged);
    ASSERT_LE(verified->events, shared_->acknowledged + 1) << "at most one was on its way";
    shared_->acknowledged = verified->events;  // the next writer may die before it says anything
  }
  EXPECT_GT(shared_->acknowledged, 100);
}

TEST_F(CrashTest, WithoutRoomNothingIsWrittenAndTheJournalGoesOnLater) {
  ASSERT_TRUE(open()->create_run(created()));
  const pid_t writer = ::fork();
  if (writer == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    FakeClock clock;
    auto journal = open_sqlite(folder(), clock);
    if (!journal) ::_exit(10);
    const rlimit limit{500'000, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const std::string body = "\"" + std::string(50'000, 'x') + "\"";
    std::int64_t seq = 1;
    Status status;
    while ((status = (*journal)->append("1", seq, {event("a", body)})) && seq < 100) ++seq;
    if (seq >= 100) ::_exit(11);
    if (status.error().fault != Fault::refused) ::_exit(12);
    if (status.error().effect != Effect::none) ::_exit(13);
    if ((*journal)->head()->first != seq) ::_exit(14);
    const rlimit room{RLIM_INFINITY, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &room);
    if (!(*journal)->append("1", seq, {event("a", body)})) ::_exit(15);
    shared_->acknowledged = seq + 1;
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(writer, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  ASSERT_EQ(WEXITSTATUS(status), 0);
  const auto verified = open()->verify();
  EXPECT_EQ(verified->events, shared_->acknowledged);
  EXPECT_TRUE(verified->problems.empty());
}

TEST_F(CrashTest, AWriterThatStandsStillDoesNotCorruptAndALaterOneWaitsItsTurn) {
  ASSERT_TRUE(open()->create_run(created()));
  const pid_t writer = ::fork();
  if (writer == 0) write_for_ever();
  while (shared_->acknowledged < 5) std::this_thread::sleep_for(1ms);
  // But for the instants in which the log's header is half written, readers need no lock.
  int read = 0;
  for (int i = 0; i < 10; ++i) {
    ::kill(writer, SIGSTOP);
    auto journal = open_sqlite(folder(), clock_);
    auto rows =
        journal ? (*journal)->runs() : Result<std::vector<RunRow>>(std::move(journal).error());
    if (rows) {
      EXPECT_GE(rows->front().last_seq, shared_->acknowledged);
      ++read;
    } else {
      EXPECT_EQ(rows.error().fault, Fault::timeout) << rows.error().message();
    }
    ::kill(writer, SIGCONT);
    std::this_thread::sleep_for(2ms);
  }
  EXPECT_GE(read, 5);
  ::kill(writer, SIGKILL);
  ::waitpid(writer, nullptr, 0);
  EXPECT_TRUE(open()->verify()->problems.empty());
}

// Whoever closes the last connection removes the log beside the database: a reader must see the
// locks of the process that made the journal.
TEST_F(CrashTest, AReaderThatComesAndGoesLeavesTheMakersLogInPlace) {
  auto journal = open();
  ASSERT_TRUE(journal->create_run(created()));
  const pid_t reader = ::fork();
  if (reader == 0) {
    sqlite3* raw = nullptr;
    const bool fine =
        sqlite3_open((folder() / "journal.db").c_str(), &raw) == SQLITE_OK &&
        sqlite3_exec(raw, "SELECT count(*) FROM event", nullptr, nullptr, nullptr) == SQLITE_OK;
    sqlite3_close(raw);
    ::_exit(fine ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(::waitpid(reader, &status, 0), reader);
  ASSERT_EQ(status, 0);
  EXPECT_TRUE(std::filesystem::exists(folder() / "journal.db-wal"));
  ASSERT_TRUE(journal->append("1", 1, {event("a")}));
  EXPECT_EQ(open()->load("1", 0)->size(), 2u);
}

}  // namespace
}  // namespace belay::journal
