// SPDX-License-Identifier: Apache-2.0
// What the steps of one environment act on. Made by app/wire.cpp from a run's stored plan; the
// steps see only these interfaces.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "database/database.hpp"
#include "journal/journal.hpp"
#include "notify/notify.hpp"
#include "pipeline/plan.hpp"
#include "pipeline/spec.hpp"
#include "probe/probe.hpp"
#include "source/source.hpp"
#include "target/target.hpp"
#include "traffic/traffic.hpp"
#include "vault/vault.hpp"

namespace belay::engine {

struct Site {
  pipeline::Spec present;  // database, vault, targets, policy: the effective file
  std::map<std::string, pipeline::Spec>
      releases;  // by tag: services, test, env of that release's commit
  std::map<std::string, std::string> commits;  // of releases, by tag
  std::string environment;

  journal::Journal* journal = nullptr;
  source::Source* source = nullptr;                // none: the project is no git work tree
  std::map<std::string, target::Target*> targets;  // by service
  traffic::Traffic* traffic = nullptr;             // none: nothing is behind a proxy of ours
  database::Database* database = nullptr;          // none: the project has no database
  vault::Vault* vault = nullptr;
  probe::Prober* prober = nullptr;
  std::vector<notify::Notifier*> notifiers;
  // Told as well when a run begins to change things, and how it ends, whatever the ending.
  std::vector<notify::Notifier*> followers;
  // Where approvals are given elsewhere: {"votes": [{"decision", "reason", "evidence"}], "open":
  // whether more may come}. Not given: they are handed in.
  std::function<Result<Json>(const pipeline::Plan& plan, std::stop_token stop)> reviews;
  Clock* clock = nullptr;

  // What a version is started with; holds secrets. missing, naming the name and how to give it.
  std::function<Result<Environment>(const std::string& service, const std::string& release)>
      environment_of;
  // Right before a version gets its environment: keeps which secrets it has, as fingerprints. Not
  // given: nothing is kept.
  std::function<Status(const target::Version& version)> keep_fingerprints;
  // Was it last started with other secrets than the present ones? Not known: no.
  std::function<bool(const target::Version& version)> has_former_secrets;
  // What the migration is started with: its own database user.
  std::function<Result<Environment>(const std::string& release)> migration_environment;
  // ${NAME} in a check's request. The answer holds secrets.
  std::function<Result<std::string>(const std::string& text)> expand;
  // Hides the secrets that were resolved so far. Not given: nothing is hidden.
  std::function<std::string(std::string_view text)> mask;
  // The same database, over a connection whose commands end within `limit`: for checks. Not given:
  // `database` itself.
  std::function<Result<database::Database*>(Millis limit)> database_within;
  std::string database_name;                // for checks that name a collection only
  std::vector<std::string> database_names;  // the application's
  // Reads a restore point in a process of its own. Not given: in this one.
  std::function<Result<vault::VerifyReport>(const std::string& point, std::stop_token stop)>
      verify_afresh;
  Path prefix;                    // of the project inside its work tree
  Environment plain_environment;  // for test and build: no secrets
  Path work;                      // scratch of runs, in the state folder
  Path own;                       // the outermost folder of ours around it
  Path reports;                   // health reports
  Path backups;                   // metadata files of restore points; empty: none are written

  const pipeline::EnvironmentSpec& env() const { return *present.environment(environment); }
  // The services of a release that this environment places, in the order of `needs`.
  std::vector<std::string> services(const std::string& release) const;
  const pipeline::Service& service(const std::string& release, const std::string& name) const;
  // Of the release, in this environment; null when it has none.
  const pipeline::Migration* migration(const std::string& release) const;
  const pipeline::Placement* placement(const std::string& service) const;
  // Whom it builds and runs as; empty: nobody is written.
  std::string user_of(const std::string& release, const std::string& service) const;
  target::Target& target(const std::string& service) const { return *targets.at(service); }
  bool proxied(const std::string& service) const;
  std::vector<std::string> proxied_services() const;
  std::vector<traffic::Route> routes() const;
  // The requests at a version that customers do not come to any more end first, for `limit` at
  // most. Whatever becomes of that, the version may be stopped then.
  void let_finish(const std::string& service, const std::string& release, Millis limit,
                  std::stop_token stop) const;
  // "http://127.0.0.1:8080": the service behind the proxy.
  std::string url_of(const std::string& service) const;
};

}  // namespace belay::engine
