// SPDX-License-Identifier: Apache-2.0
#include "engine/runner.hpp"

#include <thread>

#include "pipeline/policy.hpp"
#include "tests/engine/stage.hpp"

namespace belay::engine::testing {
namespace {

using Lines = std::vector<std::string>;

Error lost() {
  return unknown_effect(Fault::timeout, "the reply was lost");
}

// ---- intent, effect, outcome ----

TEST_F(RunnerTest, ARunGoesFromItsPlanToItsEnd) {
  const auto run = create();
  EXPECT_EQ(ends(run), "done");
  EXPECT_EQ(events(run), (Lines{"run.created", "run.claimed", "lock.granted", "step.outcome lock",
                                "step.intent prepare", "step.outcome prepare", "step.intent change",
                                "step.outcome change", "run.finished"}));
  EXPECT_TRUE(journal_->locks()->empty());
}

TEST_F(RunnerTest, TheIntentIsDurableBeforeTheEffectAndTheOutcomeComesAfter) {
  const auto run = create();
  Lines during;
  script_.baseline["change"] = [](const StepContext&) { return Json{{"before", 41}}; };
  script_.perform["change"] = [&](const StepContext&) {
    during = events(run);
    return Json{{"after", 42}};
  };
  ASSERT_EQ(ends(run), "done");
  EXPECT_EQ(during.back(), "step.intent change");
  const auto record = load(run).history.steps.at("change");
  EXPECT_EQ(record.baseline, Json({{"before", 41}}));
  EXPECT_EQ(record.result, Json({{"after", 42}}));
  EXPECT_EQ(record.key, "run-" + run + ".change.1");
}

TEST_F(RunnerTest, AStepSeesTheResultsOfEarlierOnesAndItsOwnBaseline) {
  script_.perform["prepare"] = [](const StepContext&) { return Json{{"port", 20001}}; };
  script_.baseline["change"] = [](const StepContext&) { return Json{{"before", 41}}; };
  Json seen;
  script_.perform["change"] = [&](const StepContext& context) {
    seen = {context.result_of("prepare"), context.result_of("nothing"), context.baseline};
    return Json::object();
  };
  ASSERT_EQ(ends(create()), "done");
  EXPECT_EQ(seen, Json({Json{{"port", 20001}}, nullptr, Json{{"before", 41}}}));
}

TEST_F(RunnerTest, ABaselineThatCannotBeSeenFailsTheStepAndNothingIsDone) {
  script_.baseline["change"] = [](const StepContext&) -> Result<Json> {
    return fail(Fault::unreachable, "no proxy there");
  };
  const auto run = create();
  EXPECT_EQ(ends(run), "rolled_back");
  EXPECT_EQ(script_.count("perform change"), 0);
  EXPECT_EQ(load(run).history.steps.at("change").error, "no proxy there");
}

TEST_F(RunnerTest, AJournalThatCannotBeWrittenEndsTheDriveBeforeAnyEffect) {
  struct Full final : Passing {
    using Passing::Passing;
    Status append(const std::string& run, std::int64_t expected,
                  std::vector<journal::NewEvent> events) override {
      for (const auto& event : events) {
        if (event.kind == "step.intent") return fail(Fault::refused, "the disk is full");
      }
      return to_.append(run, expected, std::move(events));
    }
  } full(*journal_);
  const auto run = create();
  const auto state = drive(full, run);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().message(), "the disk is full");
  EXPECT_EQ(script_.calls(), Lines{});
  EXPECT_EQ(ends(run), "done") << "and the run is resumable";
}

TEST_F(RunnerTest, TheReporterSeesEveryEventOnceAndInOrder) {
  const auto run = create();
  ASSERT_EQ(ends(run), "done");
  std::vector<std::int64_t> expected;
  for (const auto& event : load(run).events) expected.push_back(event.seq);
  EXPECT_EQ(listener_.seen(), expected);
}

TEST_F(RunnerTest, IndependentStepsRunSideBySideOnRealThreads) {
  auto plan = simple_plan();
  std::vector<std::string> ids;
  for (int i = 0; i < 8; ++i) {
    ids.push_back("part:" + std::to_string(i));
    plan.steps.push_back(work(ids.back(), {"change"}));
  }
  plan.steps.push_back(work("last", ids));
  ThreadExecutor threads;
  World world{world_.clock, world_.random, threads, world_.children};
  // Each waits for all the others: one after the other they would never end.
  std::atomic<int> there{0};
  for (const auto& id : ids) {
    script_.perform[id] = [&](const StepContext&) -> Result<Json> {
      ++there;
      for (int i = 0; i < 2000 && there < 8; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      if (there < 8) return fail(Fault::timeout, "alone");
      return Json::object();
    };
  }
  Runner runner(*journal_, steps_, world, listener_, claims_);
  const auto run = create(plan);
  const auto state = runner.drive(run, {});
  ASSERT_TRUE(state) << state.error().message();
  EXPECT_EQ(load(run).history.ending, "done");
  EXPECT_EQ(listener_.seen().size(), load(run).events.size());
  EXPECT_TRUE(journal_->verify()->problems.empty());
}

// ---- dead drivers ----

TEST_F(RunnerTest, ALaterProcessAsksAboutWhatTheDeadOneHadBegunAndGoesOn) {
  script_.perform["change"] = [](const StepContext&) -> Result<Json> { throw Death{}; };
  script_.check["change"] = [](const StepContext& context) {
    return Checked{Answer::applied, {{"key", context.key}}, ""};
  };
  const auto run = create();
  EXPECT_THROW(static_cast<void>(drive(run)), Death);
  EXPECT_EQ(events(run).back(), "step.intent change");
  EXPECT_EQ(journal_->locks()->size(), 1u) << "locks belong to runs";
  EXPECT_EQ(ends(run), "done");
  EXPECT_EQ(script_.count("perform change"), 1);
  EXPECT_EQ(load(run).history.steps.at("change").result.at("key"), "run-" + run + ".change.1");
  EXPECT_TRUE(journal_->locks()->empty());
}

TEST_F(RunnerTest, AResumedRunWaitsOutTheGraceOfTheLatestAttempt) {
  auto plan = simple_plan();
  plan.steps[2].kind = "slow";
  TimePoint last_try{}, asked{};
  script_.perform["change"] = [&](const StepContext& context) -> Result<Json> {
    last_try = world_.clock.now();
    if (context.attempt == 1) return lost();
    throw Death{};
  };
  script_.check["change"] = [&](const StepContext& context) {
    asked = world_.clock.now();
    return Checked{context.attempt == 1 ? Answer::absent : Answer::applied, Json::object(), ""};
  };
  const auto run = create(plan);
  EXPECT_THROW(static_cast<void>(drive(run)), Death);
  EXPECT_EQ(ends(run), "done");
  EXPECT_GE(asked - last_try, std::chrono::seconds(30));
}

TEST_F(RunnerTest, ARunIsDrivenByOneProcessAtATime) {
  const auto run = create();
  auto held = claims_.claim(run);
  const auto state = drive(run);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().fault, Fault::busy);
  EXPECT_EQ(events(run), Lines{"run.created"});
}

TEST_F(RunnerTest, AnotherDriversClaimInTheJournalEndsThisOneBeforeItsNextEffect) {
  const auto run = create();
  script_.perform["prepare"] = [&](const StepContext&) {
    append(run, "run.claimed", {{"by", "somebody else"}});
    return Json::object();
  };
  const auto state = drive(run);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().message(), "run " + run + " is now driven by somebody else");
  EXPECT_EQ(script_.calls(), Lines{"perform prepare"});
}

