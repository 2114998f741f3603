// SPDX-License-Identifier: Apache-2.0
// What a job's page and its later steps are told of a plan, a run, a restore point, a health
// report.
#pragma once

#include <map>

#include "cli/job.hpp"
#include "engine/loaded.hpp"
#include "engine/runner.hpp"
#include "engine/site.hpp"

namespace belay::cli {

using Outputs = std::vector<std::pair<std::string, std::string>>;

// Where customers find each service: {"backend_url", "https://api.shop.example.org"}.
Outputs addresses(const engine::Site& site);

// run_id, release_tag, status, rolled_back, digest, restore_point (that the run took; may be
// empty); deployment_seconds, rollback_seconds and within_budget when there are such. A status is
// how the run ended ("done", "rolled_back", ...), or "planned", "waiting", "interrupted",
// "stopped".
Outputs outputs_of(const std::string& run, const engine::Loaded& loaded, engine::RunState state);

// Markdown: how it ended, its steps with their times, the plan with its digest and way back.
std::string summary_of(const std::string& run, const engine::Loaded& loaded);
std::string summary_of(const pipeline::Plan& plan, const std::string& run);

void tell(Job& job, const Outputs& outputs);

}  // namespace belay::cli
