// SPDX-License-Identifier: Apache-2.0
#include "engine/health.hpp"

#include <fmt/format.h>

namespace belay::engine {

namespace {

Result<probe::Place> unseen_place(Site& site, const std::string& service,
                                  const std::string& release) {
  TRY_LET(auto status, site.target(service).status({service, release}));
  if (status.port == 0)
    return fail(Fault::unreachable, fmt::format("{} of {} is not running", service, release));
  return probe::Place{fmt::format("http://127.0.0.1:{}", status.port), {}};
}

Result<std::uint64_t> matching(database::Database& database, const std::string& name,
                               const Json& query) {
  TRY_LET(auto filter, database::from_json(query.value("filter", Json::object()).dump()));
  return database.matching({name, query.value("collection", std::string())}, filter,
                           query.value("at_least", std::uint64_t{1}));
}

}  // namespace

Result<std::vector<pipeline::Check>> checks_of(const Site& site, const std::string& release) {
  const auto spec = site.releases.find(release);
  const auto* env =
      spec == site.releases.end() ? nullptr : spec->second.environment(site.environment);
  std::vector<pipeline::Check> checks = env != nullptr ? env->checks : site.env().checks;
  for (auto& check : checks) {
    TRY_LET(check.send_body, site.expand(check.send_body).in(check.name));
    for (auto& [name, value] : check.send_headers) {
      TRY_LET(value, site.expand(value).in(check.name));
    }
  }
  return checks;
}

probe::Surroundings surroundings(Site& site, const std::string& release, bool unseen) {
  probe::Surroundings out;
  out.resolve = [&site, release, unseen](const std::string& service) -> Result<probe::Place> {
    if (site.placement(service) == nullptr)
      return fail(Fault::missing, service + " has no place in " + site.environment);
    if (unseen && site.target(service).behind_proxy()) return unseen_place(site, service, release);
    const auto url = site.url_of(service);
    if (url.empty())
      return fail(Fault::missing,
                  service + " has no address: write `listen:` or give the check a `url:`");
    return probe::Place{url, {}};
  };
  if (site.database == nullptr) return out;
  out.ping = [&site](Millis) -> Status {
    TRY_LET(auto facts, site.database->describe());
    static_cast<void>(facts);
    return {};
  };
  out.matching = [&site](const Json& query, Millis) {
    return matching(*site.database, site.database_name, query);
  };
  return out;
}

probe::Sample ready_sample(Site& site, const pipeline::Service& service, std::uint16_t port,
                           std::stop_token stop) {
  if (service.kind == pipeline::Service::Kind::worker || port == 0) {
    return {true, "up", Millis(0), std::nullopt, std::nullopt, 0};
  }
  if (!service.check)
    return site.prober->tcp(fmt::format("127.0.0.1:{}", port), Millis(1000), stop);
  probe::Surroundings around = surroundings(site, "", false);
  around.resolve = [port](const std::string&) -> Result<probe::Place> {
    return probe::Place{fmt::format("http://127.0.0.1:{}", port), {}};
  };
  pipeline::Check check = *service.check;
  check.service = service.name;
  return probe::take_sample(*site.prober, *site.clock, check, around, stop);
}

void keep_report(const Site& site, const StepContext& context, const probe::HealthReport& report) {
  const Path folder = site.reports / context.run;
  auto written = make_folder(folder);
  if (written)
    written = write_file(folder / "health-report.json", probe::to_json(report).dump(2) + "\n");
  if (!written) context.say("the health report was not kept: " + written.error().message());
}

}  // namespace belay::engine
