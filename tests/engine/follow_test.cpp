// SPDX-License-Identifier: Apache-2.0
// Those who follow runs, told of beginnings and ends; and votes that are given elsewhere.
#include "pipeline/policy.hpp"
#include "tests/engine/stage.hpp"

namespace belay::engine::testing {
namespace {

class Followed : public RunnerTest {
 protected:
  void SetUp() override { steps_["follow"] = std::make_unique<Scripted>(script_); }

  void listen() {
    for (const char* about : {"begun", "ended"}) {
      script_.perform[about] = [this](const StepContext& context) -> Result<Json> {
        told_.push_back(context.step.id + " " +
                        context.step.args.value("ending", std::string("-")));
        return Json{{"not_announced", Json::array()}};
      };
    }
  }

  std::vector<std::string> told_;
};

using Told = std::vector<std::string>;

TEST_F(Followed, ADeployIsToldWhenItHasTheLockAndWhenItEnds) {
  listen();
  EXPECT_EQ(ends(create()), "done");
  EXPECT_EQ(told_, (Told{"begun -", "ended done"}));
}

TEST_F(Followed, OneThatIsTakenBackIsToldSo) {
  listen();
  script_.perform["change"] = [](const StepContext&) -> Result<Json> {
    return fail(Fault::refused, "it broke");
  };
  EXPECT_EQ(ends(create()), "rolled_back");
  EXPECT_EQ(told_, (Told{"begun -", "ended rolled_back"}));
}

// A request to somewhere else may take half a minute to fail.
TEST_F(Followed, ARollbackIsToldOnlyWhenItIsOver) {
  listen();
  auto plan = simple_plan();
  plan.pipeline = "rollback";
  EXPECT_EQ(ends(create(plan)), "done");
  EXPECT_EQ(told_, Told{"ended done"});
}

TEST_F(Followed, WhoCannotBeToldChangesNothingAndIsRecorded) {
  for (const char* about : {"begun", "ended"}) {
    script_.perform[about] = [](const StepContext&) -> Result<Json> {
      return fail(Fault::unreachable, "nobody there");
    };
  }
  const auto run = create();
  EXPECT_EQ(ends(run), "done");
  int recorded = 0;
  for (const auto& event : load(run).events) {
    if (event.kind != "announced") continue;
    ++recorded;
    EXPECT_EQ(event.body["not_announced"], Json({"nobody there"}));
  }
  EXPECT_EQ(recorded, 2);
}

TEST_F(Followed, AProcessKilledWhileItTellsOfTheEndLeavesTheEndToTheNextOne) {
  listen();
  const auto tell = script_.perform["ended"];
  script_.perform["ended"] = [](const StepContext&) -> Result<Json> { throw Death{}; };
  const auto run = create();
  EXPECT_THROW(static_cast<void>(drive(run)), Death);
  EXPECT_EQ(load(run).history.ending, "");
  script_.perform["ended"] = tell;
  EXPECT_EQ(ends(run), "done");
  EXPECT_EQ(told_, (Told{"begun -", "ended done"}));
}

// Two of amina, leo and noor, by reviews; rita asks.
class Elsewhere : public RunnerTest {
 protected:
  void SetUp() override {
    steps_["reviews"] = std::make_unique<Scripted>(script_);
    script_.perform["reviews"] = [this](const StepContext&) -> Result<Json> {
      ++asked_;
      if (!reachable_) return fail(Fault::unreachable, "nobody there");
      return Json{{"votes", votes_}, {"open", open_}};
    };
  }
  pipeline::Plan plan() {
    auto made = simple_plan();
    made.requester = {"rita", ""};
    auto gate = work("approve", {}, false, "approve");
    pipeline::ApprovalRule rule;
    rule.required = 2;
    rule.by = pipeline::Evidence::github;
    rule.reviewers = {{"amina", {}, "", "amina"}, {"leo", {}, "", "leo"}, {"noor", {}, "", "noor"}};
    gate.args = {{"rule", pipeline::to_json(rule)}, {"freeze", Json::array()}};
    made.steps.insert(made.steps.begin(), gate);
    made.steps[1].after = {"approve"};
    made.facts["workflow"] = pipeline::to_json(pipeline::Workflow{
        "team/shop", 77, 1, "rita", world_.clock.now(), {"production", "production-gate-2"}});
    return made;
  }
  void review(const std::string& login, const std::string& decision = "approve") {
    const auto state = decision == "approve" ? "approved" : "rejected";
    votes_.push_back({{"decision", decision},
                      {"reason", decision == "approve" ? "" : "no"},
                      {"evidence", pipeline::to_json(pipeline::Review{
                                       "team/shop", 77, 1, 1, login, state, "", {"production"}})}});
  }
  std::string why(const std::string& run) { return text_in(load(run).history.finished, "text"); }
  std::size_t recorded(const std::string& run) { return load(run).history.votes.size(); }

  Json votes_ = Json::array();
  bool open_ = true, reachable_ = true;
  int asked_ = 0;
};

TEST_F(Elsewhere, VotesAreAskedForJudgedAndEachIsRecordedOnce) {
  const auto run = create(plan());
  review("amina");
  review("mallory");
  EXPECT_EQ(ends(run, {.wait = false}), "waiting");
  EXPECT_EQ(ends(run, {.wait = false}), "waiting");
  EXPECT_EQ(recorded(run), 1u);
  EXPECT_NE(listener_.said().find("none of the reviewers' accounts"), std::string::npos);
  review("leo");
  EXPECT_EQ(ends(run, {.wait = false}), "done");
  EXPECT_EQ(recorded(run), 2u);
}

TEST_F(Elsewhere, AnAnswerThatDoesNotComeIsNoVote) {
  const auto run = create(plan());
  review("amina");
  review("leo");
  reachable_ = false;
  EXPECT_EQ(ends(run, {.wait = false}), "waiting");
  EXPECT_EQ(recorded(run), 0u);
  EXPECT_NE(listener_.said().find("cannot ask for reviews: nobody there"), std::string::npos);
  reachable_ = true;
  EXPECT_EQ(ends(run, {.wait = false}), "done");
}

TEST_F(Elsewhere, WhereNobodyCanAddOneTheRunIsRefusedWithWhoIsMissing) {
  const auto run = create(plan());
  review("amina");
  open_ = false;
  EXPECT_EQ(ends(run, {.wait = false}), "refused");
  EXPECT_NE(why(run).find("approved by amina; waiting for 1 of leo, noor"), std::string::npos)
      << why(run);
}

TEST_F(Elsewhere, WhoWaitsAsksAgainUntilItIsEnough) {
  const auto run = create(plan());
  review("amina");
  world_.clock.on_sleep([this](Millis) {
    if (asked_ == 3 && votes_.size() == 1) review("noor");
  });
  EXPECT_EQ(ends(run, {.wait = true}), "done");
  EXPECT_GE(asked_, 3);
}

TEST_F(Elsewhere, ARejectionEndsTheRun) {
  const auto run = create(plan());
  review("noor", "reject");
  EXPECT_EQ(ends(run, {.wait = false}), "refused");
  EXPECT_EQ(why(run), "noor refused: no");
}

}  // namespace
}  // namespace belay::engine::testing
