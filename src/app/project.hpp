// SPDX-License-Identifier: Apache-2.0
// One belay.yaml, read, with the places that belong to it.
#pragma once

#include <functional>

#include "app/places.hpp"
#include "base/secret.hpp"
#include "pipeline/spec.hpp"

namespace belay::app {

struct Project {
  Path file, folder;
  std::string text;
  pipeline::Spec spec;
  Places places;
  Getenv env;
  std::function<void(const Secret&)> on_secret = {};  // see Secrets
};

// invalid, with all complaints of the file, one a line, when it has any.
Result<Project> load_project(const std::optional<Path>& named, const Path& here, Getenv env);

// A text of belay.yaml, held against all rules. One that a release was shipped with is read by
// stored_spec.hpp.
Result<pipeline::Spec> spec_of(const std::string& text, const std::string& name);

// An environment's own, else the project's.
const pipeline::Vault& vault_of(const pipeline::Spec& spec, const std::string& environment);
// The folder of a vault; names in belay.yaml are from the project's folder.
Path store_of(const pipeline::Vault& vault, const Places& places, const Path& project_folder);

// An environment for a project that has none: only a database and a vault.
constexpr const char* no_environment = "database";
void add_bare_environment(pipeline::Spec& spec);  // to one that has none

}  // namespace belay::app
