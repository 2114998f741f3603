// SPDX-License-Identifier: Apache-2.0
// The environment's checks, asked of a release: behind the proxy, or at its own ports while
// customers do not see it.
#pragma once

#include "engine/site.hpp"
#include "engine/step.hpp"
#include "probe/probe.hpp"

namespace belay::engine {

// What is asked where `env` has no checks of its own: the readiness of every service that has an
// address there. Empty: there is nothing to ask.
std::vector<pipeline::Check> asked_of(const pipeline::Spec& release,
                                      const pipeline::EnvironmentSpec& env);
inline constexpr const char* nothing_checked =
    "nothing is checked: belay.yaml has no checks, and no service has an address to ask";

// The checks that belong to a release: those of its own belay.yaml, else the present ones, else the
// readiness of its services; with the secrets that their requests name.
Result<std::vector<pipeline::Check>> checks_of(const Site& site, const std::string& release);

// How the checks find services and database. Unseen: at the versions' own ports.
probe::Surroundings surroundings(Site& site, const std::string& release, bool unseen);

// One sample of a version's readiness check; without a check: something listens at its port.
probe::Sample ready_sample(Site& site, const pipeline::Service& service, std::uint16_t port,
                           std::stop_token stop);

// Whom a report is about.
Json facts_of(const StepContext& context);

// The report of a run that asked nothing, and why. Never a healthy one.
probe::HealthReport nothing_asked(const Site& site, const StepContext& context, std::string why);

// Written beside the run's log, the run's former ones in its member `earlier`; a failure to write
// it is told, not fatal.
void keep_report(const Site& site, const StepContext& context, const probe::HealthReport& report);

}  // namespace belay::engine
