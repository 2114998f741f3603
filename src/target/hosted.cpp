// SPDX-License-Identifier: Apache-2.0
#include "target/hosted.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace belay::target {

VariableNames beside(const Shown& shown, const Environment& wanted) {
  VariableNames names;
  for (const auto& [name, value] : wanted) {
    const auto at = shown.find(name);
    auto& set = at == shown.end()               ? names.added
                : !at->second                   ? names.unreadable
                : at->second->reveal() == value ? names.same
                                                : names.changed;
    set.insert(name);
  }
  for (const auto& [name, value] : shown) {
    if (!wanted.contains(name)) names.others.insert(name);
  }
  return names;
}

Status until_shown(const std::function<Result<VariableNames>()>& look, Clock& clock,
                   const char* platform, const std::stop_token& stop) {
  VariableNames now;
  for (int n = 0; n < looks_for_lost; ++n) {
    TRY_LET(now, look());
    if (now.changed.empty()) return {};
    if (!clock.sleep(between_looks, stop))
      return unknown_effect(Fault::cancelled, "stopped while variables are set");
  }
  return unknown_effect(
      Fault::unreachable,
      fmt::format("{} took the variables, and goes on showing another value of {}", platform,
                  join({now.changed.begin(), now.changed.end()}, ", ")));
}

bool LongWait::pause(const std::stop_token& stop) const {
  using std::chrono::seconds;
  const Millis waited = clock_.steady() - begun_;
  const Millis next = waited < seconds(15)   ? seconds(1)
                      : waited < seconds(60) ? seconds(5)
                                             : seconds(15);
  return clock_.sleep(next, stop);
}

}  // namespace belay::target
