// SPDX-License-Identifier: Apache-2.0
#include "engine/health.hpp"

#include <fmt/format.h>

#include "engine/steps/steps.hpp"

namespace belay::engine {

namespace {

Result<probe::Place> unseen_place(Site& site, const std::string& service,
                                  const std::string& release) {
  TRY_LET(auto status, site.target(service).status({service, release}));
  if (status.port == 0)
    return fail(Fault::unreachable, fmt::format("{} of {} is not running", service, release));
  return probe::Place{fmt::format("http://127.0.0.1:{}", status.port), {}};
}

pipeline::Check readiness_of(const pipeline::Service& service) {
  pipeline::Check check;
  if (service.check)
    check = *service.check;
  else
    check.kind = pipeline::Check::Kind::tcp;
  check.name = "readiness of " + service.name;
  check.service = service.name;
  return check;
}

// A secret inside a JSON text is a value there, whatever characters it has.
Status fill_in(const Site& site, Json& value) {
  if (value.is_string()) {
    TRY_LET(value, site.expand(value.get<std::string>()));
  } else if (value.is_structured()) {
    for (auto& each : value) TRY(fill_in(site, each));
  }
  return {};
}

Status fill_in(const Site& site, pipeline::Check& check) {
  if (check.send_json) {
    TRY_LET(auto body, parse_json(check.send_body));
    TRY(fill_in(site, body));
    check.send_body = body.dump();
  } else {
    TRY_LET(check.send_body, site.expand(check.send_body));
  }
  for (auto& [name, value] : check.send_headers) {
    TRY_LET(value, site.expand(value));
  }
  return {};
}

// The database through a connection that gives up after `limit`, and what it said only when that
// came in time.
template <class Ask>
auto within(Site& site, Millis limit, const Ask& ask) -> decltype(ask(*site.database)) {
  auto* database = site.database;
  if (site.database_within) {
    TRY_LET(database, site.database_within(limit));
  }
  const auto since = site.clock->steady();
  auto answer = ask(*database);
  const auto took = site.clock->steady() - since;
  if (answer.ok() && took > limit) {
    return fail(Fault::timeout, fmt::format("the database answered after {}; the limit is {}",
                                            for_people(took), to_text(limit)));
  }
  return answer;
}

Status ping(database::Database& database) {
  TRY_LET(auto facts, database.describe());
  static_cast<void>(facts);
  return {};
}

Result<std::uint64_t> matching(database::Database& database, const std::string& name,
                               const Json& query) {
  TRY_LET(auto filter, database::from_json(query.value("filter", Json::object()).dump()));
  return database.matching({name, query.value("collection", std::string())}, filter,
                           query.value("at_least", std::uint64_t{1}));
}

}  // namespace

std::vector<pipeline::Check> asked_of(const pipeline::Spec& release,
                                      const pipeline::EnvironmentSpec& env) {
  if (!env.checks.empty()) return env.checks;
  std::vector<pipeline::Check> checks;
  for (const auto& placed : env.services) {
    const auto* service = release.service(placed.service);
    if (service == nullptr || service->kind == pipeline::Service::Kind::worker) continue;
    // On a platform there is no port to knock at: only what the service says of itself is asked.
    const bool addressed =
        is_hosted(placed) ? !placed.domains.empty() && service->check : !placed.listen.empty();
    if (addressed) checks.push_back(readiness_of(*service));
  }
  return checks;
}

Result<std::vector<pipeline::Check>> checks_of(const Site& site, const std::string& release) {
  const auto found = site.releases.find(release);
  const auto& spec = found == site.releases.end() ? site.present : found->second;
  const auto* env = spec.environment(site.environment);
  auto checks = asked_of(spec, env != nullptr ? *env : site.env());
  for (auto& check : checks) TRY(fill_in(site, check).in(check.name));
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
  out.ping = [&site](Millis limit) { return within(site, limit, ping); };
  out.matching = [&site](const Json& query, Millis limit) {
    return within(site, limit, [&](database::Database& database) {
      return matching(database, site.database_name, query);
    });
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

Json facts_of(const StepContext& context) {
  return {{"name", context.plan.environment},
          {"project", context.plan.project},
          {"release", release_of(context)},
          {"run", context.run},
          {"step", context.step.id}};
}

probe::HealthReport nothing_asked(const Site& site, const StepContext& context, std::string why) {
  return {site.clock->now(), facts_of(context), {}, std::move(why)};
}

void keep_report(const Site& site, const StepContext& context, const probe::HealthReport& report) {
  const Path path = site.reports / context.run / "health-report.json";
  auto json = probe::to_json(report);
  json["earlier"] = Json::array();
  if (auto text = read_file(path)) {
    auto before = parse_json(*text);
    if (before && before->is_object()) {
      json["earlier"] = before->value("earlier", Json::array());
      before->erase("earlier");
      json["earlier"].push_back(std::move(*before));
    }
  }
  auto written = make_folder(path.parent_path());
  const std::string text = json.dump(2) + "\n";
  if (written) written = write_file(path, site.mask ? site.mask(text) : text);
  if (!written) context.say("the health report was not kept: " + written.error().message());
}

}  // namespace belay::engine
