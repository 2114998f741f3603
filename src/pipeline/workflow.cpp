// SPDX-License-Identifier: Apache-2.0
#include "pipeline/workflow.hpp"

#include <fmt/format.h>

namespace belay::pipeline {

namespace {

template <class T, class Read>
Result<T> guarded(const char* what, Read read) {
  try {
    return read();
  } catch (const Json::exception& e) {
    return fail(Fault::corrupt, fmt::format("the stored {} cannot be read: {}", what, e.what()));
  }
}

Result<Workflow> workflow_from_json(const Json& json) {
  Workflow workflow;
  TRY(guarded<Done>("workflow", [&] {
    json.at("repository").get_to(workflow.repository);
    json.at("run").get_to(workflow.run);
    json.at("attempt").get_to(workflow.attempt);
    json.at("actor").get_to(workflow.actor);
    json.at("environments").get_to(workflow.environments);
    return Done{};
  }));
  TRY_LET(workflow.created, parse_time(text_in(json, "created")));
  return workflow;
}

}  // namespace

Json to_json(const Workflow& workflow) {
  return {{"repository", workflow.repository},    {"run", workflow.run},
          {"attempt", workflow.attempt},          {"actor", workflow.actor},
          {"created", to_text(workflow.created)}, {"environments", workflow.environments}};
}

std::optional<Workflow> workflow_of(const Plan& plan) {
  if (!plan.facts.contains("workflow")) return std::nullopt;
  auto read = workflow_from_json(plan.facts["workflow"]);
  return read ? std::optional(std::move(read).value()) : std::nullopt;
}

std::vector<std::string> gate_environments(const std::string& environment, bool back,
                                           int required) {
  std::vector<std::string> names{back ? environment + "-rollback" : environment};
  for (int gate = 2; gate <= required; ++gate)
    names.push_back(fmt::format("{}-gate-{}", environment, gate));
  return names;
}

Json to_json(const Review& review) {
  return {{"repository", review.repository},
          {"run", review.run},
          {"attempt", review.attempt},
          {"user", {{"id", review.user}, {"login", review.login}}},
          {"state", review.state},
          {"comment", review.comment},
          {"environments", review.environments}};
}

Result<Review> review_from_json(const Json& json) {
  return guarded<Review>("review", [&] {
    Review review;
    json.at("repository").get_to(review.repository);
    json.at("run").get_to(review.run);
    json.at("attempt").get_to(review.attempt);
    json.at("user").at("id").get_to(review.user);
    json.at("user").at("login").get_to(review.login);
    json.at("state").get_to(review.state);
    json.at("comment").get_to(review.comment);
    json.at("environments").get_to(review.environments);
    return review;
  });
}

}  // namespace belay::pipeline
