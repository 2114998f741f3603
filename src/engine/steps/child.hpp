// SPDX-License-Identifier: Apache-2.0
// A step that is a program of the user's: it outlives us, and is found again by the step's key.
#pragma once

#include "engine/step.hpp"

namespace belay::engine {

struct ChildRun {
  std::string command;  // for sh -c
  Path folder;
  Environment env;
  std::string user;
  Millis limit = std::chrono::hours(1);
};

// Starts it, or takes over the one that was started under the context's key; waits for its end.
// A non-zero status is an error with the last lines that it wrote. timeout when the limit ended
// it; an unknown effect when nobody can tell how it ended.
Result<std::string> run_child(const StepContext& context, const ChildRun& run);

// For StepKind::check: absent, adopt (running or ended) or unknown.
Result<Checked> check_child(const StepContext& context);
// For what touches nothing but a folder of its own: unknown is as good as absent.
Result<Checked> check_harmless_child(const StepContext& context);

// The folder for this attempt's copy of the commit, and the end of the copies of all attempts of
// this step, also of those that a killed process left.
Path copy_folder(const Path& work, const StepContext& context);
Status remove_copies(const Path& work, const StepContext& context);

}  // namespace belay::engine
