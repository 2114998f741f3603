// SPDX-License-Identifier: Apache-2.0
// Killed at every call to the database and to the store, and started again.
#include <gtest/gtest.h>

#include "tests/vault/rewind_world.hpp"

namespace belay::vault::testing {
namespace {

struct Killed {};

// The good state, a point of it, and the state after the migration.
struct Scene {
  int orders;
  std::map<std::string, std::string> objects;
  Point point;
  Everything good, bad;

  explicit Scene(int count = 40) : orders(count) {
    World world;
    good_shop(world.database, orders);
    good = everything(world.database);
    point = world.take();
    objects = world.storage.objects();
    bad_migration(world.database, orders);
    bad = everything(world.database);
  }
  // The same again: UUIDs are given out in order, so they are the same too.
  std::unique_ptr<World> fresh() const {
    auto world = std::make_unique<World>(objects);
    good_shop(world->database, orders);
    bad_migration(world->database, orders);
    return world;
  }
};

using Act = std::function<Result<RewindReport>(World&)>;

int events_of(World& world, const Act& act) {
  int events = 0;
  world.database.plan.hook = [&](const std::string&, bool) { ++events; };
  auto report = act(world);
  EXPECT_TRUE(report) << report.error().message();
  world.database.plan.hook = nullptr;
  return events;
}

void run_killed_at(World& world, const Act& act, int event) {
  int seen = 0;
  world.database.plan.hook = [&](const std::string&, bool) {
    if (++seen == event) throw Killed{};
  };
  try {
    auto report = act(world);
    EXPECT_TRUE(report) << report.error().message();
  } catch (const Killed&) {}
  world.database.plan.hook = nullptr;
  world.reopen();
}

Result<RewindReport> do_rewind(World& world, const Scene& scene) {
  return world.rewind(scene.point);
}
Result<RewindReport> do_undo(World& world) {
  return world.undo();
}

void expect_ends_well(World& world, const Act& act, const Everything& goal, int event) {
  auto again = act(world);
  ASSERT_TRUE(again) << "killed at " << event << ": " << again.error().message();
  ASSERT_EQ(difference(goal, everything(world.database)), "") << "killed at " << event;
}

TEST(RewindSweep, KilledAtAnyDatabaseCallARewindConvergesAndCanBeUndone) {
  const Scene scene;
  const Act act = [&](World& world) { return do_rewind(world, scene); };
  auto first = scene.fresh();
  const int events = events_of(*first, act);
  ASSERT_EQ(difference(scene.good, everything(first->database)), "");
  ASSERT_GT(events, 60);
  for (int event = 1; event <= events; ++event) {
    auto world = scene.fresh();
    run_killed_at(*world, act, event);
    ASSERT_NO_FATAL_FAILURE(expect_ends_well(*world, act, scene.good, event));
    ASSERT_NO_FATAL_FAILURE(expect_ends_well(*world, do_undo, scene.bad, event));
  }
}

TEST(RewindSweep, KilledAtAnyDatabaseCallARewindCanBeUndoneWithoutGoingOn) {
  const Scene scene;
  const Act act = [&](World& world) { return do_rewind(world, scene); };
  const int events = events_of(*scene.fresh(), act);
  for (int event = 1; event <= events; ++event) {
    auto world = scene.fresh();
    run_killed_at(*world, act, event);
    auto undone = world->undo();
    ASSERT_TRUE(undone || undone.error().fault == Fault::missing) << undone.error().message();
    ASSERT_EQ(difference(scene.bad, everything(world->database)), "") << "killed at " << event;
  }
}

TEST(RewindSweep, KilledAtAnyDatabaseCallAnUndoConverges) {
  const Scene scene;
  auto rewound = [&] {
    auto world = scene.fresh();
    EXPECT_TRUE(do_rewind(*world, scene));
    return world;
  };
  const int events = events_of(*rewound(), do_undo);
  ASSERT_GT(events, 60);
  for (int event = 1; event <= events; ++event) {
    auto world = rewound();
    run_killed_at(*world, do_undo, event);
    ASSERT_NO_FATAL_FAILURE(expect_ends_well(*world, do_undo, scene.bad, event));
    auto back = world->undo("undo-1", "undo-2");
    ASSERT_TRUE(back) << back.error().message();
    ASSERT_EQ(difference(scene.good, everything(world->database)), "") << "killed at " << event;
  }
}

TEST(RewindSweep, KilledTwiceARewindOfSeveralBatchesConverges) {
  const Scene scene(520);
  const Act act = [&](World& world) { return do_rewind(world, scene); };
  const int events = events_of(*scene.fresh(), act);
  for (int event = 3; event <= events; event += 7) {
    auto world = scene.fresh();
    run_killed_at(*world, act, event);
    run_killed_at(*world, act, events - event);
    ASSERT_NO_FATAL_FAILURE(expect_ends_well(*world, act, scene.good, event));
    ASSERT_NO_FATAL_FAILURE(expect_ends_well(*world, do_undo, scene.bad, event));
  }
}

TEST(RewindSweep, KilledAtAnyCallToTheStoreARewindConvergesAndCanBeUndone) {
  const Scene scene;
  const Act act = [&](World& world) { return do_rewind(world, scene); };
  auto first = scene.fresh();
  first->storage.revive();
  ASSERT_TRUE(act(*first));
  const int calls = first->storage.calls();
  ASSERT_GT(calls, 5);
  for (int call = 1; call <= calls; ++call) {
    for (bool half : {false, true}) {
      auto world = scene.fresh();
      world->storage.revive();
      world->storage.die_at(call, half);
      auto killed = act(*world);
      world->storage.revive();
      world->reopen();
      ASSERT_NO_FATAL_FAILURE(expect_ends_well(*world, act, scene.good, call));
      ASSERT_NO_FATAL_FAILURE(expect_ends_well(*world, do_undo, scene.bad, call));
    }
  }
}

TEST(RewindSweep, ALostReplyOfAnyWriteIsSettledByReading) {
  const Scene scene;
  const Act act = [&](World& world) { return do_rewind(world, scene); };
  auto first = scene.fresh();
  ASSERT_TRUE(act(*first));
  for (const std::string call : {"apply", "insert", "drop", "create", "rename", "create_indexes",
                                 "drop_index", "modify", "barrier"}) {
    for (int nth = 1; nth <= first->database.plan.count(call); ++nth) {
      auto world = scene.fresh();
      world->database.plan.on(call, fake::Trouble::lose_reply, nth);
      auto once = act(*world);
      ASSERT_NO_FATAL_FAILURE(expect_ends_well(*world, act, scene.good, nth)) << call;
    }
  }
}

}  // namespace
}  // namespace belay::vault::testing
