// SPDX-License-Identifier: Apache-2.0
// One journal, several machines: each has a copy, the ledger has the truth.
#include <sqlite3.h>

#include <atomic>
#include <thread>

#include "base/text.hpp"
#include "tests/journal/fixture.hpp"

namespace belay::journal {
namespace {

using namespace std::chrono_literals;

class SharedTest : public JournalFixture {
 protected:
  Path of(const std::string& machine) const { return scratch_.path() / machine; }
  Result<std::unique_ptr<Journal>> try_at(const std::string& machine) {
    return open_sqlite(of(machine), clock_, &ledger_);
  }
  std::unique_ptr<Journal> at(const std::string& machine) {
    auto journal = try_at(machine);
    EXPECT_TRUE(journal) << journal.error().message();
    return journal ? std::move(*journal) : nullptr;
  }
  void some_time() { clock_.advance(3s); }

  fake::FakeLedger ledger_{scratch_.path() / "ledger"};
};

TEST_F(SharedTest, WhatOneMachineWroteTheOtherReads) {
  auto amber = at("amber"), birch = at("birch");
  ASSERT_EQ(amber->create_run(created()).value(), "1");
  ASSERT_TRUE(amber->append("1", 1, {event("a", R"({"x":"ü\n"})"), granted()}));
  some_time();
  EXPECT_EQ(birch->load("1")->size(), 3U);
  EXPECT_EQ(birch->head().value(), amber->head().value());
  EXPECT_EQ(birch->locks()->front().run, "1");
  EXPECT_TRUE(birch->verify()->problems.empty());
  auto fresh = at("cedar");
  EXPECT_EQ(fresh->head().value(), amber->head().value());
  EXPECT_EQ(fresh->load("1")->at(1).body, R"({"x":"ü\n"})");
}

TEST_F(SharedTest, AnEventGoesToOneOfTwoMachinesThatHaveSeenTheSame) {
  auto amber = at("amber"), birch = at("birch");
  ASSERT_TRUE(amber->create_run(created()));
  ASSERT_TRUE(birch->create_run(created())) << "overtaken: another number, no error";
  EXPECT_EQ(birch->runs()->size(), 2U);
  ASSERT_TRUE(amber->append("1", 1, {event("amber")}));
  const Status late = birch->append("1", 1, {event("birch")});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().fault, Fault::conflict);
  EXPECT_EQ(birch->load("1")->back().kind, "amber") << "and knows at once what was in its way";
}

TEST_F(SharedTest, AnEnvironmentsLockHoldsOnEveryMachine) {
  auto amber = at("amber"), birch = at("birch");
  ASSERT_TRUE(amber->create_run(created()));
  ASSERT_EQ(birch->create_run(created()).value(), "2");
  ASSERT_TRUE(amber->append("1", 1, {granted()}));
  const Status refused = birch->append("2", 1, {granted()});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, Fault::busy);
  ASSERT_TRUE(amber->append("1", 2, {finished()}));
  EXPECT_TRUE(birch->append("2", 1, {granted()}));
}

TEST_F(SharedTest, ManyMachinesAtOnceLoseNothingAndDoubleNothing) {
  constexpr int machines = 4, each = 40;
  std::atomic<int> failures{0};
  {
    std::vector<std::jthread> running;
    for (int m = 0; m < machines; ++m) {
      running.emplace_back([&, m] {
        SystemClock clock;
        fake::FakeLedger ledger(scratch_.path() / "ledger");
        auto mine = open_sqlite(of(fmt::format("m{}", m)), clock, &ledger);
        auto run = mine ? (*mine)->create_run(created()) : Result<std::string>(mine.error());
        for (int i = 1; run && i <= each; ++i)
          if (!(*mine)->append(*run, i, {event("e")})) ++failures;
        if (!run) ++failures;
      });
    }
  }
  EXPECT_EQ(failures, 0);
  auto fresh = at("fresh");
  const auto verified = fresh->verify();
  EXPECT_EQ(verified->events, machines * (each + 1));
  EXPECT_TRUE(verified->problems.empty());
  EXPECT_EQ(fresh->runs()->size(), static_cast<std::size_t>(machines));
}

