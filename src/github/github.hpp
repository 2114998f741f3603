// SPDX-License-Identifier: Apache-2.0
// A repository on GitHub, as people see it there: deployments and statuses, issues, who let a
// workflow's run pass, environments and their rules, what jobs left. GitHub takes no key that makes
// an order idempotent: what we make carries a mark of ours, and is looked for by it before it is
// made, and again after a lost answer. Each function may so be called again, by any process.
//
// Errors: denied (the token, or its rights), missing (or not to be seen by this token), refused,
// busy (a rate limit that lasts longer than we wait), unreachable, corrupt; with what was asked.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "net/patience.hpp"
#include "net/trust.hpp"

namespace belay::github {

struct GithubConfig {
  std::string repository;  // "owner/name"
  Secret token;
  std::string endpoint = "https://api.github.com";
  net::Trust trust = {};
  Millis limit = std::chrono::seconds(10);  // of one request
  net::Patience patience = {3, Millis(500), Millis(5'000), Millis(60'000)};
  std::uint64_t part_bytes = std::uint64_t{8} << 20;  // of a file, at once in memory
};

// How far something is that GitHub shows.
enum class Stage { under_way, well, failed, given_up };

struct Deployment {
  std::string mark;  // unlike any other's
  std::string commit, environment, description;
  std::string task = "deploy";
  std::string page = {}, log = {};  // where customers are; where the run's log is; may be empty
};

struct CommitStatus {
  std::string commit, context, description;  // context: "belay/production"
  std::string page = {};
};

struct Incident {                   // what an issue is about
  std::string mark;                 // the same for all news of it
  std::vector<std::string> labels;  // at least one; by the first an open issue is found again
};
struct News {  // one thing that is told in it
  std::string mark;
  std::string title, text;  // Markdown
};

struct WorkflowRun {
  std::int64_t id = 0;
  int attempt = 0;
  std::string actor, triggering_actor;  // who started it; who started this attempt
  std::string page;
  TimePoint created{};
};

struct Review {       // of a workflow's run that waited for an environment
  std::string login;  // whose
  std::int64_t user = 0;
  std::string state, comment;  // "approved", "rejected"
  std::vector<std::string> environments;
};

struct BranchRule {
  enum class Kind { any, protected_ones, patterns } kind = Kind::any;
  std::vector<std::string> patterns = {};
  bool operator==(const BranchRule&) const = default;
};
struct Account {
  std::int64_t id = 0;
  std::string login;
};
struct EnvironmentRules {
  std::vector<Account> reviewers = {};  // people
  int teams = 0;                        // that may review besides
  bool prevent_self_review = false;
  int wait_minutes = 0;
  BranchRule branches = {};
};

struct PullRequest {
  std::int64_t number = 0;
  std::string title, author, merged_by;
};

struct Artifact {  // a file that a job of a workflow left
  std::int64_t id = 0;
  std::string name;
  std::uint64_t bytes = 0;
  std::string sha256;  // hex, as GitHub has it of its bytes; "" where it has none
  TimePoint created{};
  std::int64_t workflow_run = 0;
};

struct Release {
  std::string tag, title, text;  // Markdown
};

// Safe from many threads.
class Repository {
 public:
  virtual ~Repository() = default;
  virtual std::string name() const = 0;  // "owner/name"

  // GitHub's page shows this deployment at this stage; made where it is not. One that is well makes
  // the one that was well before it, and is marked by us, inactive.
  virtual Status show(const Deployment& deployment, Stage stage, std::stop_token stop) = 0;
  virtual Status show(const CommitStatus& status, Stage stage, std::stop_token stop) = 0;

  // In the open issue of this incident; opened where there is none. refused: issues are switched
  // off, or the labels were dropped because the token may not push (then the issue stands, and will
  // not be found again).
  virtual Status report(const Incident& incident, const News& news, std::stop_token stop) = 0;
  // Told in it, and closed. False: no issue was open.
  virtual Result<bool> close(const Incident& incident, const News& news, std::stop_token stop) = 0;

  virtual Result<WorkflowRun> workflow_run(std::int64_t id, std::stop_token stop) = 0;
  // All that were ever given on it, whichever attempt they were for: GitHub does not say.
  virtual Result<std::vector<Review>> reviews(std::int64_t workflow_run, std::stop_token stop) = 0;
  // The environments that it waits for a review of, now.
  virtual Result<std::vector<std::string>> waits_for(std::int64_t workflow_run,
                                                     std::stop_token stop) = 0;

  // Nothing: there is no such environment.
  virtual Result<std::optional<EnvironmentRules>> environment(const std::string& name,
                                                              std::stop_token stop) = 0;
  // Made, or made to be so; its secrets stay. Teams that may review it do not.
  virtual Status set_environment(const std::string& name, const EnvironmentRules& rules,
                                 std::stop_token stop) = 0;
  virtual Result<std::vector<std::string>> secrets(const std::string& environment,
                                                   std::stop_token stop) = 0;  // their names
  // Nothing: nobody is called so.
  virtual Result<std::optional<Account>> account(const std::string& login,
                                                 std::stop_token stop) = 0;

  // Merged ones that brought this commit.
  virtual Result<std::vector<PullRequest>> pulls_of(const std::string& commit,
                                                    std::stop_token stop) = 0;
  // There is one of this tag afterwards; one that is there stays as it is. missing: the tag is not
  // there.
  virtual Status publish(const Release& release, std::stop_token stop) = 0;

  // Those of this name that are still kept, newest first.
  virtual Result<std::vector<Artifact>> artifacts(const std::string& name,
                                                  std::stop_token stop) = 0;
  // Its bytes, as they were uploaded, in a new file; there is none after a failure. corrupt: they
  // are not those of its SHA-256, or it has none.
  virtual Status download(const Artifact& artifact, const Path& file, std::stop_token stop) = 0;
};

// Connects to nothing yet.
std::unique_ptr<Repository> make_github(GithubConfig config, Clock& clock, Random& random);

// "owner/name" of a clone's remote: https://host/owner/name(.git), git@host:owner/name.git,
// ssh://git@host/owner/name. "" for anything else.
std::string repository_of(const std::string& remote);
bool is_repository(const std::string& name);  // "owner/name"

}  // namespace belay::github
