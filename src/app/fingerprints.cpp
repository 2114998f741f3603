// SPDX-License-Identifier: Apache-2.0
#include "app/fingerprints.hpp"

#include <fmt/format.h>

#include "app/key_file.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"

namespace belay::app {

namespace {

constexpr int record_format = 1;
constexpr std::size_t key_bytes = 32;

// Domains: a fingerprint and the key's own name never are one.
std::string print_of(const Secret& key, const std::string& name, const Secret& value) {
  return hex(hmac_sha256(key.reveal(), "belay.secret.1\n" + name + '\0' + value.reveal()));
}

std::string name_of(const Secret& key) {
  return hex(hmac_sha256(key.reveal(), "belay.key.1\n")).substr(0, 16);
}

bool is_key(const Secret& key) {
  return key.reveal().size() == 2 * key_bytes && from_hex(key.reveal()).ok();
}

// A name stands in one set only: what is known to differ outweighs the rest.
void settle(SecretChanges& changes) {
  std::set<std::string> told;
  for (auto* set : {&changes.other, &changes.unreadable, &changes.unknown, &changes.added,
                    &changes.same, &changes.gone}) {
    std::erase_if(*set, [&](const auto& name) { return !told.insert(name).second; });
  }
}

}  // namespace

Path Fingerprints::file_of(const target::Version& version) const {
  return folder_ / version.release / (version.service + ".json");
}

Result<Secret> Fingerprints::made_key(Random& random) const {
  TRY_LET(auto key, key_in(key_));
  if (!key) {
    TRY_LET(const bool ours, put_key(key_, Secret(random.hex(key_bytes)), random));
    static_cast<void>(ours);
    TRY_LET(key, key_in(key_));
  }
  if (key && is_key(*key)) return *key;
  return fail(Fault::corrupt, key_.string() + " holds no key; take it away, and a new one is made");
}

Status Fingerprints::write(const target::Version& version, const std::set<std::string>& names,
                           const Resolve& resolve, Random& random) const {
  TRY_LET(const auto key, made_key(random));
  Json prints = Json::object();
  for (const auto& name : names) {
    TRY_LET(const auto value, resolve(name));
    prints[name] = print_of(key, name, value);
  }
  const Json record{{"format", record_format}, {"key", name_of(key)}, {"secrets", prints}};
  TRY(make_folder(file_of(version).parent_path()));
  return write_file(file_of(version), canonical(record) + "\n", 0600);
}

Status Fingerprints::keep(const target::Version& version, const std::set<std::string>& names,
                          const Resolve& resolve, Random& random) const {
  auto done = write(version, names, resolve, random);
  if (!done) TRY(remove_tree(file_of(version)));
  return done;
}

std::string Fingerprints::of(const Environment& env, Random& random) const {
  const auto key = made_key(random);
  if (!key) return {};
  return hex(hmac_sha256(key->reveal(), "belay.environment.1\n" + canonical(Json(env))));
}

// Whatever cannot be read is not known.
std::optional<Fingerprints::Prints> Fingerprints::kept(const target::Version& version,
                                                       const Secret& key) const {
  const auto text = read_file(file_of(version));
  if (!text) return std::nullopt;
  const auto record = parse_json(*text);
  if (!record || !record->is_object()) return std::nullopt;
  try {
    if (record->at("format") != record_format || record->at("key") != name_of(key))
      return std::nullopt;
    return record->at("secrets").get<Prints>();
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

SecretChanges Fingerprints::compare(
    const std::string& release,
    const std::map<std::string, std::set<std::string>>& names_by_service,
    const Resolve& resolve) const {
  SecretChanges changes;
  const auto key = key_in(key_);
  const bool usable = key && *key && is_key(**key);
  for (const auto& [service, names] : names_by_service) {
    const auto prints = usable ? kept({service, release}, **key) : std::nullopt;
    if (!prints) {
      changes.unknown.insert(names.begin(), names.end());
      continue;
    }
    for (const auto& name : names) {
      const auto before = prints->find(name);
      const auto value = resolve(name);
      auto& set = !value                                            ? changes.unreadable
                  : before == prints->end()                         ? changes.added
                  : before->second == print_of(**key, name, *value) ? changes.same
                                                                    : changes.other;
      set.insert(name);
    }
    for (const auto& [name, print] : *prints) {
      if (!names.contains(name)) changes.gone.insert(name);
    }
  }
  settle(changes);
  return changes;
}

std::set<std::string> secrets_of(const pipeline::Spec& present, const std::string& environment,
                                 const pipeline::Service& service) {
  std::map<std::string, pipeline::Template> env;
  const auto* database = pipeline::database_of(present, environment);
  if (database != nullptr) env[database->env] = database->uri;
  for (const auto& [name, text] : service.env) env[name] = text;
  for (const auto& placed : present.environment(environment)->services) {
    if (placed.service != service.name) continue;
    // A platform is given what belay.yaml says, and no more.
    if (is_hosted(placed) && database != nullptr && !service.env.contains(database->env))
      env.erase(database->env);
    for (const auto& [name, text] : placed.env) env[name] = text;
  }
  std::set<std::string> names;
  for (const auto& [variable, text] : env) {
    for (auto& name : text.names()) {
      if (name.find('.') == std::string::npos) names.insert(std::move(name));  // no service's url
    }
  }
  return names;
}

}  // namespace belay::app
