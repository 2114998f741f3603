// SPDX-License-Identifier: Apache-2.0
// Approvals by reviews on GitHub: of the one run of a workflow that a plan was made in, of the
// environments that are this plan's gates. Pure: the plan has which run it is, a vote has the
// review, so that an auditor needs nobody to repeat the count.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"
#include "pipeline/plan.hpp"

namespace belay::pipeline {

struct Workflow {          // the plan's facts.workflow
  std::string repository;  // "owner/name"
  std::int64_t run = 0;
  int attempt = 0;
  std::string actor;  // who started it: the requester
  TimePoint created{};
  std::vector<std::string> environments;  // the gates: reviews of these count

  bool operator==(const Workflow&) const = default;
};
Json to_json(const Workflow& workflow);
// Nothing where the plan has none, or one that cannot be read: then no review counts.
std::optional<Workflow> workflow_of(const Plan& plan);

// What a run that wants `required` people passes on GitHub: the environment itself (for a way back
// its own one, which does not wait), and one more for each further person.
std::vector<std::string> gate_environments(const std::string& environment, bool back, int required);

// A review as a vote has it: whose, of which environments, of which run of which workflow.
struct Review {
  std::string repository;
  std::int64_t run = 0;
  int attempt = 0;
  std::int64_t user = 0;
  std::string login, state, comment;
  std::vector<std::string> environments;
};
Json to_json(const Review& review);
// corrupt, when a member is missing.
Result<Review> review_from_json(const Json& json);

}  // namespace belay::pipeline
