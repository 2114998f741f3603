// SPDX-License-Identifier: Apache-2.0
#include "app/wire.hpp"

#include "app/fresh_reading.hpp"
#include "app/hosted_names.hpp"
#include "app/on_github.hpp"
#include "app/own_journal.hpp"
#include "app/plan_steps.hpp"
#include "app/service_environment.hpp"
#include "app/store.hpp"
#include "app/stored_spec.hpp"
#include "app/trust.hpp"
#include "app/vault_key.hpp"
#include "app/wire_platforms.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "engine/health.hpp"
#include "engine/releases.hpp"
#include "vault/absent.hpp"

namespace belay::app {

struct Works::Parts {
  std::unique_ptr<source::Source> source;
  std::map<std::string, std::unique_ptr<target::Target>> targets;
  std::unique_ptr<traffic::Traffic> traffic;
  std::unique_ptr<database::Database> database;
  std::unique_ptr<storage::Storage> store;
  std::unique_ptr<vault::Vault> vault;
  std::unique_ptr<probe::Prober> prober;
  std::vector<std::unique_ptr<notify::Notifier>> notifiers;
  OnGithub github;
};

Works::Works() : parts(std::make_unique<Parts>()) {}
Works::~Works() = default;

namespace {

constexpr Millis notify_limit = std::chrono::seconds(30);

// What a build or a test may know of our environment: no secret has its place here.
constexpr std::array passed_on{"PATH",
                               "HOME",
                               "LANG",
                               "LC_ALL",
                               "TMPDIR",
                               "USER",
                               "LOGNAME",
                               "TZ",
                               "npm_config_cache",
                               "npm_config_offline",
                               "npm_config_prefer_offline",
                               "npm_config_registry",
                               "PIP_CACHE_DIR",
                               "SSL_CERT_FILE",
                               "NODE_EXTRA_CA_CERTS"};

Environment plain_environment(const Getenv& ours) {
  Environment env;
  for (const char* name : passed_on) {
    if (const auto at = ours.find(name); at != ours.end()) env[name] = at->second;
  }
  if (!env.contains("PATH")) env["PATH"] = "/usr/local/bin:/usr/bin:/bin";
  return env;
}

// One connection for each limit that a check has.
struct Hurried {
  database::MongoConfig config;
  std::mutex mutex = {};
  std::map<Millis, std::unique_ptr<database::Database>> by_limit = {};

