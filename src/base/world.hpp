// SPDX-License-Identifier: Apache-2.0
// The one seam to the world for engine, steps and journal: time, randomness, threads, child
// processes. Everything else they reach goes through the interfaces of floor 2. A test hands in a
// world of its own and replays a run exactly.
#pragma once

#include <functional>
#include <vector>

#include "base/children.hpp"
#include "base/clock.hpp"
#include "base/random.hpp"

namespace belay {

// Runs work side by side.
class Executor {
 public:
  virtual ~Executor() = default;
  // Runs all of `work` and returns when the last one has ended. The work may run at once, in any
  // order, or one after the other.
  virtual void run_all(std::vector<std::function<void()>> work) = 0;
};

class ThreadExecutor final : public Executor {
 public:
  void run_all(std::vector<std::function<void()>> work) override;
};

struct World {
  Clock& clock;
  Random& random;
  Executor& executor;
  Children& children;
};

}  // namespace belay
