// SPDX-License-Identifier: Apache-2.0
// People, services, test, database, secrets, ports.
#include <fmt/format.h>

#include <charconv>

#include "base/ssh_signature.hpp"
#include "base/text.hpp"
#include "pipeline/spec_parts.hpp"

namespace belay::pipeline {

namespace {

void read_keys(const Field& field, Reviewer& person) {
  field.texts(person.keys);
  for (std::size_t i = 0; i < person.keys.size(); ++i) {
    if (person.keys[i].empty()) continue;
    const auto print = ssh::fingerprint(person.keys[i]);
    if (print) continue;
    const auto where = field.is(YamlValue::Kind::list) ? field.item(i) : field;
    where.complain(print.error().text + ", as in: ssh-ed25519 AAAA... name");
  }
}

void read_login(const Field& field, std::string& login) {
  field.text(login);
  const bool good =
      login.size() <= 39 && !login.starts_with('-') &&
      login.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") ==
          std::string::npos;
  if (good) return;
  field.wrong("the login of a GitHub account, as in: github: amina-k");
  login.clear();
}

void read_person(const Field& field, Reviewer& person) {
  if (field.is(YamlValue::Kind::scalar) || field.is(YamlValue::Kind::list)) {
    return read_keys(field, person);
  }
  Keys keys(field);
  read_keys(keys["keys"], person);
  auto email = keys["email"];
  email.text(person.email);
  if (!person.email.empty() && person.email.find('@') == std::string::npos) {
    email.wrong("an email address");
  }
  read_login(keys["github"], person.github);
  keys.also_called("key", "keys");
  keys.also_called("ssh", "keys");
  keys.also_called("mail", "email");
  keys.finish();
}

void read_service(const Field& field, Service& service) {
  Keys keys(field);
  keys["path"].relative_path(service.path);
  keys["build"].command(service.build);
  keys["run"].command(service.run);
  read_readiness(keys["check"], service.check);
  read_env(keys["env"], service.env);
  if (const auto file = keys["env_file"]) file.relative_path(service.env_file.emplace());
  keys["user"].text(service.user);
  if (keys["kind"].choice({"web", "worker"}) == 1) service.kind = Service::Kind::worker;
  keys["needs"].texts(service.needs);
  for (const auto* word : {"health", "healthcheck", "readiness", "ready"})
    keys.also_called(word, "check");
  for (const auto* word : {"start", "command", "cmd"}) keys.also_called(word, "run");
  for (const auto* word : {"environment", "vars"}) keys.also_called(word, "env");
  for (const auto* word : {"depends_on", "after"}) keys.also_called(word, "needs");
  for (const auto* word : {"dir", "folder", "root"}) keys.also_called(word, "path");
  keys.also_called("type", "kind");
  keys.finish();
}

// Everything between "://" and the host that follows a colon is a password in plain sight.
bool shows_password(const Template& uri) {
  const auto scheme = uri.text.find("://");
  const auto at = uri.text.rfind('@');
  if (scheme == std::string::npos || at == std::string::npos || at < scheme) return false;
  const auto login = uri.text.substr(scheme + 3, at - scheme - 3);
  const auto colon = login.find(':');
  // "mongodb://${USER}:${PASSWORD}@..." shows none.
  return colon != std::string::npos && Template{login.substr(colon)}.names().empty();
}

void read_uri(const Field& field, Template& uri) {
  field.secret(uri);
  if (!shows_password(uri)) return;
  field.complain(
      "holds a password in plain text; write ${MONGODB_URI} and keep the secret outside");
  uri.text.clear();
}

void read_migration(const Field& field, std::optional<Migration>& migrate) {
  if (!field) return;
  migrate.emplace();
  if (field.is(YamlValue::Kind::scalar)) return field.command(migrate->run);
  Keys keys(field);
  keys.required("run", "the command that migrates, as in: run: npm run db:migrate")
      .command(migrate->run);
  keys["in"].text(migrate->in);
  if (const auto uri = keys["uri"]) read_uri(uri, migrate->uri.emplace());
  keys["limit"].duration(migrate->limit, std::chrono::seconds(1));
  keys.also_called("command", "run");
  keys.also_called("service", "in");
  keys.also_called("timeout", "limit");
  keys.finish();
}

}  // namespace

void read_people(const Field& field, std::vector<Reviewer>& people) {
  Keys keys(field);
  for (const auto& each : keys.free()) {
    Reviewer person{each.last};
    read_person(each, person);
    if (person.keys.empty() && person.github.empty()) {
      each.complain(
          "has no SSH public key: without one nobody can approve; add keys: [\"ssh-ed25519 "
          "AAAA...\"] (or github: LOGIN, for approvals by: github)");
    }
    people.push_back(std::move(person));
  }
}

void read_services(const Field& field, std::vector<Service>& services) {
  Keys keys(field);
  for (const auto& each : keys.named("a service")) {
    services.emplace_back();
    services.back().name = each.last;
    read_service(each, services.back());
  }
}

void read_env(const Field& field, std::map<std::string, Template>& env) {
  Keys keys(field);
  for (const auto& each : keys.free()) {
    const auto& name = each.last;
    const bool good = !name.empty() && (name[0] < '0' || name[0] > '9') &&
                      name.find_first_not_of(
                          "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                          "0123456789_") == std::string::npos;
    if (!good) each.remark("the name of a variable has letters, digits and _");
    each.setting(env[name]);
  }
}

void read_test(const Field& field, Spec& spec) {
  if (field.is(YamlValue::Kind::scalar)) return field.command(spec.test);
  if (!field) return;
  Keys keys(field);
  keys.required("run", "the command that tests, as in: run: npm test").command(spec.test);
  auto in = keys["in"];
  in.relative_path(spec.test_in);
  // People think in services; the folder is what is meant.
  if (const auto* service = spec.service(spec.test_in)) spec.test_in = service->path;
  keys["limit"].duration(spec.test_limit, std::chrono::seconds(1));
  keys.also_called("command", "run");
  keys.also_called("timeout", "limit");
  keys.finish();
}

void read_database(const Field& field, std::optional<Database>& database) {
  if (!field) return;
  database.emplace();
  Keys keys(field);
  read_uri(keys.required("uri", "where the database is, as in: uri: ${MONGODB_URI}"),
           database->uri);
  keys["env"].name(database->env);
  keys["names"].texts(database->names);
  read_migration(keys["migrate"], database->migrate);
  for (const auto* word : {"url", "connection"}) keys.also_called(word, "uri");
  for (const auto* word : {"name", "databases", "db"}) keys.also_called(word, "names");
  keys.also_called("migration", "migrate");
  keys.finish();
}

void read_secrets(const Field& field, Spec::Secrets& secrets) {
  if (field.is(YamlValue::Kind::scalar)) {
    const auto& text = field.value->text;
    if (!text.starts_with("file:") || text.size() == 5) {
      return field.wrong("file:PATH, or { command: ... }");
    }
    secrets.file = text.substr(5);
    return;
  }
  Keys keys(field);
  keys["file"].text(secrets.file);
  auto command = keys["command"];
  command.command(secrets.command);
  if (!secrets.file.empty() && !secrets.command.empty()) {
    command.complain("secrets come from a file or from a command, not from both");
  }
  keys.finish();
}

void read_ports(const Field& field, Spec::Ports& ports) {
  if (!field) return;
  const auto expected = "two ports like 20000-20999, between 1024 and 65535, at least 10 apart";
  if (!field.is(YamlValue::Kind::scalar)) return field.wrong(expected);
  const auto& text = field.value->text;
  Spec::Ports read{};
  const auto* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, read.first);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '-')
    return field.wrong(expected);
  const auto last = std::from_chars(first.ptr + 1, end, read.last);
  if (last.ec != std::errc() || last.ptr != end || read.first < 1024 || read.last > 65535 ||
      read.last - read.first < 10) {
    return field.wrong(expected);
  }
  ports = read;
}

}  // namespace belay::pipeline
