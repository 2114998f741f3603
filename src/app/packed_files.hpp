// SPDX-License-Identifier: Apache-2.0
// A commit's files as one archive, for platforms that take a tree.
#pragma once

#include "base/random.hpp"
#include "source/source.hpp"

namespace belay::app {

// The .tar.gz of this folder of the commit, its members named "./...", without node_modules. A copy
// is made in `work` meanwhile, and removed. missing: the commit has no such folder.
Result<std::string> packed_files(source::Source& source, const std::string& commit,
                                 const std::string& folder, const Path& work, Random& random,
                                 std::stop_token stop);

}  // namespace belay::app
