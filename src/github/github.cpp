// SPDX-License-Identifier: Apache-2.0
#include "github/github.hpp"

#include "base/text.hpp"
#include "github/parts.hpp"

namespace belay::github {

namespace {

class Github final : public Repository {
 public:
  Github(GithubConfig config, Clock& clock, Random& random)
      : api_(std::move(config), clock, random) {}

  std::string name() const override { return api_.repository(); }

  Status show(const Deployment& deployment, Stage stage, std::stop_token stop) override {
    return show_deployment(api_, deployment, stage, stop).in("deployment");
  }
  Status show(const CommitStatus& status, Stage stage, std::stop_token stop) override {
    return show_status(api_, status, stage, stop).in("commit status");
  }
  Status report(const Incident& incident, const News& news, std::stop_token stop) override {
    return report_in_issue(api_, incident, news, stop).in("issue");
  }
  Result<bool> close(const Incident& incident, const News& news, std::stop_token stop) override {
    return close_issue(api_, incident, news, stop).in("issue");
  }
  Result<WorkflowRun> workflow_run(std::int64_t id, std::stop_token stop) override {
    return read_workflow_run(api_, id, stop);
  }
  Result<std::vector<Review>> reviews(std::int64_t workflow_run, std::stop_token stop) override {
    return read_reviews(api_, workflow_run, stop);
  }
  Result<std::vector<std::string>> waits_for(std::int64_t workflow_run,
                                             std::stop_token stop) override {
    return read_waits(api_, workflow_run, stop);
  }
  Result<std::optional<EnvironmentRules>> environment(const std::string& name,
                                                      std::stop_token stop) override {
    return read_environment(api_, name, stop);
  }
  Status set_environment(const std::string& name, const EnvironmentRules& rules,
                         std::stop_token stop) override {
    return write_environment(api_, name, rules, stop).in("environment " + name);
  }
  Result<std::vector<std::string>> secrets(const std::string& environment,
                                           std::stop_token stop) override {
    return secret_names(api_, environment, stop);
  }
  Result<std::optional<Account>> account(const std::string& login, std::stop_token stop) override {
    return read_account(api_, login, stop);
  }
  Result<std::vector<PullRequest>> pulls_of(const std::string& commit,
                                            std::stop_token stop) override {
    return read_pulls(api_, commit, stop);
  }
  Status publish(const Release& release, std::stop_token stop) override {
    return publish_release(api_, release, stop).in("release " + release.tag);
  }
  Result<std::vector<Artifact>> artifacts(const std::string& name, std::stop_token stop) override {
    return list_artifacts(api_, name, stop).in("artifact " + name);
  }
  Status download(const Artifact& artifact, const Path& file, std::stop_token stop) override {
    return download_artifact(api_, artifact, file, stop).in("artifact " + artifact.name);
  }

 private:
  GithubApi api_;
};

constexpr std::string_view name_characters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

}  // namespace

std::unique_ptr<Repository> make_github(GithubConfig config, Clock& clock, Random& random) {
  while (config.endpoint.ends_with('/')) config.endpoint.pop_back();
  return std::make_unique<Github>(std::move(config), clock, random);
}

bool is_repository(const std::string& name) {
  const auto parts = split(name, '/');
  return parts.size() == 2 && std::all_of(parts.begin(), parts.end(), [](const auto& part) {
           return !part.empty() && part != "." && part != ".." &&
                  part.find_first_not_of(name_characters) == std::string::npos;
         });
}

std::string repository_of(const std::string& remote) {
  auto text = std::string(trim(remote));
  if (text.ends_with(".git")) text.resize(text.size() - 4);
  const auto scheme = text.find("://");
  const auto host = scheme == std::string::npos ? 0 : scheme + 3;
  // host:owner/name, as scp writes it, has no port.
  const auto after = text.find(scheme == std::string::npos ? ':' : '/', host);
  if (after == std::string::npos) return {};
  const auto name = text.substr(after + 1);
  return is_repository(name) ? name : "";
}

}  // namespace belay::github
