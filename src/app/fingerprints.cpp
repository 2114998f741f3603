// SPDX-License-Identifier: Apache-2.0
#include "app/fingerprints.hpp"

#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace belay::app {

namespace {

constexpr int record_format = 1;
constexpr std::size_t key_bytes = 32;
constexpr const char* key_record = "fingerprint.key";

std::string record_of(const target::Version& version) {
  return fmt::format("fingerprints/{}/{}.json", version.release, version.service);
}

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

Result<std::optional<Secret>> Fingerprints::key() const {
  TRY_LET(const auto text, keys_->read(key_record));
  return text ? std::optional(Secret(std::string(trim(*text)))) : std::nullopt;
}

// Of two who make one at once, one is left.
Result<Secret> Fingerprints::made_key(Random& random) const {
  TRY_LET(auto found, key());
  if (!found) {
    TRY(keys_->write(key_record, random.hex(key_bytes) + "\n"));
    TRY_LET(found, key());
  }
  if (found && is_key(*found)) return *found;
  return fail(Fault::corrupt, fmt::format("{}/{} holds no key; take it away, and a new one is made",
                                          keys_->where(), key_record));
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
  return prints_->write(record_of(version), canonical(record) + "\n");
}

Status Fingerprints::keep(const target::Version& version, const std::set<std::string>& names,
                          const Resolve& resolve, Random& random) const {
  auto done = write(version, names, resolve, random);
  if (!done) TRY(prints_->remove(record_of(version)));
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
  const auto text = prints_->read(record_of(version));
  if (!text || !*text) return std::nullopt;
  const auto record = parse_json(**text);
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
  const auto key = this->key();
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
