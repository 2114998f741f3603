// SPDX-License-Identifier: Apache-2.0
// The parts of a repository, one file each.
#pragma once

#include "github/github_api.hpp"

namespace belay::github {

// GitHub takes no longer description of a state.
std::string short_text(const std::string& text);

Status show_deployment(GithubApi& api, const Deployment& deployment, Stage stage,
                       const std::stop_token& stop);
Status show_status(GithubApi& api, const CommitStatus& status, Stage stage,
                   const std::stop_token& stop);

Status report_in_issue(GithubApi& api, const Incident& incident, const News& news,
                       const std::stop_token& stop);
Result<bool> close_issue(GithubApi& api, const Incident& incident, const News& news,
                         const std::stop_token& stop);

Result<WorkflowRun> read_workflow_run(GithubApi& api, std::int64_t id, const std::stop_token& stop);
Result<std::vector<Review>> read_reviews(GithubApi& api, std::int64_t id,
                                         const std::stop_token& stop);
Result<std::vector<std::string>> read_waits(GithubApi& api, std::int64_t id,
                                            const std::stop_token& stop);

Result<std::optional<EnvironmentRules>> read_environment(GithubApi& api, const std::string& name,
                                                         const std::stop_token& stop);
Status write_environment(GithubApi& api, const std::string& name, const EnvironmentRules& rules,
                         const std::stop_token& stop);
Result<std::vector<std::string>> secret_names(GithubApi& api, const std::string& name,
                                              const std::stop_token& stop);
Result<std::optional<Account>> read_account(GithubApi& api, const std::string& login,
                                            const std::stop_token& stop);

Result<std::vector<PullRequest>> read_pulls(GithubApi& api, const std::string& commit,
                                            const std::stop_token& stop);
Status publish_release(GithubApi& api, const Release& release, const std::stop_token& stop);

Result<std::vector<Artifact>> list_artifacts(GithubApi& api, const std::string& name,
                                             const std::stop_token& stop);
Status download_artifact(GithubApi& api, const Artifact& artifact, const Path& file,
                         const std::stop_token& stop);

}  // namespace belay::github