TEST_F(SharedTest, ALostReplyIsAnUnknownEffectAndTheEventIsFoundAfterwards) {
  auto amber = at("amber");
  ASSERT_TRUE(amber->create_run(created()));
  ledger_.faults.on("put", fake::Trouble::lose_reply);
  const Status lost = amber->append("1", 1, {event("perhaps")});
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().effect, Effect::unknown);
  const Status again = amber->append("1", 1, {event("perhaps")});
  ASSERT_FALSE(again) << "appending again doubles nothing";
  EXPECT_EQ(again.error().fault, Fault::conflict);
  EXPECT_EQ(amber->load("1")->size(), 2U);
  EXPECT_TRUE(amber->verify()->problems.empty());
}

TEST_F(SharedTest, ALedgerOutOfReachRefusesTheAppendAndTheReadButEndsNoWait) {
  auto amber = at("amber");
  ASSERT_TRUE(amber->create_run(created()));
  ledger_.faults.always("put", fake::Trouble::fail);
  ledger_.faults.always("list", fake::Trouble::fail);
  EXPECT_EQ(amber->append("1", 1, {event("a")}).error().fault, Fault::unreachable);
  some_time();
  EXPECT_EQ(amber->load("1").error().fault, Fault::unreachable) << "old news is not told as new";
  EXPECT_EQ(amber->wait(1, 10s, {}).value(), 1);
  EXPECT_EQ(try_at("birch").error().fault, Fault::unreachable);
  ledger_.faults.always("put", fake::Trouble::none);
  ledger_.faults.always("list", fake::Trouble::none);
  EXPECT_TRUE(amber->append("1", 1, {event("a")}));
}

TEST_F(SharedTest, AWaitEndsWithWhatAnotherMachineWrote) {
  auto amber = at("amber"), birch = at("birch");
  bool written = false;
  clock_.on_sleep([&](Millis) {
    if (std::exchange(written, true)) return;
    EXPECT_TRUE(birch->create_run(created()));
  });
  EXPECT_EQ(amber->wait(0, 1h, {}).value(), 1);
  EXPECT_LT(clock_.slept(), 10s);
}

// A text of a whole shelf, made by the first who read it, is all that the next one asks for.
TEST_F(SharedTest, AFreshMachineReadsALongJournalInFewRequests) {
  auto amber = at("amber");
  ASSERT_TRUE(amber->create_run(created()));
  for (int i = 1; i < 700; ++i) ASSERT_TRUE(amber->append("1", i, {event("e")}));
  at("first").reset();
  const int before = ledger_.faults.count("get");
  auto second = at("second");
  EXPECT_LT(ledger_.faults.count("get") - before, 256 + 5);
  EXPECT_EQ(second->head().value(), amber->head().value());
  EXPECT_TRUE(second->verify()->problems.empty());
  ASSERT_TRUE(second->append("1", 700, {event("e")}));
  some_time();
  EXPECT_EQ(amber->head().value(), second->head().value());
}

// Groups of any size, across the ends of shelves.
TEST_F(SharedTest, BatchesThatReachIntoTheNextShelfAreRead) {
  auto amber = at("amber");
  ASSERT_TRUE(amber->create_run(created()));
  std::int64_t seq = 1;
  for (const int size : {200, 100, 300, 700, 1, 255, 256, 257}) {
    ASSERT_TRUE(amber->append("1", seq, std::vector<NewEvent>(size, event("e"))));
    seq += size;
    EXPECT_EQ(at(fmt::format("after{}", seq))->head().value(), amber->head().value());
  }
  auto birch = at("after201");
  EXPECT_EQ(birch->head().value(), amber->head().value());
  EXPECT_TRUE(birch->verify()->problems.empty());
}

