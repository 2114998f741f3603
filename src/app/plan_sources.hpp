// SPDX-License-Identifier: Apache-2.0
// What all plans are made from: the environment, the policy that rules it, what releases were
// built from, and how long steps took before.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/machine.hpp"
#include "app/stored_spec.hpp"
#include "engine/releases.hpp"
#include "pipeline/plan.hpp"
#include "pipeline/policy.hpp"
#include "source/source.hpp"

namespace belay::app {

// invalid, with the nearest name, when belay.yaml has no such environment.
Result<const pipeline::EnvironmentSpec*> environment_of(const pipeline::Spec& spec,
                                                        const std::string& name);

// What the journal knows of the environment's releases. refused: the environment's folder belongs
// to another journal.
Result<engine::Releases> releases_of(Desk& desk, const std::string& environment);

// belay.yaml of a commit; nothing when the commit has none.
Result<std::optional<std::string>> file_at(source::Source& source, const Project& project,
                                           const std::string& commit);

// Null where no work tree is. A work tree that cannot be read is an error.
Result<std::unique_ptr<source::Source>> source_of(const Path& folder);

struct PolicyChoice {
  pipeline::Policy policy;
  std::optional<pipeline::Policy> wanted;  // asks less, and counts once this run is approved
  std::string text, from;
  std::vector<std::string> notes;
};

// From the protected branch; where that has none for this project, the present file's, and one
// weaker than the recorded one does not count before a run was approved under that one.
Result<PolicyChoice> choose_policy(Desk& desk, source::Source* source,
                                   const std::string& environment);

// Into the plan's facts.
void put_policy(pipeline::Plan& plan, const PolicyChoice& choice);

// What is connected to without a look at its certificates, into the plan's facts: whoever approves
// agrees to it.
void put_unchecked(pipeline::Plan& plan, const pipeline::Tls& tls);

// The commit belongs to one of the branches that are allowed (none named: to any). refused, naming
// what is allowed.
Status branch_rule(source::Source& source, const std::vector<std::string>& allowed,
                   const std::string& environment, const std::string& commit);

// What changes for each service when `to` takes the place of `from` (empty: nothing is live): the
// subjects of the commits that come in and go out, newest first, or why they are not known.
Json changes_between(source::Source* source, const pipeline::Spec& spec,
                     const pipeline::EnvironmentSpec& env, const Path& project_folder,
                     const std::string& from, const std::string& to);

// At most so many of a list that may be endless, and how many there are besides.
void put_some(Json& notes, const char* name, const std::vector<std::string>& all);

// invalid, naming what is large, when the journal would not take the plan.
Status fits_the_journal(const pipeline::Plan& plan);

// Milliseconds that a way back's steps took, by step ("switch", "start:web", "rewind"), whichever
// runs they were of: the median of the last five.
Json times_back(Desk& desk, const std::string& environment);

// What people should know before they say yes: the budget of the way back, the overlap of old and
// new code. For notes.
Json warnings_of(const pipeline::Plan& plan, const pipeline::EnvironmentSpec& env);

// The secrets that are others than when `tag` was last started, by name; null where it has none.
// A note.
Json secrets_since(const Desk& desk, const pipeline::Spec& release,
                   const pipeline::EnvironmentSpec& env, const std::string& tag);

// Services on platforms that are given variables: how those there differ from what the plan's
// release is to have, by name, and which secrets are others than when it was made. Or why that is
// not known. Asks the platforms; null where no service is given any. A note.
Json variables_there(Desk& desk, const pipeline::Plan& plan, const pipeline::Spec& release,
                     const pipeline::EnvironmentSpec& env);

// belay.yaml of `tag` can be started again, as far as this plan needs it; what today's rules say
// against it goes into the notes.
Status tell_old_file(pipeline::Plan& plan, const StoredSpec& stored, const Needs& needs);

// Milliseconds by step: the median of the last five runs of this pipeline.
Json estimates(Desk& desk, const pipeline::Plan& plan);

// belay.yaml that the release was built from: needed to start it again. "" for none.
std::string text_of_release(Desk& desk, const engine::Release* release);

}  // namespace belay::app
