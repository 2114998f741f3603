// SPDX-License-Identifier: Apache-2.0
// The switch of services that programs of the user's make live: begun once, ended before the way
// back, and asked about when nobody saw them ending.
#include "engine/steps/steps.hpp"
#include "tests/engine/stage.hpp"

namespace belay::engine::testing {
namespace {

const std::string old_release = "prod-20261120-141233", new_release = "prod-20261123-100000";

class SwitchTest : public RunnerTest {
 protected:
  SwitchTest() {
    const auto parsed = pipeline::parse_spec(R"(
project: shop
services:
  web: { path: . }
  api: { path: . }
environments:
  production:
    tag: prod
    services:
      web: { target: command, activate: go-web }
      api: { target: command, activate: go-api }
)");
    EXPECT_TRUE(parsed.spec) << pipeline::report("belay.yaml", parsed.complaints);
    site_.present = parsed.spec.value_or(pipeline::Spec{});
    site_.environment = "production";
    site_.clock = &world_.clock;
    site_.environment_of = [](const std::string&, const std::string&) { return Environment{}; };
    for (const auto& release : {old_release, new_release}) site_.releases[release] = site_.present;
    for (const std::string name : {"web", "api"}) add_target(name);
    steps_["switch"] = make_switch(site_);
  }

  void add_target(const std::string& name) {
    target::CommandConfig config;
    config.activate = "go";
    config.rollback = "back";
    config.status = "cat " + live_file(name);
    config.folder = scratch_.path() / "kept";
    targets_[name] = target::make_command(config, world_.children, world_.clock);
    site_.targets[name] = targets_[name].get();
    says(name, "live " + old_release);
    for (const auto& release : {old_release, new_release}) {
      const Path source = scratch_.path() / ("source-" + name + release);
      EXPECT_TRUE(make_folder(source));
      EXPECT_TRUE(targets_[name]->prepare({name, release}, {source}, "p", {}, {}));
    }
  }
  std::string live_file(const std::string& name) const {
    return (scratch_.path() / ("live-" + name)).string();
  }
  // What the user's `status` of the service prints.
  void says(const std::string& name, const std::string& text) {
    EXPECT_TRUE(write_file(live_file(name), text + "\n"));
  }
  static pipeline::Plan plan() {
    auto plan = simple_plan();
    plan.steps = {work("lock", {}, false, "lock"), work("switch", {"lock"}, true, "switch")};
    plan.back = {undoing("back", {"switch"})};
    plan.back[0].kind = "switch";
    plan.back[0].args = {{"release", "live"}, {"back", true}};
    return plan;
  }
  // The process dies while the program of `name` runs.
  std::string died_in(const std::string& name) {
    const auto run = create(plan());
    world_.children.script("run-" + run + ".switch.1." + name,
                           [](const ChildSpec&, const auto&) -> ChildStatus { throw Death{}; });
    EXPECT_THROW(static_cast<void>(drive(run)), Death);
    world_.children.script("run-" + run + ".switch.1." + name, 0);
    return run;
  }
  int starts(const std::string& run, const std::string& rest) {
    return world_.children.starts("run-" + run + "." + rest);
  }

  Site site_;
  std::map<std::string, std::unique_ptr<target::Target>> targets_;
};

TEST_F(SwitchTest, AProgramThatADeadProcessBeganIsTakenOverAndNotBegunAgain) {
  const auto run = died_in("web");
  EXPECT_EQ(ends(run), "done");
  EXPECT_EQ(starts(run, "switch.1.web"), 1);
  EXPECT_EQ(starts(run, "switch.2.web"), 0);
  EXPECT_EQ(starts(run, "switch.1.api"), 1);
}

TEST_F(SwitchTest, WhatTheHostCutOffIsLiveWhenStatusSaysSo) {
  const auto run = died_in("api");
  world_.children.lose_all_running();
  says("api", "live " + new_release);
  EXPECT_EQ(ends(run), "done");
  EXPECT_EQ(world_.children.started().size(), 2u) << "neither is begun again";
}

TEST_F(SwitchTest, WhatTheHostCutOffIsBegunAgainWhenStatusSaysThatNothingHappened) {
  const auto run = died_in("api");
  world_.children.lose_all_running();
  EXPECT_EQ(ends(run), "done");
  EXPECT_EQ(starts(run, "switch.2.api"), 1);
  EXPECT_EQ(starts(run, "switch.1.web") + starts(run, "switch.2.web"), 1) << "that one is done";
}

TEST_F(SwitchTest, WhatTheHostCutOffGoesTheWayBackWhenStatusCannotTell) {
  const auto run = died_in("web");
  world_.children.lose_all_running();
  says("web", "who knows");
  EXPECT_EQ(ends(run), "rolled_back");
  EXPECT_EQ(starts(run, "switch.2.web"), 0);
  EXPECT_EQ(starts(run, "back.1.web"), 1);
}

TEST_F(SwitchTest, ACancelEndsTheProgramBeforeAnythingIsTakenBack) {
  const auto run = died_in("web");
  cancel(run);
  world_.children.script("run-" + run + ".back.1.web", [&](const ChildSpec&, const auto&) {
    EXPECT_EQ(world_.children.look("run-" + run + ".switch.1.web")->state, ChildState::ended);
    return ChildStatus{ChildState::ended};
  });
  EXPECT_EQ(ends(run), "rolled_back");
  EXPECT_EQ(world_.children.ended_by_us(),
            std::vector<std::string>{"run-" + run + ".switch.1.web"});
  EXPECT_EQ(starts(run, "back.1.web"), 1);
}

}  // namespace
}  // namespace belay::engine::testing
