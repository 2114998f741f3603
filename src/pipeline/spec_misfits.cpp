// SPDX-License-Identifier: Apache-2.0
// What each part of belay.yaml cannot see alone: names that nobody has, circles, what is there
// twice.
#include <fmt/format.h>

#include <set>

#include "base/ssh_signature.hpp"
#include "base/text.hpp"
#include "pipeline/spec_parts.hpp"

namespace belay::pipeline {

namespace {

struct Look {
  const Spec& spec;
  Complaints& complaints;
  std::vector<std::string> services, people;

  void say(const std::string& key, std::string text) const {
    complaints.at_key(key, std::move(text));
  }
};

std::string unknown_name(const std::string& what, const std::string& word,
                         const std::vector<std::string>& known) {
  auto text = fmt::format("no {} is called \"{}\"", what, word);
  const auto near = nearest(word, known);
  if (!near.empty()) text += fmt::format("; did you mean \"{}\"?", near);
  if (known.empty())
    return text +
           fmt::format(". None is listed under {}", what == "service" ? "services" : "people");
  return text + fmt::format("{} Known here: {}", near.empty() ? "." : "", join(known, ", "));
}

// The item's own place when the value is a list, the key's when it is one text.
std::string item_key(const Look& look, const std::string& key, std::size_t index) {
  const auto item = fmt::format("{}[{}]", key, index);
  return look.complaints.stands(item) ? item : key;
}

void names_exist(const Look& look, const std::string& key, const std::vector<std::string>& names,
                 const std::string& what, const std::vector<std::string>& known) {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto& name = names[i];
    if (name.empty()) continue;
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      look.say(item_key(look, key, i), unknown_name(what, name, known));
    } else if (!seen.insert(name).second) {
      look.say(item_key(look, key, i), fmt::format("{} is listed twice", name));
    }
  }
}

void look_at_people(const Look& look) {
  std::map<std::string, std::string> owners;
  std::map<std::string, std::string> emails;
  for (const auto& person : look.spec.people) {
    const auto key = "people." + person.name;
    for (const auto& each : person.keys) {
      auto print = ssh::fingerprint(each);
      if (!print) continue;
      const auto [owner, fresh] = owners.emplace(std::move(*print), person.name);
      if (fresh) continue;
      look.say(key,
               fmt::format("has the same key as {} (line {}); two people need two keys",
                           owner->second, look.complaints.where("people." + owner->second).line));
    }
    if (person.email.empty()) continue;
    const auto [owner, fresh] = emails.emplace(person.email, person.name);
    if (!fresh) look.say(key + ".email", fmt::format("is {}'s email already", owner->second));
  }
}

// A circle through `start`, as names; empty when there is none.
std::vector<std::string> circle(const Spec& spec, const std::string& start) {
  std::map<std::string, std::string> came_from;
  std::vector<std::string> open{start};
  while (!open.empty()) {
    const auto here = open.back();
    open.pop_back();
    const auto* service = spec.service(here);
    if (service == nullptr) continue;
    for (const auto& next : service->needs) {
      if (next == start) {
        std::vector<std::string> path{start};
        for (auto at = here; at != start; at = came_from[at]) path.push_back(at);
        path.push_back(start);
        std::reverse(path.begin(), path.end());
        return path;
      }
      if (came_from.emplace(next, here).second) open.push_back(next);
    }
  }
  return {};
}

void look_at_env(const Look& look, const std::string& key,
                 const std::map<std::string, Template>& env) {
  for (const auto& [name, value] : env) {
    for (const auto& each : value.names()) {
      if (!each.starts_with("service.")) continue;
      const auto service = each.substr(8, each.size() - 12);
      const auto at = fmt::format("{}.{}", key, name);
      const auto* found = look.spec.service(service);
      if (found == nullptr) {
        look.say(at, unknown_name("service", service, look.services));
      } else if (found->kind == Service::Kind::worker) {
        look.say(at, fmt::format("{} is a worker: it answers nobody, so it has no url", service));
      }
    }
  }
}

void look_at_services(const Look& look) {
  std::set<std::string> told;
  for (const auto& service : look.spec.services) {
    const auto key = "services." + service.name;
    names_exist(look, key + ".needs", service.needs, "service", look.services);
    look_at_env(look, key + ".env", service.env);
    if (told.contains(service.name)) continue;
    const auto path = circle(look.spec, service.name);
    told.insert(path.begin(), path.end());
    if (!path.empty()) look.say(key + ".needs", fmt::format("a circle: {}", join(path, " needs ")));
  }
}

void look_at_database(const Look& look, const std::string& key,
                      const std::optional<Database>& database) {
  if (!database || !database->migrate) return;
  const auto& in = database->migrate->in;
  const auto at = key + ".migrate";
  // The project's own, which was looked at there.
  if (!look.complaints.stands(at)) return;
  if (!in.empty()) return names_exist(look, at + ".in", {in}, "service", look.services);
  look.say(at, "says not in which service's folder it runs; add in: " +
                   (look.services.empty() ? "SERVICE" : look.services.front()));
}

