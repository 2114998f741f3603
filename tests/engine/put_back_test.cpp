// SPDX-License-Identifier: Apache-2.0
// Discarded writes put back by a run.
#include "engine/put_back.hpp"

#include "tests/engine/shop.hpp"
#include "tests/engine/shop_outside.hpp"

namespace belay::engine::testing {
namespace {

const database::Namespace orders{"shop", "orders"};

class PutBack : public ::testing::Test {
 protected:
  static Setting live() {
    Setting setting;
    setting.second_is_live = true;
    return setting;
  }
  void must_resume(const std::string& run) {
    ASSERT_TRUE(append_event(*shop.journal, run, {"run.resumed", "", R"({"by": "leo"})", 1},
                             [](const Loaded&) { return Status(); }));
  }
  Json result(const std::string& run, const std::string& step) {
    return shop.load(run).history.steps.at(step).result;
  }
  Shop shop{live()};
  Json before = shop.documents();
};

TEST_F(PutBack, ARunPutsBackWhatTheRewindFoundAndPeopleAreTold) {
  const auto plan = shop.apply_plan();
  ASSERT_NE(shop.documents(), before);
  const auto run = shop.create(plan);
  ASSERT_EQ(shop.finish(run), "done");
  EXPECT_EQ(shop.documents(), before);
  EXPECT_EQ(result(run, "preview")["replaced"], 12);
  EXPECT_EQ(result(run, "apply")["replaced"], 12);
  EXPECT_EQ(shop.told.rbegin()->second, "put_back");
  EXPECT_TRUE(shop.journal->locks()->empty());
}

TEST_F(PutBack, DoneOnceMoreItSaysThatAllIsThere) {
  const auto plan = shop.apply_plan();
  ASSERT_EQ(shop.finish(shop.create(plan)), "done");
  const auto again = shop.create(plan);
  ASSERT_EQ(shop.finish(again), "done");
  EXPECT_EQ(result(again, "apply")["there"], 12);
  EXPECT_EQ(shop.documents(), before);
}

TEST_F(PutBack, WhatSomebodyChangedSinceIsLeftAloneAndNamed) {
  const auto plan = shop.apply_plan();
  shop.database.put(orders, R"({"_id": 5, "version": 99})");
  const auto run = shop.create(plan);
  ASSERT_EQ(shop.finish(run), "done");
  const auto report = result(run, "apply");
  EXPECT_EQ(report["replaced"], 11);
  EXPECT_EQ(report["left_alone"], 1);
  EXPECT_NE(report["conflicts"][0].get<std::string>().find("shop.orders"), std::string::npos);
  EXPECT_NE(report["summary"].get<std::string>().find("1 left alone"), std::string::npos);
}

TEST_F(PutBack, ADatabaseThatIsGoneBeforeItBeginsFailsItWithNothingChanged) {
  const auto run = shop.create(shop.apply_plan());
  const auto rewound = shop.documents();
  shop.database.plan.always("fetch", fake::Trouble::fail);
  EXPECT_EQ(shop.finish(run), "failed");
  EXPECT_EQ(shop.documents(), rewound);
}

TEST_F(PutBack, HalfWayItStopsForAPersonAndGoesOnWhenResumed) {
  const auto run = shop.create(shop.apply_plan());
  shop.database.plan.always("apply", fake::Trouble::fail);
  auto state = shop.drive(run);
  ASSERT_TRUE(state) << state.error().message();
  EXPECT_EQ(*state, RunState::needs_person);
  EXPECT_EQ(shop.journal->locks()->size(), 1u) << "nobody deploys over it";
  shop.database.plan.always("apply", fake::Trouble::none);
  must_resume(run);
  EXPECT_EQ(shop.finish(run), "done");
  EXPECT_EQ(shop.documents(), before);
}

TEST(ApplyReport, KeepsSomeOfWhatIsLeftAloneAndCountsAll) {
  vault::ApplyReport report;
  report.conflicts.assign(200, std::string(5000, 'x'));
  const auto json = to_json(report);
  EXPECT_EQ(json["left_alone"], 200);
  EXPECT_LT(json.dump().size(), 30'000u);
}

}  // namespace
}  // namespace belay::engine::testing
