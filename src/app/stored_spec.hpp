// SPDX-License-Identifier: Apache-2.0
// belay.yaml of a release as its run keeps it. It was accepted when it was shipped: what the rules
// of today say against it is told, and keeps nobody from going back. Only where something is not
// read that the release needs, it cannot be started again. docs/decisions/0008-a-plan-is-data.md
#pragma once

#include <string>
#include <vector>

#include "pipeline/plan.hpp"
#include "pipeline/spec.hpp"

namespace belay::app {

struct StoredSpec {
  std::string tag;
  pipeline::Spec spec;
  std::vector<pipeline::Complaint> complaints;
};
// invalid when the text cannot be read at all.
Result<StoredSpec> stored_spec(const std::string& text, const std::string& tag);

struct Needs {
  const pipeline::EnvironmentSpec* env = nullptr;  // of the present file: it places the services
  std::vector<std::string> built = {};             // those that are built anew
  bool checks = true;
};
// Of a plan's release; `live`: of what is live, which the way back starts again.
Needs needs_of(const pipeline::Plan& plan, const pipeline::EnvironmentSpec& env, bool live = false);

// invalid, with all places, when a value that is needed is not read: an empty variable, or a check
// that is none, would be worse than to refuse.
Status can_be_started(const StoredSpec& stored, const Needs& needs);

// What today's rules say against it, a line each: for the plan's notes.
std::vector<std::string> remarks(const StoredSpec& stored);

}  // namespace belay::app
