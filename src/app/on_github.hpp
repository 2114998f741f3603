// SPDX-License-Identifier: Apache-2.0
// What a run has to do with GitHub: it is shown there, and may be approved there.
#pragma once

#include "app/wire.hpp"
#include "github/github.hpp"

namespace belay::app {

// "OWNER/NAME" of the clone's remote; "" when that is not on GitHub.
std::string repository_of_clone(const std::string& folder);

// Where the repository is: by belay.yaml, else by the job's environment, else by the clone's
// remote. missing, naming what was looked at; also for a token that has no value.
// The clock and the random numbers must outlive it.
Result<std::unique_ptr<github::Repository>> repository_on_github(const Getenv& env,
                                                                 const pipeline::Github& wanted,
                                                                 const std::string& folder,
                                                                 Secrets& secrets, Clock& clock,
                                                                 Random& random, net::Trust trust);

// The project's own, as its belay.yaml and environment name it. invalid: it has no github:.
Result<std::unique_ptr<github::Repository>> repository_of_project(Desk& desk);

struct OnGithub {
  std::vector<std::unique_ptr<notify::Notifier>> followers;
  std::function<Result<Json>(const pipeline::Plan& plan, std::stop_token stop)> reviews;
};

// For a plan of a run; nothing for one without steps. Connects to nothing yet. A token that is
// missing keeps nobody from a deploy or a rollback: then each telling says so. invalid: the plan is
// to be approved on GitHub, and was not made in a workflow's run there.
Result<OnGithub> on_github(Desk& desk, const pipeline::Plan& plan, const engine::Site& site,
                           const ConfigTexts& texts, std::shared_ptr<Secrets> secrets);

// Somebody could let the plan's gate pass. In a workflow's run on GitHub, whose reviews are to
// count, the plan gets that run (facts.workflow), and who started it as its requester. denied: a
// further attempt of a run.
Status settle_gate(Desk& desk, pipeline::Plan& plan);

// The page of the workflow's run that this process is a job of; "" elsewhere.
std::string job_page(const Getenv& env);

// Tells how releases fare by deployments and commit statuses; and of what went wrong in issues.
struct Followed {
  std::shared_ptr<github::Repository> repository;
  std::string page, log;  // where customers are; the job's page
  std::function<std::string(std::string_view text)> mask;
};
std::unique_ptr<notify::Notifier> make_deployment_follower(Followed followed);
std::unique_ptr<notify::Notifier> make_issue_follower(Followed followed,
                                                      std::vector<std::string> labels);

// What ships gets a release there, once its tag is pushed.
std::unique_ptr<notify::Notifier> make_release_follower(Followed followed);

// Who merged what comes in with a deploy over `from`, for people: notes.pulls, or why it is not
// known, notes.pulls_unknown.
void note_pulls(Desk& desk, source::Source& source, pipeline::Plan& plan, const std::string& from);

}  // namespace belay::app
