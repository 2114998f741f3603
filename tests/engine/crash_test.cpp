// SPDX-License-Identifier: Apache-2.0
// A process dies before or after every write to the journal and every effect on the world; the next
// one brings the run to the end that it would have had, and leaves the world that it would have
// left.
#include "tests/engine/shop.hpp"

namespace belay::engine::testing {
namespace {

struct Scenario {
  const char* name;
  Setting setting;
  std::function<pipeline::Plan(Shop&)> plan;
  std::string ending;  // of the undisturbed run
};

void PrintTo(const Scenario& scenario, std::ostream* out) {
  *out << scenario.name;
}

pipeline::Plan deploy(Shop& shop) {
  return shop.deploy_plan();
}

std::vector<Scenario> scenarios() {
  Setting plain, held, bad, asked, code, live, old, stopped, stopped_bad, stopped_old;
  held.strategy = "all_at_once";
  bad.bad = asked.bad = code.bad = second_release;
  asked.data = "ask";
  code.migrates = false;
  live.second_is_live = old.second_is_live = true;
  old.bad = first_release;
  stopped = live;
  stopped_bad = bad;
  stopped_old = old;
  stopped.platform = stopped_bad.platform = stopped_old.platform = true;
  stopped_bad.strategy = "all_at_once";
  return {
      {"RollbackWithAPlatform", stopped, [](Shop& shop) { return shop.rollback_plan(); }, "done"},
      {"RollbackWithAPlatformThatFails", stopped_old,
       [](Shop& shop) { return shop.rollback_plan(); }, "rolled_back"},
      {"RewindWithAPlatform", stopped, [](Shop& shop) { return shop.rollback_plan(false); },
       "done"},
      {"DeployWithAPlatformThatFails", stopped_bad, deploy, "rolled_back"},
      {"Deploy", plain, deploy, "done"},
      {"DeployHeld", held, deploy, "done"},
      {"DeployThatFails", bad, deploy, "rolled_back"},
      {"DeployThatFailsAndAsks", asked, deploy, "rolled_back"},
      {"DeployOfCodeThatFails", code, deploy, "rolled_back"},
      {"Rollback", live, [](Shop& shop) { return shop.rollback_plan(); }, "done"},
      {"RollbackThatFails", old, [](Shop& shop) { return shop.rollback_plan(); }, "rolled_back"},
      {"PutBack", live, [](Shop& shop) { return shop.apply_plan(); }, "done"},
      {"RollbackOfCode", live, [](Shop& shop) { return shop.rollback_plan(true, false); }, "done"},
  };
}

struct Undisturbed {
  std::vector<std::string> trace;
  std::set<std::string> kinds;  // of the steps that were begun
  std::string ending;
  Json state;
};

Undisturbed undisturbed(const Scenario& scenario) {
  Shop shop(scenario.setting);
  const auto run = shop.create(scenario.plan(shop));
  shop.fuse.burn_at(0);
  Undisturbed seen;
  seen.ending = shop.finish(run);
  seen.trace = shop.fuse.trace();
  seen.state = shop.state();
  const auto loaded = shop.load(run);
  for (const auto& [id, record] : loaded.history.steps)
    seen.kinds.insert(loaded.plan.step(id)->kind);
  return seen;
}

class CrashSweep : public ::testing::TestWithParam<Scenario> {};

// Dies at the nth point, and the next process again a little later; "" when all is as expected.
std::string life_and_death(const Scenario& scenario, const Undisturbed& expected, std::size_t nth) {
  Shop shop(scenario.setting);
  const auto run = shop.create(scenario.plan(shop));
  for (const std::size_t point : {nth, nth % 17 + 1}) {
    shop.fuse.burn_at(point);
    try {
      shop.finish(run);
      if (point == nth) return "nobody died";
    } catch (const Death&) {}
  }
  shop.fuse.burn_at(0);
  const auto ending = shop.finish(run);
  if (ending != expected.ending) return "it ended " + ending;
  const auto state = shop.state();
  if (state != expected.state) return Json::diff(expected.state, state).dump(1);
  const auto chain = shop.journal->verify();
  return chain && chain->problems.empty() ? "" : "the journal does not verify";
}

TEST_P(CrashSweep, WhereverTheProcessDiesTheRunEndsAsItWouldHave) {
  const auto expected = undisturbed(GetParam());
  ASSERT_EQ(expected.ending, GetParam().ending);
  ASSERT_GT(expected.trace.size(), 20u) << "a run has more points than this";
  ASSERT_TRUE(expected.state.at("locks").empty());
  ASSERT_FALSE(expected.state.at("rewound_unheld").get<bool>());
  if (GetParam().setting.platform) {
    ASSERT_FALSE(expected.state.at("routes").at("api").at("held").get<bool>());
  }
  std::map<std::string, std::string> wrong;
  for (std::size_t nth = 1; nth <= expected.trace.size(); ++nth) {
    const auto problem = life_and_death(GetParam(), expected, nth);
    if (!problem.empty())
      wrong.emplace(problem, std::to_string(nth) + ": " + expected.trace[nth - 1]);
  }
  for (const auto& [problem, where] : wrong) ADD_FAILURE() << where << "\n" << problem;
}

INSTANTIATE_TEST_SUITE_P(Of, CrashSweep, ::testing::ValuesIn(scenarios()),
                         [](const auto& of) { return std::string(of.param.name); });

TEST(CrashSweepItself, EveryKindOfStepIsInIt) {
  std::set<std::string> swept;
  for (const auto& scenario : scenarios()) swept.merge(undisturbed(scenario).kinds);
  for (const auto& kind : Shop().kinds())
    EXPECT_TRUE(swept.contains(kind))
        << "no scenario of the crash sweep has a step \"" << kind << "\": add one that does";
}

}  // namespace
}  // namespace belay::engine::testing