void look_at_approvals(const Look& look, const std::string& key, const Approvals& approvals) {
  names_exist(look, key + ".reviewers", approvals.reviewers, "person", look.people);
  const std::set<std::string> distinct(approvals.reviewers.begin(), approvals.reviewers.end());
  const auto listed = static_cast<int>(distinct.size());
  if (approvals.required <= listed) return;
  const auto people = approvals.required == 1 ? std::string("1 person is")
                                              : fmt::format("{} people are", approvals.required);
  const bool there = look.complaints.stands(key + ".reviewers");
  const auto* add = approvals.by == Evidence::github
                        ? "too few people have an account there; add github: LOGIN to them"
                        : "there are no reviewers; add reviewers: [names of people]";
  look.say(key + ".required",
           there ? fmt::format("{} required, but only {} {} listed under reviewers (line {})",
                               people, listed, listed == 1 ? "is" : "are",
                               look.complaints.where(key + ".reviewers").line)
                 : fmt::format("{} required, but {}", people, add));
}

// Whether two addresses cannot both be listened at.
bool clash(const Placement& a, const Placement& b) {
  const auto one = parse_listen(a.listen), other = parse_listen(b.listen);
  if (!one || !other || one->port != other->port) return false;
  if (one->host != other->host && !one->host.empty() && !other->host.empty()) return false;
  // The proxy tells services at one address apart by their domains.
  if (a.domains.empty() || b.domains.empty()) return true;
  return std::any_of(a.domains.begin(), a.domains.end(), [&](const auto& domain) {
    return std::find(b.domains.begin(), b.domains.end(), domain) != b.domains.end();
  });
}

void look_at_host(const Look& look, const std::string& key, const Placement& place,
                  const Service& service) {
  const auto of_service = "services." + service.name;
  if (service.run.empty()) {
    look.say(of_service + ".run",
             "missing; the command that starts it, as in: run: node src/server.js");
  }
  if (service.kind == Service::Kind::worker) {
    for (const auto* member : {".listen", ".domains", ".certificate"}) {
      if (look.complaints.stands(key + member))
        look.say(key + member, "a worker has no port and answers nobody");
    }
    return;
  }
  if (!look.complaints.stands(key + ".listen")) {
    look.say(key + ".listen",
             "missing; where customers' requests arrive, as in: listen: 127.0.0.1:8080");
  }
  if (!service.check) {
    look.say(of_service + ".check",
             "missing; how Belay knows that a new version is ready, as in: check: /health");
  }
  if (!place.certificate.empty() && place.domains.empty()) {
    look.say(key + ".certificate", "is for which domains? add domains: [shop.example.org]");
  }
}

void look_at_placements(const Look& look, const std::string& key,
                        const EnvironmentSpec& environment) {
  for (std::size_t i = 0; i < environment.services.size(); ++i) {
    const auto& place = environment.services[i];
    const auto at = fmt::format("{}.services.{}", key, place.service);
    const auto* service = look.spec.service(place.service);
    if (service == nullptr) {
      look.say(at, unknown_name("service", place.service, look.services));
      continue;
    }
    // A target that could not be read was complained of.
    const bool readable = !look.complaints.complained(at + ".target");
    if (place.target == Placement::Target::host && readable)
      look_at_host(look, at, place, *service);
    look_at_env(look, at + ".env", place.env);
    for (std::size_t j = 0; j < i; ++j) {
      if (!clash(environment.services[j], place)) continue;
      const auto& first = environment.services[j].service;
      look.say(at + ".listen",
               fmt::format(
                   "{} listens at {} already (line {})", first, environment.services[j].listen,
                   look.complaints.where(fmt::format("{}.services.{}.listen", key, first)).line));
    }
  }
}

void look_at_needs(const Look& look, const std::string& key, const EnvironmentSpec& environment) {
  const auto placed = [&](const std::string& name) {
    return std::any_of(environment.services.begin(), environment.services.end(),
                       [&](const auto& place) { return place.service == name; });
  };
  for (const auto& place : environment.services) {
    const auto* service = look.spec.service(place.service);
    if (service == nullptr) continue;
    for (const auto& need : std::set<std::string>(service->needs.begin(), service->needs.end())) {
      if (look.spec.service(need) == nullptr || placed(need)) continue;
      look.say(fmt::format("{}.services.{}", key, place.service),
               fmt::format("needs {}, which is not in this environment", need));
    }
  }
}

