// SPDX-License-Identifier: Apache-2.0
// Who started a workflow's run, and who let it pass its environments.
#include <fmt/format.h>

#include "github/parts.hpp"

namespace belay::github {

namespace {

std::string path_of(std::int64_t id, const char* what = "") {
  return fmt::format("/actions/runs/{}{}", id, what);
}

Error lacks(const char* what) {
  return fail(Fault::corrupt, fmt::format("GitHub's answer has {}", what));
}

}  // namespace

Result<WorkflowRun> read_workflow_run(GithubApi& api, std::int64_t id,
                                      const std::stop_token& stop) {
  TRY_LET(const auto json, api.get(path_of(id), stop));
  WorkflowRun run;
  run.id = number_in(json, "id").value_or(0);
  run.attempt = static_cast<int>(number_in(json, "run_attempt").value_or(0));
  run.actor = text_in(member_in(json, "actor"), "login");
  run.triggering_actor = text_in(member_in(json, "triggering_actor"), "login");
  run.page = text_in(json, "html_url");
  if (run.id != id || run.attempt < 1 || run.actor.empty() || run.triggering_actor.empty())
    return lacks("a workflow's run without number, attempt or who started it");
  TRY_LET(run.created, parse_time(text_in(json, "created_at")).in("GitHub, when the run began"));
  return run;
}

Result<std::vector<Review>> read_reviews(GithubApi& api, std::int64_t id,
                                         const std::stop_token& stop) {
  TRY_LET(const auto json, api.get(path_of(id, "/approvals"), stop));
  if (!json.is_array()) return lacks("no list of reviews");
  std::vector<Review> reviews;
  for (const auto& each : json) {
    const auto& user = member_in(each, "user");
    const auto& environments = member_in(each, "environments");
    Review review{text_in(user, "login"),
                  number_in(user, "id").value_or(0),
                  text_in(each, "state"),
                  text_in(each, "comment"),
                  {}};
    if (review.login.empty() || review.user == 0 || !environments.is_array())
      return lacks("a review without its user or its environments");
    for (const auto& environment : environments)
      review.environments.push_back(text_in(environment, "name"));
    reviews.push_back(std::move(review));
  }
  return reviews;
}

Result<std::vector<std::string>> read_waits(GithubApi& api, std::int64_t id,
                                            const std::stop_token& stop) {
  TRY_LET(const auto json, api.get(path_of(id, "/pending_deployments"), stop));
  if (!json.is_array()) return lacks("no list of what waits");
  std::vector<std::string> names;
  for (const auto& each : json) names.push_back(text_in(member_in(each, "environment"), "name"));
  return names;
}

}  // namespace belay::github