  Result<database::Database*> within(Millis limit) {
    const std::lock_guard guard(mutex);
    auto& slot = by_limit[limit];
    if (slot == nullptr) {
      auto hurried = config;
      hurried.limit = limit;
      TRY_LET(slot, database::make_mongodb(std::move(hurried)));
    }
    return slot.get();
  }
};

Status wire_database(Desk& desk, Works& works, const std::string& environment,
                     const std::string& folder, const net::Trust& trust) {
  const auto& spec = works.site.present;
  const auto* wanted = database_of(spec, environment);
  if (wanted == nullptr) return {};
  TRY_LET(auto uri, works.secrets->expand(wanted->uri).in("database.uri"));
  works.site.database_name =
      wanted->names.empty() ? database_in(uri.reveal()) : wanted->names.front();
  works.site.database_names = wanted->names;
  if (wanted->names.empty()) works.site.database_names = {works.site.database_name};
  database::MongoConfig config{uri, wanted->names};
  config.trust = trust;
  TRY_LET(works.parts->database, database::make_mongodb(config).in("database.uri"));
  auto hurried = std::make_shared<Hurried>();
  hurried->config = config;
  works.site.database_within = [hurried](Millis limit) { return hurried->within(limit); };
  const auto& vault = vault_of(spec, environment);
  TRY_LET(const auto store,
          store_recipe(vault, desk.project.places, folder, *works.secrets, trust));
  TRY_LET(works.parts->store,
          make_store(store, desk.world().clock, desk.world().random).in("vault.store"));
  works.store = works.parts->store.get();
  TRY_LET(works.vault_key, vault_key(desk, vault, *works.store, *works.secrets).in("vault.key"));
  if (const auto& key = works.vault_key) {
    TRY_LET(
        works.parts->vault,
        vault::open_vault(*works.store, *key, desk.world().clock, desk.world().random).in("vault"));
    works.site.verify_afresh = [store, key = *key](const std::string& point, std::stop_token stop) {
      return read_in_child(store, key, point, std::move(stop));
    };
  } else {
    works.vault_absent = true;
    works.parts->vault = vault::make_absent_vault(works.store->where());
  }
  works.site.backups = desk.project.places.backups();
  works.site.database = works.parts->database.get();
  works.site.vault = works.parts->vault.get();
  return {};
}

Status wire_targets(Desk& desk, Works& works, const std::string& environment,
                    const net::Trust& trust) {
  const Path folder = desk.project.places.environment(environment);
  auto& children = desk.world().children;
  for (const auto& placed : works.site.env().services) {
    auto& slot = works.parts->targets[placed.service];
    if (placed.target == pipeline::Placement::Target::host) {
      const auto& ports = works.site.present.ports;
      slot = target::make_host(
          {folder, ports.first, ports.last, folder / "logs", desk.project.places.state}, children,
          desk.world().clock);
    } else if (placed.target == pipeline::Placement::Target::vercel) {
      TRY_LET(slot, vercel_target(desk, *works.secrets, placed, trust));
    } else if (placed.target == pipeline::Placement::Target::railway) {
      TRY_LET(slot, railway_target(desk, works.site, *works.secrets, placed, trust));
    } else {
      slot = target::make_command({placed.prepare, placed.activate, placed.status, placed.rollback,
                                   placed.limit, folder / "command", desk.project.places.state},
                                  children, desk.world().clock);
    }
    works.site.targets[placed.service] = slot.get();
  }
  const bool any = std::any_of(
      works.site.env().services.begin(), works.site.env().services.end(), [](const auto& p) {
        return p.target == pipeline::Placement::Target::host && !p.listen.empty();
      });
  if (!any) return {};
  works.parts->traffic =
      traffic::make_haproxy({folder / "proxy", folder / "logs"}, desk.world().clock);
  works.site.traffic = works.parts->traffic.get();
  return {};
}

// A secret that is missing is named now, before anything is touched.
Status names_are_known(const engine::Site& site, const std::string& release) {
  if (release.empty() || !site.releases.contains(release)) return {};
  for (const auto& name : site.services(release)) {
    TRY_LET(auto env, site.environment_of(name, release).in("the environment of " + name));
    static_cast<void>(env);
  }
  return {};
}

// The same for what else the run's steps resolve, on its way back too.
Status names_are_known(const engine::Site& site, const pipeline::Plan& plan) {
  if (plan.first_of("migrate") != nullptr) {
    TRY_LET(auto env, site.migration_environment(plan.release).in("the migration"));
    static_cast<void>(env);
  }
  std::vector<std::string> asked{plan.release};
  if (plan.pipeline == "deploy") asked.push_back(plan.live);
  for (const auto& release : asked) {
    if (!site.releases.contains(release)) continue;
    TRY(names_are_known(site, release));
    TRY_LET(auto checks, engine::checks_of(site, release).in("the checks of " + release));
    static_cast<void>(checks);
  }
  return {};
}

}  // namespace

std::string database_in(std::string_view uri) {
  const auto hosts = uri.find("://");
  if (hosts == std::string_view::npos) return {};
  const auto slash = uri.find('/', hosts + 3);
  if (slash == std::string_view::npos) return {};
  const auto name = uri.substr(slash + 1);
  return std::string(name.substr(0, name.find('?')));
}

namespace {

// In the order in which they are stored.
constexpr std::pair<const char*, std::string ConfigTexts::*> config_texts[] = {
    {"present", &ConfigTexts::present},
    {"policy", &ConfigTexts::policy},
    {"release", &ConfigTexts::release},
    {"live", &ConfigTexts::live}};

}  // namespace

// Texts are usually equal: each is stored once, and named where it is meant again.
Json to_json(const ConfigTexts& texts) {
  Json json{{"folder", texts.folder}, {"commits", texts.commits}};
  for (const auto& [name, text] : config_texts) {
    json[name] = texts.*text;
    for (const auto& [earlier, same] : config_texts) {
      if (earlier == name) break;
      if ((texts.*text).empty() || texts.*same != texts.*text) continue;
      json[name] = {{"same_as", earlier}};
      break;
    }
  }
  return json;
}

Result<ConfigTexts> config_of(const pipeline::Plan& plan) {
  ConfigTexts texts{{},
                    {},
                    {},
                    {},
                    plan.config.value("folder", std::string()),
                    plan.config.value("commits", std::map<std::string, std::string>{})};
  for (const auto& [name, text] : config_texts) {
    const auto stored = plan.config.value(name, Json(""));
    const auto& meant = stored.is_object()
                            ? plan.config.value(stored.value("same_as", std::string()), Json(""))
                            : stored;
    if (meant.is_string()) texts.*text = meant.get<std::string>();
  }
  if (texts.present.empty()) return fail(Fault::corrupt, "the stored plan has no configuration");
  return texts;
}

namespace {

// What is shipped is held against today's rules; what was shipped once is started as it was.
Status read_releases(engine::Site& site, const ConfigTexts& texts, const pipeline::Plan& plan) {
  if (plan.pipeline == "deploy") {
    TRY_LET(site.releases[plan.release], spec_of(texts.release, "belay.yaml of " + plan.release));
  } else if (!plan.release.empty()) {
    TRY_LET(auto stored, stored_spec(texts.release, plan.release));
    TRY(can_be_started(stored, needs_of(plan, site.env())));
    site.releases[plan.release] = std::move(stored.spec);
  }
  if (plan.live.empty() || plan.live == plan.release || texts.live.empty()) return {};
  TRY_LET(auto live, stored_spec(texts.live, plan.live));
  TRY(can_be_started(live, needs_of(plan, site.env(), true)));
  site.releases[plan.live] = std::move(live.spec);
  return {};
}

Result<std::unique_ptr<Works>> wire(Desk& desk, const ConfigTexts& texts,
                                    const pipeline::Plan& plan, Wanted wanted) {
  const auto& environment = plan.environment;
  TRY(check_own_journal(*desk.journal, desk.project.places.environment(environment)));
  auto works = std::make_unique<Works>();
  auto& site = works->site;
  TRY_LET(site.present, spec_of(texts.present, "belay.yaml (present)"));
  site.environment = environment;
  if (site.present.environment(environment) == nullptr) {
    return fail(Fault::missing, fmt::format("belay.yaml has no environment {}", environment));
  }
  TRY(read_releases(site, texts, plan));
  works->secrets = std::make_shared<Secrets>(site.present.secrets, texts.folder, desk.project.env,
                                             desk.project.on_secret);
  site.mask = [secrets = works->secrets](std::string_view text) { return secrets->mask(text); };
  site.journal = desk.journal.get();
  site.clock = &desk.world().clock;
  site.plain_environment = plain_environment(desk.project.env);
  site.work = desk.project.places.work();
  site.own = desk.project.places.state;
  site.reports = desk.project.places.runs();
  TRY(make_folder(site.work));
  TRY_LET(const auto trust, trust_of(site.present.tls, texts.folder, *desk.machine));
  works->parts->prober = probe::make_prober(desk.world().clock, trust);
  site.prober = works->parts->prober.get();
  if (auto source = source::make_git(texts.folder)) {
    works->parts->source = std::move(source).value();
    site.source = works->parts->source.get();
  }
  for (const auto& one : site.env().notify) {
    if (one.run.empty()) continue;
    works->parts->notifiers.push_back(
        notify::make_command(one.run, notify_limit, desk.world().children, site.work));
    site.notifiers.push_back(works->parts->notifiers.back().get());
  }
  TRY_LET(works->parts->github, on_github(desk, plan, site, texts, works->secrets));
  for (const auto& each : works->parts->github.followers) site.followers.push_back(each.get());
  site.reviews = works->parts->github.reviews;
  if (wanted.database) TRY(wire_database(desk, *works, environment, texts.folder, trust));
  site.commits = texts.commits;
  wire_environments(*works, site.plain_environment, texts.commits);
  wire_fingerprints(desk, *works);
  site.prefix = prefix_of(texts.folder);
  if (wanted.services) {
    for (auto& each : site.present.environments) {
      if (each.name == environment) TRY(fill_hosted(each, *works->secrets));
    }
    TRY(wire_targets(desk, *works, environment, trust));
    if (wanted.secrets) TRY(names_are_known(site, plan.release));
  }
  works->steps = engine::make_steps(site);
  return works;
}

}  // namespace

namespace {

Result<std::unique_ptr<Works>> wire_plan(Desk& desk, const pipeline::Plan& plan, Wanted wanted) {
  TRY_LET(auto texts, config_of(plan));
  if (!plan.release.empty()) texts.commits.emplace(plan.release, plan.commit);
  return wire(desk, texts, plan, wanted);
}

}  // namespace

Result<std::unique_ptr<Works>> wire_bare(Desk& desk, const pipeline::Plan& plan) {
  return wire_plan(desk, plan, {false, false, false});
}

Result<std::unique_ptr<Works>> wire_run(Desk& desk, const pipeline::Plan& plan) {
  TRY_LET(auto works, wire_plan(desk, plan, {}));
  TRY(names_are_known(works->site, plan));
  TRY(name_own_journal(*desk.journal, desk.project.places.environment(plan.environment)));
  return works;
}

Result<std::unique_ptr<Works>> wire_plan(Desk& desk, const pipeline::Plan& plan) {
  TRY_LET(auto texts, config_of(plan));
  if (!plan.release.empty()) texts.commits.emplace(plan.release, plan.commit);
  return wire(desk, texts, plan, {false, true, false});
}

Result<std::unique_ptr<Works>> wire_present(Desk& desk, const std::string& environment,
                                            Wanted wanted) {
  const auto& text = desk.project.text;
  TRY_LET(auto releases, engine::read_releases(*desk.journal, environment));
  pipeline::Plan plan;
  plan.environment = environment;
  if (releases.live) plan.release = releases.live->tag;
  return wire(desk, {text, text, text, text, desk.project.folder.string(), {}}, plan, wanted);
}

}  // namespace belay::app
