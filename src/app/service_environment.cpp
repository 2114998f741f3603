// SPDX-License-Identifier: Apache-2.0
#include "app/service_environment.hpp"

#include <fmt/format.h>

namespace belay::app {

namespace {

struct Env {  // what environment_of needs, shared by the two functions of the site
  engine::Site* site;
  std::shared_ptr<Secrets> secrets;
  Environment plain;
  std::map<std::string, std::string> commits;  // of the releases

  std::map<std::string, std::string> known() const {
    std::map<std::string, std::string> names;
    for (const auto& placed : site->env().services) {
      names["service." + placed.service + ".url"] = site->url_of(placed.service);
    }
    return names;
  }

  Status add(Environment& env, const std::map<std::string, pipeline::Template>& wanted) const {
    const auto names = known();
    for (const auto& [name, text] : wanted) {
      TRY_LET(auto value, secrets->expand(text, names).in(name));
      env[name] = value.reveal();
    }
    return {};
  }

  Status add_file(Environment& env, const std::string& path, const std::string& release) const {
    const auto at = commits.find(release);
    if (site->source == nullptr || at == commits.end()) {
      return fail(Fault::missing,
                  "env_file " + path + ": the commit of " + release + " is not known");
    }
    TRY_LET(auto text,
            site->source->read(at->second, (site->prefix / path).lexically_normal().string())
                .in("env_file"));
    TRY_LET(auto values, parse_env_file(text).in("env_file " + path));
    for (auto& [name, value] : values) env[name] = value;
    return {};
  }

  Result<Environment> of(const std::string& service, const std::string& release,
                         const pipeline::Template* uri) const {
    Environment env = plain;
    env["HOST"] = "127.0.0.1";
    name_it(env, service, release);
    if (const auto* database = database_of(site->present, site->environment)) {
      TRY_LET(auto value, secrets->expand(uri != nullptr ? *uri : database->uri));
      env[database->env] = value.reveal();
    }
    TRY(add_written(env, service, release));
    return env;
  }

  // A platform has the rest; where belay.yaml says nothing, nothing is said to it.
  Result<Environment> hosted(const std::string& service, const std::string& release) const {
    Environment env;
    TRY(add_written(env, service, release));
    if (!env.empty()) name_it(env, service, release);
    return env;
  }

  void name_it(Environment& env, const std::string& service, const std::string& release) const {
    env["BELAY_PROJECT"] = site->present.project;
    env["BELAY_ENVIRONMENT"] = site->environment;
    env["BELAY_SERVICE"] = service;
    env["BELAY_RELEASE"] = release;
  }

  // What belay.yaml says: of the release, and of its place.
  Status add_written(Environment& env, const std::string& service,
                     const std::string& release) const {
    const auto& spec = site->service(release, service);
    const auto* placed = site->placement(service);
    const auto& file = placed != nullptr && placed->env_file ? placed->env_file : spec.env_file;
    if (file) TRY(add_file(env, *file, release));
    TRY(add(env, spec.env));
    return placed != nullptr ? add(env, placed->env) : Status();
  }
};

}  // namespace

void wire_environments(Works& works, const Environment& plain,
                       std::map<std::string, std::string> commits) {
  const Env env{&works.site, works.secrets, plain, std::move(commits)};
  works.site.expand = [secrets = works.secrets](const std::string& text) -> Result<std::string> {
    TRY_LET(auto value, secrets->expand({text}));
    return value.reveal();
  };
  works.site.environment_of = [env](const std::string& service, const std::string& release) {
    const auto* placed = env.site->placement(service);
    return placed != nullptr && is_hosted(*placed) ? env.hosted(service, release)
                                                   : env.of(service, release, nullptr);
  };
  works.site.migration_environment = [env](const std::string& release) -> Result<Environment> {
    const auto* migration = env.site->migration(release);
    if (migration == nullptr) return fail(Fault::missing, "there is nothing that migrates");
    // What migrates is the release's; whose database it is, and as which user, the present file's.
    const auto* present = migration_of(env.site->present, env.site->environment);
    return env.of(migration->in, release,
                  present != nullptr && present->uri ? &*present->uri : nullptr);
  };
}

Fingerprints fingerprints_of(const Desk& desk, const std::string& environment) {
  const auto prints = records_of(desk, environment);
  return {desk.shared ? prints : std::shared_ptr(make_records(desk.project.places.state)), prints};
}

void wire_fingerprints(Desk& desk, Works& works) {
  auto& site = works.site;
  const auto prints = fingerprints_of(desk, site.environment);
  const auto resolve = [secrets = works.secrets](const std::string& name) {
    return secrets->resolve(name);
  };
  const auto names_of = [&site](const target::Version& version) {
    return secrets_of(site.present, site.environment,
                      site.service(version.release, version.service));
  };
  site.keep_fingerprints = [prints, resolve, names_of,
                            random = &desk.world().random](const target::Version& version) {
    return prints.keep(version, names_of(version), resolve, *random);
  };
  site.has_former_secrets = [prints, resolve, names_of](const target::Version& version) {
    return prints.compare(version.release, {{version.service, names_of(version)}}, resolve).any();
  };
}

}  // namespace belay::app
