// SPDX-License-Identifier: Apache-2.0
#include "app/plan_sources.hpp"

#include <fmt/format.h>

#include "app/own_journal.hpp"
#include "app/plan_steps.hpp"
#include "app/trust.hpp"
#include "app/wire.hpp"
#include "base/text.hpp"
#include "pipeline/gate.hpp"

namespace belay::app {

using pipeline::EnvironmentSpec;
using pipeline::Plan;
using pipeline::Policy;
using pipeline::Spec;

namespace {

// The policy that the environment's runs have made the recorded one, to be compared with.
Result<std::optional<Policy>> last_recorded(Desk& desk, const std::string& environment) {
  constexpr int every_run = 1'000'000;
  TRY_LET(auto rows, desk.journal->runs(environment, every_run));
  for (const auto& row : rows) {
    TRY_LET(auto loaded, engine::load_run(*desk.journal, row.run));
    TRY_LET(auto policy,
            pipeline::settled_policy(loaded.plan, loaded.history).in("run " + row.run));
    if (policy) return policy;
  }
  return std::optional<Policy>();
}

Result<std::optional<std::string>> text_at(source::Source& source, const std::string& commit,
                                           const Path& path) {
  auto text = source.read(commit, path.lexically_normal().string());
  if (text) return std::optional(std::move(*text));
  if (text.error().fault == Fault::missing) return std::optional<std::string>();
  return std::move(text).error();
}

// This very file. A file that the branch does not have (another name, a folder of its own) does not
// take this project out of what the branch's belay.yaml, beside it or above it, says of it.
Result<std::optional<std::string>> ruling_text(source::Source& source, const Project& project,
                                               const std::string& commit) {
  TRY_LET(auto same, file_at(source, project, commit));
  if (same) return same;
  for (Path folder = prefix_of(project.folder);; folder = folder.parent_path()) {
    TRY_LET(auto text, text_at(source, commit, folder / "belay.yaml"));
    if (text) {
      TRY_LET(auto spec, spec_of(*text, (folder / "belay.yaml").string() + " of " + commit));
      if (spec.project == project.spec.project) return text;
    }
    if (folder.empty()) return std::optional<std::string>();
  }
}

}  // namespace

Path prefix_of(const Path& project_folder) {
  std::error_code code;
  for (Path folder = project_folder;; folder = folder.parent_path()) {
    if (std::filesystem::exists(folder / ".git", code)) {
      const Path prefix = project_folder.lexically_relative(folder);
      return prefix == "." ? Path() : prefix;
    }
    if (folder == folder.parent_path()) return {};
  }
}

Result<engine::Releases> releases_of(Desk& desk, const std::string& environment) {
  TRY(check_own_journal(*desk.journal, desk.project.places.environment(environment)));
  return engine::read_releases(*desk.journal, environment);
}

Result<const EnvironmentSpec*> environment_of(const Spec& spec, const std::string& name) {
  const auto* found = spec.environment(name);
  if (found != nullptr) return found;
  std::vector<std::string> known;
  for (const auto& one : spec.environments) known.push_back(one.name);
  const auto near = nearest(name, known);
  return fail(Fault::invalid,
              fmt::format("belay.yaml has no environment {}{}; known here: {}", name,
                          near.empty() ? "" : "; did you mean " + near, join(known, ", ")));
}

Result<std::optional<std::string>> file_at(source::Source& source, const Project& project,
                                           const std::string& commit) {
  return text_at(source, commit, prefix_of(project.folder) / project.file.filename());
}

Result<std::unique_ptr<source::Source>> source_of(const Path& folder) {
  auto found = source::make_git(folder);
  if (found || found.error().fault != Fault::missing) return found;
  // No git program, or a broken work tree, is not the same as none.
  std::error_code code;
  for (Path at = folder;; at = at.parent_path()) {
    if (std::filesystem::exists(at / ".git", code)) return found;
    if (at == at.parent_path()) return std::unique_ptr<source::Source>();
  }
}

Result<PolicyChoice> choose_policy(Desk& desk, source::Source* source,
                                   const std::string& environment) {
  PolicyChoice choice;
  std::optional<source::Commit> head;
  if (source != nullptr) {
    TRY_LET(head, source->protected_head());
  }
  std::optional<std::string> ruling;
  if (head) {
    TRY_LET(ruling, ruling_text(*source, desk.project, head->id));
  }
  choice.text = ruling.value_or(desk.project.text);
  choice.from = ruling ? "the protected branch at " + head->id.substr(0, 7)
                : head ? "the present file (the protected branch has none)"
                       : "the present file";
  TRY_LET(auto spec, spec_of(choice.text, "belay.yaml of " + choice.from));
  TRY_LET(const auto* env, environment_of(spec, environment));
  choice.policy = pipeline::policy_of(spec, *env);
  if (ruling) return choice;
  TRY_LET(auto recorded, last_recorded(desk, environment));
  if (!recorded) return choice;
  const auto less = pipeline::weaker(choice.policy, *recorded);
  if (less.empty()) return choice;
  choice.notes.push_back("belay.yaml asks less than the last run did (" + join(less, "; ") +
                         "); this run is approved under the former rule, and with that the new "
                         "one");
  choice.wanted = std::exchange(choice.policy, std::move(*recorded));
  choice.from = "the last run's record";
  return choice;
}

void put_policy(Plan& plan, const PolicyChoice& choice) {
  plan.facts["policy"] = pipeline::to_json(choice.policy);
  plan.facts["policy_from"] = choice.from;
  if (choice.wanted) plan.facts["policy_wanted"] = pipeline::to_json(*choice.wanted);
}

void put_unchecked(Plan& plan, const pipeline::Tls& tls) {
  for (const auto& each : tls.unchecked)
    plan.facts["unchecked"].push_back(unchecked_text(each.endpoint, each.because));
}

Status branch_rule(source::Source& source, const std::vector<std::string>& allowed,
                   const std::string& environment, const std::string& commit) {
  if (allowed.empty()) return {};
  TRY_LET(auto branches, source.branches_with(commit));
  for (const auto& branch : branches) {
    if (pipeline::branch_allowed(allowed, branch)) return {};
  }
  return pipeline::check_branch(environment, allowed, branches.empty() ? "" : branches.front())
      .in(commit.substr(0, 7));
}

// What the live release was built from: needed to start it again.
std::string text_of_release(Desk& desk, const engine::Release* release) {
  if (release == nullptr) return {};
  auto loaded = engine::load_run(*desk.journal, release->run);
  if (!loaded) return {};
  auto texts = config_of(loaded->plan);
  return texts ? texts->release : std::string();
}

}  // namespace belay::app
