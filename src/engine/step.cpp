// SPDX-License-Identifier: Apache-2.0
#include "engine/step.hpp"

#include <fmt/format.h>

namespace belay::engine {

Json StepContext::result_of(const std::string& id) const {
  const auto* record = history.record(id);
  return record != nullptr && record->state == pipeline::StepRecord::State::done ? record->result
                                                                                 : Json();
}

Status can_be_carried_out(const pipeline::Plan& plan, const StepTable& steps) {
  if (const auto found = pipeline::defects(plan); !found.empty())
    return fail(Fault::refused, "the plan cannot be carried out: " + found.front());
  for (const auto* list : {&plan.steps, &plan.back}) {
    for (const auto& step : *list) {
      const bool gate = step.kind == "approve" || step.kind == "lock" || step.kind == "ask";
      if (gate || steps.contains(step.kind)) continue;
      return fail(Fault::refused,
                  fmt::format("step {} is of the kind {}, which this program does not know; go on "
                              "with the newer belay that made the plan",
                              step.id, step.kind));
    }
  }
  return {};
}

}  // namespace belay::engine