TEST_F(RunnerTest, DrivingAFinishedRunDoesNothing) {
  const auto run = create();
  ASSERT_EQ(ends(run), "done");
  const auto before = events(run);
  EXPECT_EQ(ends(run), "done");
  EXPECT_EQ(events(run), before);
}

TEST_F(RunnerTest, AStepOfAKindThatThisProgramDoesNotKnowIsRefusedBeforeAnything) {
  auto plan = simple_plan();
  plan.back.push_back(work("teleport", {}, false, "teleport"));
  const auto run = create(plan);
  const auto state = drive(run);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().fault, Fault::refused);
  EXPECT_NE(state.error().message().find("teleport"), std::string::npos);
  EXPECT_EQ(events(run), Lines{"run.created"});
}

TEST_F(RunnerTest, AnEventOfANewerVersionIsRefusedByName) {
  const auto run = create();
  ASSERT_TRUE(journal_->append(run, 1, {{"note", "", "{}", 2}}));
  const auto state = drive(run);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().fault, Fault::refused);
  EXPECT_NE(state.error().message().find("event 2 (note) has version 2"), std::string::npos)
      << state.error().message();
}

TEST_F(RunnerTest, RunsOfAStoredJournalOfFormatOneAreStillUnderstood) {
  const Path folder = scratch_.path() / "stored";
  ASSERT_TRUE(make_folder(folder));
  std::filesystem::copy(Path(BELAY_SOURCE_DIR) / "tests/journal/format-1.db",
                        folder / "journal.db");
  auto stored = journal::open_sqlite(folder, world_.clock).value();
  const auto rows = stored->runs();
  for (const auto& row : *rows) {
    const auto loaded = load_run(*stored, row.run);
    ASSERT_TRUE(loaded) << loaded.error().message();
    EXPECT_EQ(loaded->history.ending, "done") << row.run;
    EXPECT_EQ(loaded->plan.environment, "production");
  }
}

