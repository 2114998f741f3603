// SPDX-License-Identifier: Apache-2.0
// The place that names the platforms.
#include "app/wire_platforms.hpp"

#include "app/packed_files.hpp"
#include "app/service_environment.hpp"
#include "target/railway.hpp"
#include "target/vercel.hpp"

namespace belay::app {

namespace {

// The project's folder of the commit is where belay.yaml is; the site has its source by then.
auto packing(Desk& desk, const engine::Site& site) {
  return [&random = desk.world().random, &site](const std::string& commit,
                                                const std::string& folder,
                                                std::stop_token stop) -> Result<std::string> {
    if (site.source == nullptr)
      return fail(Fault::missing, "source: upload needs the git work tree that belay.yaml is in");
    return packed_files(*site.source, commit, folder, site.work, random, std::move(stop));
  };
}

}  // namespace

Result<std::unique_ptr<target::Target>> vercel_target(Desk& desk, Secrets& secrets,
                                                      const pipeline::Placement& placed,
                                                      const net::Trust& trust) {
  target::VercelConfig config;
  config.trust = trust;
  config.project = placed.project;
  config.team = placed.team;
  config.domain = placed.domains.front();
  TRY_LET(config.token, secrets.expand(*placed.token).in(placed.service + ".token"));
  if (placed.bypass) {
    TRY_LET(config.bypass, secrets.expand(*placed.bypass).in(placed.service + ".bypass"));
  }
  if (!placed.endpoint.empty()) config.endpoint = placed.endpoint;
  config.limit = placed.limit;
  return target::make_vercel(std::move(config), desk.world().clock, desk.world().random);
}

Result<std::unique_ptr<target::Target>> railway_target(Desk& desk, const engine::Site& site,
                                                       Secrets& secrets,
                                                       const pipeline::Placement& placed,
                                                       const net::Trust& trust) {
  const auto& environment = site.environment;
  target::RailwayConfig config;
  config.trust = trust;
  config.project = placed.project;
  config.environment = placed.their_environment.empty() ? environment : placed.their_environment;
  config.service = placed.their_service.empty() ? placed.service : placed.their_service;
  config.project_token = placed.token.has_value();
  const auto& token = placed.token ? *placed.token : *placed.account_token;
  TRY_LET(config.token, secrets.expand(token).in(placed.service + ".token"));
  if (!placed.endpoint.empty()) config.endpoint = placed.endpoint;
  config.limit = placed.limit;
  config.records = records_of(desk, environment);
  if (const auto& hold = placed.hold)
    config.hold = target::RailwayHold{hold->stop, hold->variable, hold->on, hold->off};
  config.fingerprint = [prints = fingerprints_of(desk, environment), &random = desk.world().random](
                           const Environment& env) { return prints.of(env, random); };
  if (placed.upload) config.packed = packing(desk, site);
  return target::make_railway(std::move(config), desk.world().clock, desk.world().random);
}

}  // namespace belay::app
