// SPDX-License-Identifier: Apache-2.0
// Which data belongs to a release: histories of runs, and what going back to a release means then.
#include "engine/releases.hpp"

#include "app/planner.hpp"
#include "tests/engine/stage.hpp"

namespace belay::engine::testing {
namespace {

class ReleaseData : public ::testing::Test {
 protected:
  void SetUp() override { journal_ = journal::open_sqlite(scratch_.path(), world_.clock).value(); }

  // A run that ended "done" with these steps done.
  std::string ended(const pipeline::Plan& plan, const std::map<std::string, Json>& steps) {
    const auto run =
        journal_->create_run({"run.created", "", canonical(app::created_body(plan)), 1}).value();
    std::vector<journal::NewEvent> events;
    for (const auto& [step, result] : steps) {
      const auto key = run + "." + step;
      events.push_back(make_event(
          "step.intent", {{"step", step}, {"attempt", 1}, {"baseline", Json::object()}}, key));
      events.push_back(make_event(
          "step.outcome", {{"step", step}, {"ok", true}, {"ms", 1}, {"result", result}}, key));
    }
    events.push_back(make_event("run.finished", {{"ending", "done"}}));
    world_.clock.advance(std::chrono::minutes(1));
    EXPECT_TRUE(journal_->append(run, 1, std::move(events)).ok());
    return run;
  }
  std::string deploy(const std::string& tag, bool migrates = false) {
    auto plan = planned("deploy", tag);
    plan.steps = {{"restore_point", "restore_point", ""}, {"migrate", "migrate", ""}};
    std::map<std::string, Json> steps{{"restore_point", Json::object()}};
    if (migrates) steps["migrate"] = Json::object();
    return ended(plan, steps);
  }
  // `data`: "none", "point:rp-2", "undo:salvage-3". `found`: whether anything differed.
  std::string rollback(const std::string& tag, const std::string& data, bool found = true,
                       bool safe = true) {
    auto plan = planned("rollback", tag);
    plan.facts = {{"code", true}, {"data", data}};
    const auto next = std::to_string(journal_->runs().value().size() + 1);
    if (data == "none") {
      plan.steps = {{"safety", "restore_point", ""}};
      const Json result = safe ? Json::object() : Json{{"failed", "the disk is full"}};
      return ended(plan, {{"safety", result}});
    }
    plan.steps = {{"rewind", "rewind", ""}};
    return ended(plan, {{"rewind", {{"salvage", found ? "salvage-" + next : ""}}}});
  }
  DataOf of(const std::string& tag) {
    auto releases = read_releases(*journal_, "production").value();
    return data_left(*journal_, "production", releases, tag).value();
  }
  static pipeline::Plan planned(const std::string& pipeline, const std::string& tag) {
    pipeline::Plan plan;
    plan.pipeline = pipeline;
    plan.project = "shop";
    plan.environment = "production";
    plan.release = tag;
    return plan;
  }

  ScratchFolder scratch_ = scratch_folder();
  FakeWorld world_;
  std::unique_ptr<journal::Journal> journal_;
};

TEST_F(ReleaseData, IsThatOfTheLatestTimeTheReleaseWasLive) {
  deploy("r1");
  const auto second = deploy("r2");
  rollback("r1", "point:rp-" + second);
  const auto third = deploy("r3");
  EXPECT_EQ(of("r1").kind, DataOf::Kind::point);
  EXPECT_EQ(of("r1").name, "rp-" + third);
}

TEST_F(ReleaseData, OfAReleaseThatWasLeftWithItsDataIsInTheSalvage) {
  deploy("r1");
  const auto second = deploy("r2");
  const auto back = rollback("r1", "point:rp-" + second);
  EXPECT_EQ(of("r2").kind, DataOf::Kind::undo);
  EXPECT_EQ(of("r2").name, "salvage-" + back);
}

TEST_F(ReleaseData, OfARewindThatFoundNothingIsItsRestorePoint) {
  deploy("r1");
  const auto second = deploy("r2");
  rollback("r1", "point:rp-" + second, false);
  EXPECT_EQ(of("r2").kind, DataOf::Kind::point);
  EXPECT_EQ(of("r2").name, "rp-" + second);
}

TEST_F(ReleaseData, OfACodeRollbackIsItsSafetyPointWhereThatCouldBeTaken) {
  deploy("r1");
  deploy("r2");
  const auto back = rollback("r1", "none");
  EXPECT_EQ(of("r2").name, "safety-" + back);
  deploy("r3");
  rollback("r1", "none", true, false);
  EXPECT_EQ(of("r3").kind, DataOf::Kind::none);
  EXPECT_NE(of("r3").why_none.find("no safety point"), std::string::npos);
}

TEST_F(ReleaseData, InASalvageIsRefusedOnceALaterRunMigrated) {
  deploy("r1");
  const auto second = deploy("r2", true);
  rollback("r1", "point:rp-" + second);
  deploy("r3");
  EXPECT_EQ(of("r2").kind, DataOf::Kind::undo) << "r3 migrated nothing";
  const auto fourth = deploy("r4", true);
  EXPECT_EQ(of("r2").kind, DataOf::Kind::none);
  EXPECT_NE(of("r2").why_none.find("run " + fourth + " has migrated"), std::string::npos)
      << of("r2").why_none;
  EXPECT_EQ(of("r3").name, "rp-" + fourth) << "a point is whole, whatever came later";
}

TEST_F(ReleaseData, InASalvageIsThereWhenALaterUndoWasUndone) {
  deploy("r1");
  const auto second = deploy("r2", true);
  const auto back = rollback("r1", "point:rp-" + second);
  const auto undone = rollback("r1", "undo:salvage-" + back);
  EXPECT_NE(of("r2").why_none.find("run " + undone), std::string::npos) << of("r2").why_none;
  rollback("r1", "undo:salvage-" + undone);
  EXPECT_EQ(of("r2").name, "salvage-" + back);
}

TEST_F(ReleaseData, GoesThereAndBackAgainThroughSalvages) {
  deploy("r1");
  const auto second = deploy("r2", true);
  const auto back = rollback("r1", "point:rp-" + second);
  const auto forward = rollback("r2", "undo:salvage-" + back);
  EXPECT_EQ(of("r1").name, "salvage-" + forward);
}

}  // namespace
}  // namespace belay::engine::testing
