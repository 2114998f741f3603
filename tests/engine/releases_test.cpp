// SPDX-License-Identifier: Apache-2.0
// Which data belongs to a release: histories of runs, and what going back to a release means then.
#include "engine/releases.hpp"

#include "tests/engine/past.hpp"

namespace belay::engine::testing {
namespace {

class ReleaseData : public ::testing::Test {
 protected:
  DataOf of(const std::string& tag) {
    auto releases = read_releases(*journal_, "production").value();
    return data_left(*journal_, "production", releases, tag).value();
  }

  ScratchFolder scratch_ = scratch_folder();
  FakeWorld world_;
  std::unique_ptr<journal::Journal> journal_ =
      journal::open_sqlite(scratch_.path(), world_.clock).value();
  Past past_{*journal_, world_};
};

// R2 was bad, and people went back from it; now R3 is bad.
TEST_F(ReleaseData, WhatPeopleWentBackFromIsNotGoneBackToUnasked) {
  const auto before = [this] {
    const auto releases = read_releases(*journal_, "production").value();
    const auto* found = releases.before_live();
    return found == nullptr ? std::string() : found->tag;
  };
  past_.deploy("r1");
  past_.deploy("r2");
  past_.rollback_of_code("r1");
  EXPECT_EQ(before(), "r2") << "there is no other";
  past_.deploy("r3");
  EXPECT_EQ(before(), "r1");
  past_.rollback_of_code("r2");
  past_.deploy("r4");
  EXPECT_EQ(before(), "r2") << "it was good after all: r3 is what was left";
}

TEST_F(ReleaseData, IsThatOfTheLatestTimeTheReleaseWasLive) {
  past_.deploy("r1");
  const auto second = past_.deploy("r2");
  past_.to_point_of(second, "r1");
  const auto third = past_.deploy("r3");
  EXPECT_EQ(of("r1").kind, DataOf::Kind::point);
  EXPECT_EQ(of("r1").name, "rp-" + third);
}

TEST_F(ReleaseData, OfAReleaseThatWasLeftWithItsDataIsInTheSalvage) {
  past_.deploy("r1");
  const auto second = past_.deploy("r2");
  const auto back = past_.to_point_of(second, "r1");
  EXPECT_EQ(of("r2").kind, DataOf::Kind::undo);
  EXPECT_EQ(of("r2").name, "salvage-" + back);
}

TEST_F(ReleaseData, OfARewindThatFoundNothingIsItsRestorePoint) {
  past_.deploy("r1");
  const auto second = past_.deploy("r2");
  past_.to_point_of(second, "r1", false);
  EXPECT_EQ(of("r2").kind, DataOf::Kind::point);
  EXPECT_EQ(of("r2").name, "rp-" + second);
  EXPECT_EQ(of("r2").run, second) << "whose point it is, not who went back to it";
}

TEST_F(ReleaseData, OfACodeRollbackIsItsSafetyPointWhereThatCouldBeTaken) {
  past_.deploy("r1");
  past_.deploy("r2");
  const auto back = past_.rollback_of_code("r1");
  EXPECT_EQ(of("r2").name, "safety-" + back);
  past_.deploy("r3");
  past_.rollback_of_code("r1", false);
  EXPECT_EQ(of("r3").kind, DataOf::Kind::none);
  EXPECT_NE(of("r3").why_none.find("no safety point"), std::string::npos);
}

TEST_F(ReleaseData, InASalvageIsRefusedOnceALaterRunMigrated) {
  past_.deploy("r1");
  const auto second = past_.deploy("r2", true);
  past_.to_point_of(second, "r1");
  past_.deploy("r3");
  EXPECT_EQ(of("r2").kind, DataOf::Kind::undo) << "r3 migrated nothing";
  const auto fourth = past_.deploy("r4", true);
  EXPECT_EQ(of("r2").kind, DataOf::Kind::none);
  EXPECT_NE(of("r2").why_none.find("run " + fourth + " has migrated"), std::string::npos)
      << of("r2").why_none;
  EXPECT_EQ(of("r3").name, "rp-" + fourth) << "a point is whole, whatever came later";
}

TEST_F(ReleaseData, InASalvageIsThereWhenALaterUndoWasUndone) {
  past_.deploy("r1");
  const auto second = past_.deploy("r2", true);
  const auto back = past_.to_point_of(second, "r1");
  const auto undone = past_.undo_of(back, "r1");
  EXPECT_NE(of("r2").why_none.find("run " + undone), std::string::npos) << of("r2").why_none;
  past_.undo_of(undone, "r1");
  EXPECT_EQ(of("r2").name, "salvage-" + back);
}

TEST_F(ReleaseData, GoesThereAndBackAgainThroughSalvages) {
  past_.deploy("r1");
  const auto second = past_.deploy("r2", true);
  const auto back = past_.to_point_of(second, "r1");
  const auto forward = past_.undo_of(back, "r2");
  EXPECT_EQ(of("r1").name, "salvage-" + forward);
}

}  // namespace
}  // namespace belay::engine::testing
