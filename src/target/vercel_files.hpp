// SPDX-License-Identifier: Apache-2.0
// The files of a deployment, as Vercel knows them: by the SHA-1 of what they hold.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"

namespace belay::target {

inline constexpr std::size_t largest_source_file = std::size_t{100} << 20;

struct SourceFile {
  Path path;
  std::string name;  // in the deployment
  std::string sha1;
  std::uintmax_t bytes = 0;
  unsigned mode = 0;
};

// All of the folder but node_modules and .git, by name.
Result<std::vector<SourceFile>> files_in(const Path& folder);

}  // namespace belay::target
