// SPDX-License-Identifier: Apache-2.0
// The order of things: which steps a deploy and a rollback have, and what takes each back. Pure.
#pragma once

#include <string>

#include "base/file.hpp"
#include "pipeline/plan.hpp"
#include "pipeline/policy.hpp"
#include "pipeline/spec.hpp"

namespace belay::app {

struct PlanParts {
  const pipeline::Spec* present = nullptr;
  const pipeline::Spec* release = nullptr;  // of the commit that will be live
  const pipeline::EnvironmentSpec* env = nullptr;
  const pipeline::Database* database = nullptr;
  const pipeline::Policy* policy = nullptr;
  std::vector<std::string> to_build = {};  // rollback: services whose version must be built anew
};

struct DataPlan {
  std::string point;     // a restore point to rewind to
  std::string undo;      // or a salvage whose rewind is undone
  std::string run = {};  // whose point or salvage it must be; empty: named by hand
  bool any() const { return !point.empty() || !undo.empty(); }
};

void deploy_steps(pipeline::Plan& plan, const PlanParts& parts);
void rollback_steps(pipeline::Plan& plan, const PlanParts& parts, const DataPlan& data, bool code);
// `args`: the salvage and the choice, as engine::apply_choice reads them.
void apply_steps(pipeline::Plan& plan, const PlanParts& parts, const Json& args);

// Each step says what takes it back, or why nothing does.
void say_undo(pipeline::Plan& plan);
void say_undo_of_data(pipeline::Step& migrate, bool restore_point, pipeline::DataReturn rule);

// The project's folder inside its work tree: "" or "apps/shop".
Path prefix_of(const Path& project_folder);

}  // namespace belay::app