TEST_F(RunnerTest, APlanThatCannotBeCarriedOutIsRefusedBeforeAnything) {
  auto plan = simple_plan();
  plan.steps[1].after = {"change"};
  const auto run = create(plan);
  const auto state = drive(run);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().fault, Fault::refused);
  EXPECT_NE(state.error().message().find("step prepare comes after change"), std::string::npos);
  EXPECT_EQ(events(run), Lines{"run.created"});
}

// ---- interruption and cancel ----

TEST_F(RunnerTest, AnInterruptedStepStaysOpenAndIsResolvedByALaterDrive) {
  std::stop_source stop;
  script_.perform["change"] = [&](const StepContext& context) -> Result<Json> {
    if (script_.count("perform change") > 1) return Json::object();
    stop.request_stop();
    EXPECT_TRUE(context.stop.stop_requested());
    return fail(Fault::cancelled, "stopped");
  };
  const auto run = create();
  const auto state = drive(run, stop.get_token());
  ASSERT_TRUE(state) << state.error().message();
  EXPECT_EQ(*state, RunState::interrupted);
  EXPECT_EQ(events(run).back(), "step.intent change");
  EXPECT_EQ(ends(run), "done");
}

TEST_F(RunnerTest, AStopWhileAskingLeavesTheStepOpen) {
  std::stop_source stop;
  script_.perform["change"] = [](const StepContext&) -> Result<Json> { throw Death{}; };
  script_.check["change"] = [&](const StepContext&) -> Result<Checked> {
    if (script_.count("check change") > 1) return Checked{Answer::applied, Json::object(), ""};
    stop.request_stop();
    return fail(Fault::cancelled, "stopped");
  };
  const auto run = create();
  EXPECT_THROW(static_cast<void>(drive(run)), Death);
  const auto state = drive(run, stop.get_token());
  ASSERT_TRUE(state) << state.error().message();
  EXPECT_EQ(*state, RunState::interrupted);
  EXPECT_EQ(ends(run), "done");
}

TEST_F(RunnerTest, ACancelledStepIsAbandonedNotRepeatedAndItsChangesAreTakenBack) {
  std::stop_source stop;
  const auto run = create();
  script_.perform["change"] = [&](const StepContext&) -> Result<Json> {
    cancel(run);
    stop.request_stop();
    return fail(Fault::cancelled, "stopped");
  };
  ASSERT_TRUE(drive(run, stop.get_token()));
  EXPECT_EQ(ends(run), "rolled_back");
  EXPECT_EQ(script_.calls(),
            (Lines{"perform prepare", "perform change", "abandon change", "perform undo"}));
}

TEST_F(RunnerTest, ACancelBeforeAnythingChangedEndsTheRun) {
  const auto run = create();
  script_.perform["prepare"] = [&](const StepContext&) {
    cancel(run);
    return Json::object();
  };
  EXPECT_EQ(ends(run), "cancelled");
  EXPECT_EQ(script_.calls(), Lines{"perform prepare"});
  EXPECT_TRUE(journal_->locks()->empty());
}

// ---- the way back ----

TEST_F(RunnerTest, AWayBackThatFailsIsTriedThreeTimesAndThenAPersonIsCalled) {
  bool broken = true;
  script_.perform["change"] = [](const StepContext&) -> Result<Json> {
    return fail(Fault::refused, "it broke");
  };
  script_.perform["undo"] = [&](const StepContext&) -> Result<Json> {
    if (broken) return fail(Fault::unreachable, "nobody there");
    return Json::object();
  };
  const auto run = create();
  EXPECT_EQ(ends(run), "stopped: undo failed 3 times on the way back: nobody there");
  EXPECT_EQ(script_.count("perform undo"), 3);
  EXPECT_GE(world_.clock.slept(), std::chrono::seconds(5)) << "1 s and 4 s between the attempts";
  EXPECT_EQ(journal_->locks()->size(), 1u) << "it keeps its lock";
  const auto before = events(run).size();
  EXPECT_EQ(ends(run), "stopped: undo failed 3 times on the way back: nobody there");
  EXPECT_EQ(events(run).size(), before + 1) << "a claim; it is not stopped twice";
  broken = false;
  append(run, "run.resumed", {{"by", "leo"}});
  EXPECT_EQ(ends(run), "rolled_back");
  EXPECT_TRUE(journal_->locks()->empty());
}

