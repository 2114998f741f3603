// SPDX-License-Identifier: Apache-2.0
// A version's files, from the commit of its release.
#pragma once

#include "engine/site.hpp"
#include "engine/step.hpp"

namespace belay::engine {

// Builds it unless it is built already (false). `key`: of the build's child.
Result<bool> prepare_version(Site& site, const StepContext& context, const target::Version& version,
                             const std::string& commit, const std::string& key);

// The same where the machine that had built it is gone. Nothing to do on platforms, which keep what
// they built. missing: nobody knows the release's commit.
Status prepare_here(Site& site, const StepContext& context, const target::Version& version);

// A copy of the run's commit for this attempt, which `user` may write in; the folder of the project
// within it. remove_copies() ends it. Empties what an earlier try left.
Result<Path> copy_for(Site& site, const StepContext& context, const std::string& user);

}  // namespace belay::engine