void look_at_asked_service(const Look& look, const std::string& key,
                           const EnvironmentSpec& environment, const std::string& name) {
  const auto* service = look.spec.service(name);
  if (service == nullptr) return names_exist(look, key, {name}, "service", look.services);
  if (service->kind == Service::Kind::worker) {
    return look.say(key, fmt::format("{} is a worker: it answers nobody", name));
  }
  const auto& places = environment.services;
  const auto place = std::find_if(places.begin(), places.end(),
                                  [&](const auto& each) { return each.service == name; });
  if (place == places.end()) {
    look.say(key, fmt::format("{} is not in this environment", name));
  } else if (place->target == Placement::Target::command) {
    look.say(key, fmt::format("{} is placed by your own programs, so its address is not known "
                              "here; ask its url",
                              name));
  }
}

void look_at_check(const Look& look, const std::string& key, const EnvironmentSpec& environment,
                   const Check& check) {
  const auto* member = check.kind == Check::Kind::tcp   ? ".tcp"
                       : check.kind == Check::Kind::tls ? ".tls"
                                                        : ".service";
  if (!check.service.empty()) look_at_asked_service(look, key + member, environment, check.service);
  if (check.kind == Check::Kind::database && !look.spec.database && !environment.database) {
    look.say(key + ".database",
             "this project has no database; add database: { uri: ${MONGODB_URI} }");
  }
}

void look_at_checks(const Look& look, const std::string& key, const EnvironmentSpec& environment) {
  std::map<std::string, std::string> names;
  for (std::size_t i = 0; i < environment.checks.size(); ++i) {
    const auto& check = environment.checks[i];
    const auto at = fmt::format("{}.checks[{}]", key, i);
    look_at_check(look, at, environment, check);
    if (check.name.empty()) continue;
    const auto [first, fresh] = names.emplace(check.name, at + ".name");
    if (fresh) continue;
    look.say(at + ".name", fmt::format("another check is called so (line {})",
                                       look.complaints.where(first->second).line));
  }
}

// A migration runs in the release's folder of a service: it must have one in every environment.
void look_at_migration(const Look& look, const std::string& key,
                       const EnvironmentSpec& environment) {
  const auto* migration = migration_of(look.spec, environment.name);
  if (migration == nullptr || environment.services.empty()) return;
  if (look.spec.service(migration->in) == nullptr) return;  // was complained of
  const bool placed =
      std::any_of(environment.services.begin(), environment.services.end(),
                  [&](const auto& place) { return place.service == migration->in; });
  if (placed) return;
  const auto own = key + ".database.migrate";
  const bool is_own = look.complaints.stands(own);
  look.say((is_own ? own : std::string("database.migrate")) + ".in",
           fmt::format(
               "{} is not among the services of {}, where the migration would run; place "
               "it there, or {}",
               migration->in, environment.name,
               is_own ? "name another service" : "give " + key + ".database a migrate of its own"));
}

void look_at_environment(const Look& look, const EnvironmentSpec& environment) {
  const auto key = "environments." + environment.name;
  if (environment.services.empty() && !look.spec.services.empty()) {
    look.say(key, "has no services; add services: { " + look.services.front() + ": ... }");
  }
  look_at_approvals(look, key + ".approvals", environment.approvals);
  if (environment.rollback.approvals) {
    look_at_approvals(look, key + ".rollback.approvals", *environment.rollback.approvals);
  }
  names_exist(look, key + ".rollback.emergency", environment.rollback.emergency, "person",
              look.people);
  look_at_placements(look, key, environment);
  look_at_needs(look, key, environment);
  look_at_platforms(look.spec, environment, look.complaints);
  look_at_checks(look, key, environment);
  look_at_database(look, key + ".database", environment.database);
  look_at_migration(look, key, environment);
}

void look_at_tags(const Look& look) {
  std::map<std::string, std::string> owners;
  for (const auto& environment : look.spec.environments) {
    if (environment.tag.empty()) continue;
    const auto [owner, fresh] = owners.emplace(environment.tag, environment.name);
    if (fresh) continue;
    look.say(fmt::format("environments.{}.tag", environment.name),
             fmt::format("{} has the tag {} already; releases of two environments need two names",
                         owner->second, environment.tag));
  }
}

}  // namespace

void look_for_misfits(const Spec& spec, Complaints& complaints) {
  Look look{spec, complaints, {}, {}};
  for (const auto& service : spec.services) look.services.push_back(service.name);
  for (const auto& person : spec.people) look.people.push_back(person.name);
  look_at_people(look);
  look_at_github(spec, complaints);
  look_at_services(look);
  look_at_database(look, "database", spec.database);
  for (const auto& environment : spec.environments) look_at_environment(look, environment);
  look_at_tags(look);
  look_at_journal(spec, complaints);
  if (spec.services.empty() && !spec.database && !complaints.stands("services") &&
      !complaints.stands("database")) {
    look.say("", "nothing to look after: add services, or a database");
  }
  if (!spec.services.empty() && spec.environments.empty() && !complaints.stands("environments")) {
    look.say("environments",
             "missing; where the services run, as in: environments: { production: ... }");
  }
}

}  // namespace belay::pipeline
