// SPDX-License-Identifier: Apache-2.0
// What is not written because another part of the file says it already.
#include <fmt/format.h>

#include "pipeline/spec_parts.hpp"

namespace belay::pipeline {

namespace {

void run_in_the_only_service(const Spec& spec, std::optional<Database>& database) {
  if (!database || !database->migrate || spec.services.size() != 1) return;
  auto& in = database->migrate->in;
  if (in.empty()) in = spec.services.front().name;
}

// Everything but where the database is: the project's user of one database would migrate that one,
// whichever the environment has.
void take_from_project(const Spec& spec, EnvironmentSpec& environment, Complaints& complaints) {
  if (!environment.database || !spec.database) return;
  auto& own = *environment.database;
  const auto key = "environments." + environment.name + ".database";
  if (!complaints.stands(key + ".env")) own.env = spec.database->env;
  if (complaints.stands(key + ".migrate") || !spec.database->migrate) return;
  own.migrate = spec.database->migrate;
  own.migrate->uri.reset();
  if (!spec.database->migrate->uri) return;
  complaints.at_key(
      key + ".migrate",
      fmt::format("missing; database.migrate.uri (line {}) is of the project's database, not of "
                  "this one: add migrate: {{ run: ..., uri: ${{NAME}} }}, without uri to migrate "
                  "as {}.uri",
                  complaints.where("database.migrate.uri").line, key));
}

// Whoever has an account there can be asked there.
void take_all_logins(const Spec& spec, Approvals& approvals) {
  if (approvals.by != Evidence::github || !approvals.reviewers.empty()) return;
  for (const auto& person : spec.people) {
    if (!person.github.empty()) approvals.reviewers.push_back(person.name);
  }
}

}  // namespace

void settle(Spec& spec, Complaints& complaints) {
  run_in_the_only_service(spec, spec.database);
  for (auto& environment : spec.environments) {
    run_in_the_only_service(spec, environment.database);
    take_from_project(spec, environment, complaints);
    take_all_logins(spec, environment.approvals);
    if (environment.rollback.approvals) take_all_logins(spec, *environment.rollback.approvals);
  }
}

}  // namespace belay::pipeline
