// SPDX-License-Identifier: Apache-2.0
// A target on its stand-in with trouble at each of its requests, or dead after each of them.
#pragma once

#include <gtest/gtest.h>

#include "tests/fake/stand_in.hpp"

namespace belay::contract {

using Steps = std::vector<std::function<Status()>>;

// From the first that is not over yet.
inline Status all_of(const Steps& steps) {
  for (const auto& step : steps) TRY(step());
  return {};
}

// How many requests the steps take, all being well.
template <class Subject>
int requests_of(Subject& on, const Steps& steps, const std::function<void()>& expect_well) {
  const auto done = all_of(steps);
  EXPECT_TRUE(done) << done.error().message();
  const int requests = on.stand_in.proxy().count();
  expect_well();
  return requests;
}

template <class Subject>
void in_trouble_at_each_request(Subject& on, const Steps& steps, const testing::HttpFault& fault,
                                const std::function<void()>& expect_well) {
  const int requests = requests_of(on, steps, expect_well);
  for (int number = 1; number <= requests; ++number) {
    SCOPED_TRACE("at request " + std::to_string(number));
    on.reset();
    on.stand_in.proxy().plan(testing::only(number, fault));
    const auto done = all_of(steps);
    EXPECT_TRUE(done) << done.error().message();
    expect_well();
  }
}

// Who goes on begins with the step that was under way, never with one that is over.
template <class Subject>
void dead_after_each_request(Subject& on, const Steps& steps,
                             const std::function<void()>& expect_well) {
  const int requests = requests_of(on, steps, expect_well);
  for (int number = 1; number <= requests; ++number) {
    SCOPED_TRACE("dead after request " + std::to_string(number));
    on.reset();
    on.stand_in.proxy().plan(testing::dead_after(number));
    bool dead = false;
    for (const auto& step : steps) {
      auto done = step();
      if (!done && !dead) {
        dead = true;
        on.stand_in.proxy().plan({});
        on.remake();
        done = step();
      }
      EXPECT_TRUE(done) << done.error().message();
    }
    on.stand_in.proxy().plan({});
    expect_well();
  }
}

}  // namespace belay::contract
