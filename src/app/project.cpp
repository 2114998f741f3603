// SPDX-License-Identifier: Apache-2.0
#include "app/project.hpp"

#include <fmt/format.h>

namespace belay::app {

void add_bare_environment(pipeline::Spec& spec) {
  if (!spec.environments.empty()) return;
  spec.environments.emplace_back();
  spec.environments.back().name = no_environment;
}

Result<pipeline::Spec> spec_of(const std::string& text, const std::string& name) {
  auto parsed = pipeline::parse_spec(text);
  if (parsed.complaints.empty() && parsed.spec) {
    add_bare_environment(*parsed.spec);
    return std::move(*parsed.spec);
  }
  return fail(Fault::invalid, pipeline::report(name, parsed.complaints));
}

Result<Project> load_project(const std::optional<Path>& named, const Path& here, Getenv env) {
  Project project;
  TRY_LET(project.file, find_project_file(named, here));
  project.folder = project.file.parent_path();
  TRY_LET(project.text, read_file(project.file));
  TRY_LET(project.spec, spec_of(project.text, project.file.filename().string()));
  TRY_LET(project.places, places_of(project.spec.project, project.spec.state, project.folder, env));
  project.env = std::move(env);
  return project;
}

const pipeline::Vault& vault_of(const pipeline::Spec& spec, const std::string& environment) {
  const auto* env = spec.environment(environment);
  return env != nullptr && env->vault ? *env->vault : spec.vault;
}

Path store_of(const pipeline::Vault& vault, const Places& places, const Path& project_folder) {
  if (!vault.store.starts_with("file:")) return places.vault();
  return (project_folder / vault.store.substr(5)).lexically_normal();
}

}  // namespace belay::app