TEST_F(SharedTest, AJournalOfThisMachineIsCarriedIntoAnEmptyLedgerOnce) {
  {
    auto own = open_sqlite(of("amber"), clock_).value();
    ASSERT_TRUE(own->create_run(created()));
    for (int i = 1; i < 600; ++i) ASSERT_TRUE(own->append("1", i, {event("e")}));
  }
  ledger_.faults.on("put", fake::Trouble::lose_reply, 2);
  EXPECT_FALSE(try_at("amber")) << "cut off in the middle";
  auto amber = at("amber");
  ASSERT_TRUE(amber->append("1", 600, {event("after")}));
  auto birch = at("birch");
  EXPECT_EQ(birch->head().value(), amber->head().value());
  EXPECT_EQ(birch->load("1")->size(), 601U);
}

TEST_F(SharedTest, TwoJournalsAreNotMixed) {
  auto amber = at("amber");
  ASSERT_TRUE(amber->create_run(created()));
  ASSERT_TRUE(open_sqlite(of("birch"), clock_).value()->create_run(created("staging")));
  const auto mixed = try_at("birch");
  ASSERT_FALSE(mixed);
  EXPECT_EQ(mixed.error().fault, Fault::refused);
  EXPECT_NE(mixed.error().text.find("another journal"), std::string::npos);

  fake::FakeLedger other(scratch_.path() / "other");
  ASSERT_TRUE(open_sqlite(of("cedar"), clock_, &other).value()->create_run(created("staging")));
  const auto moved = open_sqlite(of("cedar"), clock_, &ledger_);
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().fault, Fault::refused);

  const auto alone = open_sqlite(of("amber"), clock_);
  ASSERT_FALSE(alone) << "a copy without its ledger would tell old news, and write beside it";
  EXPECT_NE(alone.error().text.find("journal: store"), std::string::npos);
}

TEST_F(SharedTest, WhatTheLedgerLostOrChangedIsFoundOut) {
  auto amber = at("amber");
  ASSERT_TRUE(amber->create_run(created()));
  ASSERT_TRUE(amber->append("1", 1, {event("a")}));
  ASSERT_TRUE(amber->append("1", 2, {event("b")}));
  const Path events = scratch_.path() / "ledger" / "events" / "00000000";
  const auto second = read_file(events / "000000000002").value();

  ledger_.drop("events/00000000/000000000002");
  EXPECT_EQ(try_at("gap").error().fault, Fault::corrupt);
  ASSERT_TRUE(ledger_.put("events/00000000/000000000002",
                          std::string(second).replace(second.find("\"a\""), 3, "\"x\"")));
  const auto changed = try_at("changed");
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().fault, Fault::corrupt);
  EXPECT_NE(changed.error().message().find("000000000002"), std::string::npos);
  ledger_.drop("events/00000000/000000000002");
  ASSERT_TRUE(ledger_.put("events/00000000/000000000002", second));

  ledger_.drop("events/00000000/000000000003");
  some_time();
  const auto cut = amber->load("1");
  ASSERT_FALSE(cut) << "the end is missing, and this machine has seen it";
  EXPECT_EQ(cut.error().fault, Fault::corrupt);
  EXPECT_NE(cut.error().text.find("000000000003"), std::string::npos);
}

TEST_F(SharedTest, WhatAnotherProgramPutThereIsRefused) {
  at("amber").reset();
  for (const char* text : {"", "{}", R"({"belay_journal":1,"last":1,"events":[]})",
                           R"({"belay_journal":1,"last":1,"events":[{"id":1}]})", "\xff"}) {
    ASSERT_TRUE(ledger_.put("events/00000000/000000000001", text));
    EXPECT_EQ(try_at("birch").error().fault, Fault::corrupt) << text;
    ledger_.drop("events/00000000/000000000001");
  }
  ASSERT_TRUE(
      ledger_.put("events/00000000/000000000001", R"({"belay_journal":2,"last":1,"events":[]})"));
  EXPECT_EQ(try_at("birch").error().fault, Fault::refused) << "a newer format";
  ledger_.drop("events/00000000/000000000001");
  ASSERT_TRUE(ledger_.put("events/00000000/readme", "x"));
  EXPECT_EQ(try_at("birch").error().fault, Fault::corrupt);
}

}  // namespace
}  // namespace belay::journal