// ---- locks ----

TEST_F(RunnerTest, ASecondRunWaitsForTheLockAndGoesOnWhenTheFirstEnds) {
  const auto first = create(), second = create();
  script_.perform["change"] = [](const StepContext&) -> Result<Json> { throw Death{}; };
  EXPECT_THROW(static_cast<void>(drive(first)), Death);
  script_.perform.clear();
  EXPECT_EQ(ends(second, {.wait = false}), "waiting");
  int sleeps = 0;
  world_.clock.on_sleep([&](Millis) {
    if (++sleeps == 3) append(first, "run.finished", {{"ending", "failed"}});
  });
  EXPECT_EQ(ends(second), "done");
  EXPECT_GE(sleeps, 3);
  EXPECT_LT(world_.clock.slept(), std::chrono::minutes(1)) << "it was woken, not late";
}

TEST_F(RunnerTest, WhereTheRuleSaysSoABusyEnvironmentRefusesTheSecondRun) {
  const auto first = create();
  append(first, "lock.granted", {{"environment", "production"}});
  auto plan = simple_plan();
  plan.steps[0].args["busy"] = "refuse";
  const auto second = create(plan);
  EXPECT_EQ(ends(second), "busy");
  EXPECT_EQ(script_.calls(), Lines{});
  EXPECT_NE(load(second).history.finished.value("text", "").find("run " + first),
            std::string::npos);
}

TEST_F(RunnerTest, AWaitingRunCanBeCancelled) {
  const auto first = create(), second = create();
  append(first, "lock.granted", {{"environment", "production"}});
  world_.clock.on_sleep([&, once = false](Millis) mutable {
    if (!once) cancel(second);
    once = true;
  });
  EXPECT_EQ(ends(second), "cancelled");
}

// ---- waiting ----

pipeline::Plan with_wait(Millis wait) {
  auto plan = simple_plan();
  auto gate = work("approve", {}, false, "approve");
  pipeline::ApprovalRule rule;
  rule.wait = wait;
  gate.args = {{"rule", pipeline::to_json(rule)}, {"freeze", Json::array()}};
  plan.steps.insert(plan.steps.begin(), gate);
  plan.steps[1].after = {"approve"};
  return plan;
}

TEST_F(RunnerTest, AWaitOfTwentyHoursTakesNoTimeAndEndsWhenItIsOver) {
  const auto run = create(with_wait(std::chrono::hours(20)));
  const auto since = world_.clock.now();
  EXPECT_EQ(ends(run, {.wait = false}), "waiting");
  world_.clock.advance(std::chrono::hours(20) - std::chrono::minutes(5));
  EXPECT_EQ(ends(run), "done");
  EXPECT_GE(world_.clock.now() - since, std::chrono::hours(20));
  EXPECT_LT(world_.clock.now() - since, std::chrono::hours(20) + std::chrono::minutes(1));
}

// Acts once, right after the nth reading of the journal.
struct Meanwhile final : Passing {
  using Passing::Passing;
  int left = 0;
  std::function<void()> then;

  void count() {
    if (--left == 0) std::exchange(then, nullptr)();
  }
  Result<std::vector<journal::Event>> load(const std::string& run, std::int64_t after) override {
    auto events = to_.load(run, after);
    count();
    return events;
  }
  Result<std::pair<std::int64_t, std::string>> head() override {
    auto head = to_.head();
    count();
    return head;
  }
};

TEST_F(RunnerTest, ACancelIsNoticedAtOnceWheneverItComes) {
  for (int nth = 1;; ++nth) {
    const auto run = create(with_wait(std::chrono::minutes(5)));
    Meanwhile journal(*journal_);
    TimePoint asked{};
    journal.left = nth;
    journal.then = [&] {
      if (!load(run).history.ending.empty()) return;
      asked = world_.clock.now();
      cancel(run);
    };
    const auto state = drive(journal, run);
    ASSERT_TRUE(state) << state.error().message();
    if (asked == TimePoint{}) {
      ASSERT_GT(nth, 10) << "a drive reads its journal more often";
      break;
    }
    EXPECT_LT(world_.clock.now() - asked, std::chrono::minutes(1)) << nth;
    if (nth <= 5) {
      EXPECT_EQ(load(run).history.ending, "cancelled") << nth;
    }
  }
}

}  // namespace
}  // namespace belay::engine::testing
