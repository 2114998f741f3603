// SPDX-License-Identifier: Apache-2.0
// Promises of the real plans, on the real steps.
#include "app/plan_sources.hpp"
#include "tests/engine/shop.hpp"
#include "tests/engine/shop_outside.hpp"

namespace belay::engine::testing {
namespace {

std::ptrdiff_t position(const Loaded& loaded, const std::string& kind, const std::string& step) {
  const auto at =
      std::find_if(loaded.events.begin(), loaded.events.end(), [&](const pipeline::Event& event) {
        return event.kind == kind && event.body.value("step", std::string()) == step;
      });
  EXPECT_NE(at, loaded.events.end()) << kind << " " << step;
  return at - loaded.events.begin();
}

Setting second_live() {
  Setting setting;
  setting.second_is_live = true;
  return setting;
}

Setting bad_code() {
  Setting setting;
  setting.migrates = false;
  setting.bad = second_release;
  return setting;
}

TEST(Plans, OfDeploysAndRollbacksAreSound) {
  for (const auto* data : {"auto", "ask", "never"}) {
    for (const auto* strategy : {"blue_green", "all_at_once"}) {
      Setting setting = second_live();
      setting.data = data;
      setting.strategy = strategy;
      Shop shop(setting);
      for (const auto& plan :
           {shop.deploy_plan(), shop.rollback_plan(), shop.rollback_plan(true, false),
            shop.rollback_plan(false, true), shop.apply_plan()}) {
        EXPECT_EQ(pipeline::defects(plan), std::vector<std::string>{}) << plan.pipeline << data;
      }
    }
  }
}

TEST(Plans, LiftNoFenceThatNeverStood) {
  Shop code(bad_code());
  EXPECT_EQ(code.deploy_plan().step("back:lift"), nullptr);
  Setting held = bad_code();
  held.strategy = "all_at_once";
  Shop all_at_once(held);
  ASSERT_NE(all_at_once.deploy_plan().step("back:lift"), nullptr);
  EXPECT_EQ(all_at_once.deploy_plan().step("back:lift")->undoes, std::vector<std::string>{"hold"});
}

TEST(Plans, EachStepSaysWhatTakesItBackOrThatNothingDoes) {
  for (const auto* data : {"auto", "ask", "never"}) {
    for (const auto* strategy : {"blue_green", "all_at_once"}) {
      Setting setting = second_live();
      setting.data = data;
      setting.strategy = strategy;
      Shop shop(setting);
      for (const auto& plan :
           {shop.deploy_plan(), shop.rollback_plan(), shop.rollback_plan(true, false),
            shop.rollback_plan(false, true), shop.apply_plan()}) {
        for (const auto& step : plan.steps) {
          EXPECT_NE(step.undo.empty(), step.cannot_undo.empty())
              << plan.pipeline << " " << data << " " << step.id;
        }
      }
    }
  }
}

TEST(Plans, NeverPromiseToTakeDataBackThatTheRuleLeaves) {
  const auto migrate_with = [](const char* data) {
    Setting setting;
    setting.data = data;
    Shop shop(setting);
    return *shop.deploy_plan().step("migrate");
  };
  EXPECT_NE(migrate_with("auto").undo, "");
  EXPECT_NE(migrate_with("ask").undo.find("person"), std::string::npos);
  EXPECT_EQ(migrate_with("never").undo, "");
  EXPECT_NE(migrate_with("never").cannot_undo.find("rollback.database: never"), std::string::npos);
}

TEST(SafetyPoint, OfACodeRollbackComesAfterTheSwitchAndNothingWaitsForIt) {
  Shop shop(second_live());
  const auto plan = shop.rollback_plan(true, false);
  EXPECT_EQ(plan.step("safety")->after, std::vector<std::string>{"switch"});
  for (const auto& step : plan.steps) {
    for (const auto& before : step.after) EXPECT_NE(before, "safety") << step.id;
  }
  const auto run = shop.create(plan);
  ASSERT_EQ(shop.finish(run), "done");
  const auto loaded = shop.load(run);
  EXPECT_LT(position(loaded, "step.outcome", "switch"), position(loaded, "step.intent", "safety"));
  EXPECT_EQ(loaded.history.steps.at("safety").result.at("point"), "safety-" + run);
}

TEST(SafetyPoint, ThatCannotBeTakenIsToldAndNeverSendsCustomersBackToTheBadRelease) {
  Shop shop(second_live());
  shop.database.plan.always("catalogue", fake::Trouble::fail);
  const auto run = shop.create(shop.rollback_plan(true, false));
  EXPECT_EQ(shop.finish(run), "done");
  EXPECT_EQ(shop.active("backend"), first_release);
  EXPECT_EQ(
      shop.load(run).history.steps.at("safety").result.at("summary").get<std::string>().substr(0,
                                                                                               15),
      "NO SAFETY POINT");
}

TEST(SafetyPoint, OfAnAutomaticRollbackOfCodeComesAfterTheSwitchAndTheChecks) {
  Shop shop(bad_code());
  const auto run = shop.create(shop.deploy_plan());
  ASSERT_EQ(shop.finish(run), "rolled_back");
  const auto loaded = shop.load(run);
  EXPECT_LT(position(loaded, "step.outcome", "back:switch"),
            position(loaded, "step.intent", "back:safety"));
  EXPECT_LT(position(loaded, "step.outcome", "back:check"),
            position(loaded, "step.intent", "back:safety"));
  EXPECT_LT(position(loaded, "step.intent", "back:announce"),
            position(loaded, "step.outcome", "back:safety"))
      << "people are told beside it";
  EXPECT_EQ(loaded.history.steps.at("back:safety").result.at("point"), "safety-" + run);
}

TEST(SafetyPoint, ThatFailsOnTheWayBackStopsNothing) {
  Shop shop(bad_code());
  const auto run = shop.create(shop.deploy_plan());
  shop.traffic.faults.hook = [&](const std::string& name, bool done) {
    // From the switch on: the restore point before it was taken.
    if (name == "shift" && done) shop.database.plan.always("catalogue", fake::Trouble::fail);
  };
  EXPECT_EQ(shop.finish(run), "rolled_back");
  EXPECT_TRUE(shop.load(run).history.steps.at("back:safety").result.contains("failed"));
}

TEST(SafetyPoint, OfADeployIsNoSafetyPointWithoutItNothingShips) {
  Shop shop;
  shop.database.plan.always("catalogue", fake::Trouble::fail);
  const auto run = shop.create(shop.deploy_plan());
  EXPECT_EQ(shop.finish(run), "failed");
  EXPECT_EQ(shop.active("backend"), first_release);
  EXPECT_EQ(shop.migrations(), 0);
}

TEST(Start, OnAPortThatSomebodyWasQuickerToTakeIsDoneAgainOnAnotherAndSaysSo) {
  Shop shop;
  shop.backend.loses_its_port(second_release, 2);
  const auto run = shop.create(shop.deploy_plan());
  EXPECT_EQ(shop.finish(run), "done");
  EXPECT_EQ(shop.active("backend"), second_release);
  EXPECT_NE(shop.listener.said().find("is taken by nginx; it is started again"), std::string::npos)
      << shop.listener.said();
}

TEST(Start, ThatFindsNoFreePortGivesUpAndNamesTheHolder) {
  Shop shop;
  shop.backend.loses_its_port(second_release, 100);
  const auto run = shop.create(shop.deploy_plan());
  EXPECT_NE(shop.finish(run), "done");
  EXPECT_EQ(shop.active("backend"), first_release);
  EXPECT_EQ(shop.backend.faults.count("start"), 1 + 4);
}

TEST(Recheck, AnAddressThatAnotherProgramHasEndsADeployBeforeAnythingIsTouched) {
  Shop shop;
  shop.traffic.take("127.0.0.1:8081");
  const auto run = shop.create(shop.deploy_plan());
  EXPECT_EQ(shop.finish(run), "failed");
  const auto loaded = shop.load(run);
  EXPECT_NE(loaded.history.steps.at("recheck").error.find("taken by another program"),
            std::string::npos);
  EXPECT_FALSE(loaded.history.steps.contains("restore_point"));
}

TEST(Fence, OnTheWayBackCutsOffARequestThatNeverEnds) {
  Setting bad;
  bad.bad = second_release;
  Shop shop(bad);
  const auto run = shop.create(shop.deploy_plan());
  shop.traffic.set_in_flight("backend", second_release, 1);
  EXPECT_EQ(shop.finish(run), "rolled_back");
  EXPECT_EQ(shop.active("backend"), first_release);
  const auto loaded = shop.load(run);
  EXPECT_EQ(loaded.history.steps.at("back:hold").result.at("cut"), 1);
}

TEST(DataReturn, NeverLeavesTheDataAsTheMigrationMadeItAndAutoDoesNot) {
  for (const bool never : {true, false}) {
    Setting bad;
    bad.bad = second_release;
    bad.data = never ? "never" : "auto";
    Shop shop(bad);
    const auto before = shop.documents();
    const auto run = shop.create(shop.deploy_plan());
    ASSERT_EQ(shop.finish(run), "rolled_back");
    EXPECT_EQ(shop.active("backend"), first_release);
    EXPECT_EQ(shop.documents() == before, !never);
    EXPECT_EQ(shop.load(run).history.steps.contains("back:rewind"), !never);
  }
}

TEST(Stop, LetsTheRequestsAtTheBadReleaseEndFirst) {
  Setting bad = bad_code();
  Shop shop(bad);
  const auto run = shop.create(shop.deploy_plan());
  ASSERT_EQ(shop.finish(run), "rolled_back");
  const auto calls = shop.traffic.faults.calls();
  EXPECT_NE(std::find(calls.begin(), calls.end(), "drain"), calls.end());
}

TEST(Workers, AreNeverOfTwoReleasesAtOnceAndRunAgainAfterEveryEnding) {
  struct Row {
    const char* name;
    Setting setting;
    bool rollback;
    std::string ending, workers;
  };
  Setting held = bad_code(), bad = bad_code(), old = second_live();
  bad.migrates = held.migrates = true;
  held.strategy = "all_at_once";
  old.bad = first_release;
  const std::vector<Row> table{
      {"deploy", {}, false, "done", second_release},
      {"deploy that fails", bad, false, "rolled_back", first_release},
      {"deploy all at once that fails", held, false, "rolled_back", first_release},
      {"rollback", second_live(), true, "done", first_release},
      {"rollback that fails", old, true, "rolled_back", second_release},
  };
  for (const auto& row : table) {
    Shop shop(row.setting);
    std::set<std::set<std::string>> seen;
    shop.mailer.faults.hook = [&](const std::string& name, bool done) {
      if (name == "start" && done) seen.insert(shop.mailer.running("mailer"));
    };
    const auto run = shop.create(row.rollback ? shop.rollback_plan() : shop.deploy_plan());
    EXPECT_EQ(shop.finish(run), row.ending) << row.name;
    EXPECT_EQ(shop.mailer.running("mailer"), std::set<std::string>{row.workers}) << row.name;
    for (const auto& together : seen) EXPECT_EQ(together.size(), 1u) << row.name;
  }
}

TEST(TakeOver, IsARightOfRollbacksAndWrittenInTheirPlans) {
  Shop shop(second_live());
  EXPECT_TRUE(shop.rollback_plan().step("lock")->args.value("takes_over", false));
  EXPECT_FALSE(shop.deploy_plan().step("lock")->args.value("takes_over", false));
}

TEST(BranchRule, AReleaseMustBeOnOneOfTheBranchesThatAreNamed) {
  Fuse fuse;
  ShopSource source(fuse);  // all of it is on main
  EXPECT_TRUE(app::branch_rule(source, {}, "production", "a41d07c"));
  EXPECT_TRUE(app::branch_rule(source, {"release/*", "main"}, "production", "a41d07c"));
  const auto refused = app::branch_rule(source, {"release/*"}, "production", "a41d07c");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, Fault::refused);
  EXPECT_NE(refused.error().message().find("release/*"), std::string::npos);
}

}  // namespace
}  // namespace belay::engine::testing
