// SPDX-License-Identifier: Apache-2.0
// A project whose only machine is GitHub Actions: backend on Railway, frontend at Vercel, restore
// points in a bucket. What `belay init --github` writes. Reads and writes nothing.
#pragma once

#include <string>
#include <vector>

#include "app/inspect.hpp"

namespace belay::app {

struct WrittenFile {
  std::string path;  // in the repository
  std::string text;
};

// belay.yaml, four workflows, and the action by which they get Belay. Nothing ships to production
// before `people` are in the first: "{ amina: { github: LOGIN }, leo: { ... } }".
// `repository` is "OWNER/NAME", or empty: then whoever starts a job says which it is.
std::vector<WrittenFile> github_files(const Found& found, const std::string& repository,
                                      const std::string& people = {});

// A template of src/app/github/, by its file's name.
std::string github_template(const std::string& name);

}  // namespace belay::app
