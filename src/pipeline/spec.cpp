// SPDX-License-Identifier: Apache-2.0
#include "pipeline/spec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "pipeline/spec_parts.hpp"

namespace belay::pipeline {

namespace {

template <class List>
auto by_name(const List& list, std::string_view name) -> decltype(&list.front()) {
  const auto at =
      std::find_if(list.begin(), list.end(), [&](const auto& each) { return each.name == name; });
  return at == list.end() ? nullptr : &*at;
}

// Calls back for every piece of a template: plain text, or the name of a reference.
template <class Plain, class Reference>
void walk(const std::string& text, Plain plain, Reference reference) {
  for (std::size_t at = 0; at < text.size();) {
    if (text.compare(at, 2, "$$") == 0) {
      plain(text.substr(at, 1));
      at += 2;
      continue;
    }
    const auto end = text.compare(at, 2, "${") == 0 ? text.find('}', at) : std::string::npos;
    if (end == std::string::npos) {
      plain(text.substr(at++, 1));
      continue;
    }
    reference(text.substr(at + 2, end - at - 2));
    at = end + 1;
  }
}

void read_top(const Field& root, Spec& spec) {
  Keys keys(root);
  keys.required("project", "the name of this project, as in: project: shop").name(spec.project);
  keys["state"].text(spec.state);
  spec.journal_in_store = keys["journal"].choice({"local", "store"}) == 1;
  read_secrets(keys["secrets"], spec.secrets);
  read_ports(keys["ports"], spec.ports);
  read_people(keys["people"], spec.people);
  const auto services = keys["services"];
  read_services(services, spec.services);
  read_test(keys["test"], spec);
  read_database(keys["database"], spec.database);
  const bool none = services.is(YamlValue::Kind::map) && services.value->keys.empty();
  if (none && !keys.has("database"))
    services.complain("nothing to look after: add services, or a database");
  read_vault(keys["vault"], spec.vault);
  read_tls(keys["tls"], spec.tls);
  read_github(keys["github"], spec.github);
  Keys environments(keys["environments"]);
  for (const auto& field : environments.named("an environment")) {
    spec.environments.emplace_back();
    spec.environments.back().name = field.last;
    read_environment(field, spec.environments.back());
  }
  keys.finish();
}

}  // namespace

std::vector<std::string> Template::names() const {
  std::vector<std::string> found;
  walk(
      text, [](const std::string&) {}, [&](std::string name) { found.push_back(std::move(name)); });
  return found;
}

Result<std::string> Template::filled(
    const std::function<std::optional<std::string>(const std::string& name)>& value) const {
  std::string whole, unknown;
  walk(
      text, [&](const std::string& plain) { whole += plain; },
      [&](const std::string& name) {
        const auto known = value(name);
        if (known) whole += *known;
        if (!known && unknown.empty()) unknown = name;
      });
  if (unknown.empty()) return whole;
  return fail(Fault::missing, fmt::format("{} has no value; put it into the environment, or into "
                                          "what belay.yaml names under secrets",
                                          unknown));
}

const Service* Spec::service(std::string_view name) const {
  return by_name(services, name);
}
const EnvironmentSpec* Spec::environment(std::string_view name) const {
  return by_name(environments, name);
}
const Reviewer* Spec::person(std::string_view name) const {
  return by_name(people, name);
}

const Database* database_of(const Spec& spec, std::string_view environment) {
  const auto* env = spec.environment(environment);
  if (env != nullptr && env->database) return &*env->database;
  return spec.database ? &*spec.database : nullptr;
}

const Migration* migration_of(const Spec& spec, std::string_view environment) {
  const auto* database = database_of(spec, environment);
  return database != nullptr && database->migrate ? &*database->migrate : nullptr;
}

std::string user_of(const Spec& release, const Placement& placed) {
  if (!placed.user.empty()) return placed.user;
  const auto* service = release.service(placed.service);
  return service != nullptr ? service->user : "";
}

std::string user_of_test(const Spec& release, const EnvironmentSpec& environment) {
  const auto folder = [](const std::string& path) {
    return (std::filesystem::path(path) / "").lexically_normal();
  };
  const auto merit = [&](const Placement& placed) {
    const auto* service = release.service(placed.service);
    if (service == nullptr) return 0;
    const bool tested = folder(service->path) == folder(release.test_in);
    return 1 + (tested ? 1 : 0) + (placed.target == Placement::Target::host ? 2 : 0);
  };
  const auto& all = environment.services;
  const auto best = std::max_element(
      all.begin(), all.end(), [&](const auto& a, const auto& b) { return merit(a) < merit(b); });
  return best != all.end() ? user_of(release, *best) : "";
}

std::string to_text(const std::string& file, const Complaint& complaint) {
  const auto what = complaint.key.empty() ? complaint.text : complaint.key + ": " + complaint.text;
  return fmt::format("{}:{}:{}  {}", file, complaint.line, complaint.column, what);
}

std::string report(const std::string& file, const std::vector<Complaint>& complaints) {
  std::vector<std::string> places;
  std::size_t width = 0;
  for (const auto& each : complaints) {
    places.push_back(fmt::format("{}:{}:{}", file, each.line, each.column));
    width = std::max(width, places.back().size());
  }
  std::string text;
  for (std::size_t i = 0; i < complaints.size(); ++i) {
    const auto& each = complaints[i];
    const auto what = each.key.empty() ? each.text : each.key + ": " + each.text;
    text += fmt::format("{:<{}} {}\n", places[i], width, what);
  }
  return text + fmt::format("{} {}; nothing was changed.\n", complaints.size(),
                            complaints.size() == 1 ? "problem" : "problems");
}

ParsedSpec parse_stored(std::string_view text) {
  auto tree = read_yaml(text);
  Complaints complaints;
  for (auto& each : tree.complaints) {
    complaints.add({each.line, each.column}, each.key, std::move(each.text));
  }
  Spec spec;
  if (tree.complaints.empty()) {
    if (tree.root.kind == YamlValue::Kind::nothing) {
      complaints.add({}, "", "the file is empty; `belay init` writes one");
    } else {
      read_top({&tree.root, "", tree.root.at, &complaints}, spec);
      settle(spec, complaints);
      if (tree.root.kind == YamlValue::Kind::map) look_for_misfits(spec, complaints);
    }
  }
  const bool readable = tree.complaints.empty() && tree.root.kind == YamlValue::Kind::map;
  auto found = std::move(complaints).in_file_order();
  if (!readable) return {std::nullopt, std::move(found)};
  return {std::move(spec), std::move(found)};
}

ParsedSpec parse_spec(std::string_view text) {
  auto parsed = parse_stored(text);
  if (!parsed.complaints.empty()) parsed.spec.reset();
  return parsed;
}

}  // namespace belay::pipeline
