// SPDX-License-Identifier: Apache-2.0
// What does not fit together where a platform runs services.
#include <fmt/format.h>

#include "pipeline/spec_parts.hpp"

namespace belay::pipeline {

namespace {

void look_at_workers(const Spec& spec, Complaints& complaints, const std::string& key,
                     const EnvironmentSpec& environment) {
  for (const auto& place : environment.services) {
    const auto* service = spec.service(place.service);
    if (service == nullptr || place.target != Placement::Target::vercel) continue;
    if (service->kind == Service::Kind::worker)
      complaints.at_key(fmt::format("{}.services.{}.target", key, place.service),
                        "a worker does not run at Vercel");
  }
}

// Where a service on a platform is, is known by its domains only: a reference to it would be empty.
void look_at_addresses(const Spec& spec, Complaints& complaints, const std::string& key,
                       const EnvironmentSpec& environment) {
  std::map<std::string, std::string> asked;  // by the service that is asked: who asks
  for (const auto& place : environment.services) {
    const auto* service = spec.service(place.service);
    if (service == nullptr) continue;
    for (const auto* env : {&service->env, &place.env}) {
      for (const auto& [name, value] : *env) {
        for (const auto& each : value.names()) {
          if (each.starts_with("service."))
            asked.emplace(each.substr(8, each.size() - 12), place.service + "'s " + name);
        }
      }
    }
  }
  for (const auto& place : environment.services) {
    const auto by = asked.find(place.service);
    if (!is_hosted(place) || !place.domains.empty() || by == asked.end()) continue;
    complaints.at_key(
        fmt::format("{}.services.{}.domains", key, place.service),
        fmt::format("missing; {} asks for its url, as in: domains: [api.shop.example.org]",
                    by->second));
  }
}

// Customers are to wait from before the migration until after the switch.
void look_at_strategy(Complaints& complaints, const std::string& key,
                      const EnvironmentSpec& environment) {
  if (environment.strategy != Strategy::all_at_once) return;
  std::string platforms;
  for (const auto& place : environment.services) {
    if (place.target == Placement::Target::host || place.hold) return;
    if (is_hosted(place)) platforms += (platforms.empty() ? "" : ", ") + place.service;
  }
  if (platforms.empty()) return;
  complaints.at_key(
      key + ".strategy",
      fmt::format("all_at_once holds customers back meanwhile, and nothing here can: {} is on a "
                  "platform; give a service on Railway a hold:, or leave it at blue_green",
                  platforms));
}

}  // namespace

void look_at_platforms(const Spec& spec, const EnvironmentSpec& environment,
                       Complaints& complaints) {
  const auto key = "environments." + environment.name;
  look_at_workers(spec, complaints, key, environment);
  look_at_addresses(spec, complaints, key, environment);
  look_at_strategy(complaints, key, environment);
}

}  // namespace belay::pipeline
