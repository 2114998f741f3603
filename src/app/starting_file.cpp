// SPDX-License-Identifier: Apache-2.0
// What belay init found, as a belay.yaml.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "app/inspect.hpp"
#include "app/starting_parts.hpp"
#include "base/accounts.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace belay::app {

namespace {

// As a YAML text that means itself, whatever stands in it.
std::string quoted(const std::string& text) {
  static const std::set<std::string> words{"true", "false", "null", "yes", "no", "on", "off"};
  std::string lower = text;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto first = static_cast<unsigned char>(text.empty() ? ' ' : text.front());
  const bool plain = (std::isalpha(first) != 0 || first == '/') && !words.contains(lower) &&
                     text.find_first_of(":#{}[]&*!|>'\"%@`,\\\t") == std::string::npos;
  return plain ? text : Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string user_line(const std::string& user) {
  if (user.empty()) return {};
  return fmt::format("    user: {}                   # whom it builds and runs as; {}\n", user,
                     user == "root"
                         ? "root may do anything: an account that may do little is better"
                         : "an account of its own is better");
}

std::string service_lines(const FoundService& service, const std::string& user) {
  std::string out = fmt::format("  {}:                              # from {}\n    path: {}\n",
                                service.name, service.from, service.path);
  if (!service.build.empty()) out += fmt::format("    build: {}\n", quoted(service.build));
  out += fmt::format("    run: {}{}\n", quoted(service.run),
                     service.worker ? "" : "   # started with HOST and PORT set");
  out += user_line(user);
  if (service.worker)
    out += "    kind: worker\n";
  else
    out += fmt::format("    check: {{ path: {} }}              # readiness of a new version\n",
                       service.readiness);
  if (!service.env_names.empty()) {
    out +=
        "    env:                             # names found in .env files; values stay outside of "
        "this file\n";
    for (const auto& name : service.env_names)
      out += fmt::format("      {}: ${{{}}}\n", name, name);
  }
  return out;
}

std::string sign_in_check(const Found& found, const std::string& web) {
  const auto at = std::find_if(found.services.begin(), found.services.end(),
                               [](const auto& s) { return !s.sign_in.empty(); });
  if (at == found.services.end())
    return fmt::format(
        "      # - {{ name: Sign-in, service: {}, path: /api/sign-in, method: POST, status: 401 }} "
        "  "
        "# off: no sign-in path was found; put yours here\n",
        web);
  return fmt::format(
      "      - {{ name: Sign-in, service: {}, path: {}, method: POST, status: 401, severity: warn "
      "}}  "
      " # without a password: refused\n",
      at->name, at->sign_in);
}

std::string certificate_check(const Found& found) {
  if (found.public_host.empty())
    return "      # - { name: Certificate, tls: \"shop.example.org:443\", days: 14, severity: warn "
           "}   "
           "# off: no https address was found; put yours here\n";
  return fmt::format("      - {{ name: Certificate, tls: \"{}:443\", days: 14, severity: warn }}\n",
                     found.public_host);
}

std::string how_many_are_on(const std::string& checks) {
  int on = 0;
  for (const auto& line : split(checks, '\n')) on += trim(line).starts_with("- {") ? 1 : 0;
  return on == 7
             ? "   # the usual seven"
             : fmt::format("   # {} of the usual seven are on; the others say what they need", on);
}

}  // namespace

std::string check_lines(const Found& found) {
  const auto web = std::find_if(found.services.begin(), found.services.end(),
                                [](const auto& s) { return !s.worker; });
  if (web == found.services.end())
    return "    checks:\n      - { name: Database, database: ping }\n";
  const auto front = std::find_if(found.services.rbegin(), found.services.rend(),
                                  [](const auto& s) { return !s.worker; });
  std::string out =
      fmt::format("      - {{ name: API health, service: {}, path: {}, rise: 2, fall: 3 }}\n",
                  web->name, web->readiness);
  out += "      - { name: Database, database: ping }\n";
  out += sign_in_check(found, web->name);
  out += fmt::format(
      "      - {{ name: Critical endpoints, service: {}, path: {} }}   # put the page here that "
      "must never break\n",
      web->name, web->readiness);
  out += fmt::format(
      "      - {{ name: Response time, service: {}, path: {}, latency: p95 < 2s over 20 }}\n",
      web->name, web->readiness);
  out += fmt::format("      - {{ name: Frontend, service: {}, path: {} }}\n", front->name,
                     front->readiness);
  out += certificate_check(found);
  return "    checks:" + how_many_are_on(out) + "\n" + out;
}

std::string migrate_line(const Found& found) {
  for (const auto& service : found.services) {
    if (service.migrate.empty()) continue;
    return fmt::format("  migrate: {{ run: {}, in: {} }}   # once a release, before it starts\n",
                       quoted(service.migrate), service.name);
  }
  return {};
}

std::string user_for_services() {
  if (::geteuid() != 0) return {};
  // Debian's account for programs that serve the web.
  for (const char* name : {"www-data", "nobody"}) {
    if (find_account(name)) return name;
  }
  return "root";
}

std::string first_lines(const Found& found) {
  std::string out =
      "# Written by belay init from what it found; every key is explained in the project's "
      "examples/belay.yaml.\n"
      "project: " +
      found.project + "\n";
  for (const auto& note : found.notes) out += "# note: " + note + "\n";
  if (!found.services.empty()) out += "services:\n";
  for (const auto& service : found.services) out += service_lines(service, found.user);
  for (const auto& service : found.services) {
    if (service.test.empty()) continue;
    out += fmt::format(
        "test: {{ run: {}, in: {} }}   # in a fresh copy of the release, before the approvals\n",
        quoted(service.test), service.path);
    break;
  }
  return out;
}

std::string starting_file(const Found& found, const std::string& people) {
  std::string out = first_lines(found);
  out +=
      "database:\n  uri: ${MONGODB_URI}                  # given in the environment, never written "
      "here\n";
  out += migrate_line(found);
  out +=
      "# vault: { store: file:/srv/backup/vault, key: ${BELAY_VAULT_KEY} }   # better on another "
      "disk than the database\n";
  if (found.services.empty()) return out;
  out += "# Nothing ships before the reviewers stand here, each with an SSH public key:\n";
  out += people.empty() ? "# people: { amina: { keys: [ssh-ed25519 AAAA...] }, leo: { keys: "
                          "[ssh-ed25519 AAAA...] } }\n"
                        : "people: " + people + "\n";
  out +=
      "environments:\n  production:\n    tag: prod\n"
      "    approvals: { required: 2, reviewers: [amina, leo] }   # their names; who ships alone "
      "writes { required: 0 }\n    services:\n";
  int port = 8080;
  for (const auto& service : found.services) {
    if (service.worker)
      out += fmt::format("      {}: {{ target: host }}\n", service.name);
    else
      out +=
          fmt::format("      {}: {{ target: host, listen: 127.0.0.1:{} }}\n", service.name, port++);
  }
  out += "    strategy: blue_green\n" + check_lines(found);
  out += "    watch: 60s\n    rollback: { auto: [checks], database: ask, keep_warm: 30m }\n";
  return out;
}

}  // namespace belay::app
