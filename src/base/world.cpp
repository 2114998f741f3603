// SPDX-License-Identifier: Apache-2.0
#include "base/world.hpp"

#include <thread>

namespace belay {

void ThreadExecutor::run_all(std::vector<std::function<void()>> work) {
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < work.size(); ++i) threads.emplace_back(work[i]);
  if (!work.empty()) work.front()();
}

}  // namespace belay
