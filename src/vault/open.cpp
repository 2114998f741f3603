// SPDX-License-Identifier: Apache-2.0
#include "vault/open.hpp"

#include <sodium.h>

#include <algorithm>
#include <array>

#include "base/hash.hpp"
#include "base/json.hpp"

namespace belay::vault {

namespace {

constexpr const char* config_object = "config";
constexpr std::size_t most_check_bytes = 4096;

struct Config {
  std::string id, check;
};

Error damaged_config(const storage::Storage& store) {
  return fail(Fault::corrupt, "the object 'config' of the vault at " + store.where() +
                                  " is damaged: put back a copy of it");
}

Result<Config> parse_config(const storage::Storage& store, const std::string& text) {
  if (!checksum_holds(text)) return damaged_config(store);
  try {
    const Json json = Json::parse(text);
    const int number = json.at("belay_vault").get<int>();
    if (number > format_number) {
      return fail(
          Fault::refused,
          fmt::format("the vault at {} has format {}, this Belay reads up to {}: use a newer "
                      "Belay",
                      store.where(), number, format_number));
    }
    auto check = from_base64(json.at("check").get<std::string>());
    if (!check) return damaged_config(store);
    return Config{json.at("id").get<std::string>(), std::move(check).value()};
  } catch (const Json::exception&) {
    return damaged_config(store);
  }
}

bool opens(const Key& master, const Config& config, Random& random) {
  const Keyring keys(master, random);
  auto id = keys.open(SealKind::check, config_object, config.check, most_check_bytes);
  return id && id.value() == config.id;
}

Result<Key> find_master(storage::Storage& store, const Config& config, const UserKey& user,
                        Random& random) {
  TRY_LET(const auto objects, store.list("keys/"));
  std::optional<Error> damaged;
  for (const auto& object : objects) {
    TRY_LET(const std::string text, store.get(object.name));
    auto master = unwrap_master(text, user);
    if (master && opens(master.value(), config, random)) return master;
    if (!master && master.error().fault != Fault::denied) {
      damaged = std::move(master).error().in(object.name + " of the vault at " + store.where());
    }
  }
  if (damaged) return *damaged;
  if (objects.empty()) {
    return fail(Fault::corrupt, "the vault at " + store.where() +
                                    " has lost its 'keys/' objects: put "
                                    "back a copy of them; without them nothing in it can be read");
  }
  return fail(Fault::denied, "the vault at " + store.where() +
                                 " was made with another key: give the "
                                 "key that it was made with (`vault.key` in belay.yaml)");
}

Status refuse_remains(storage::Storage& store) {
  for (const char* const prefix :
       {"points/", "blocks/", "sealed/", "journal/", "claims/", "records/"}) {
    TRY_LET(const auto objects, store.list(prefix));
    if (objects.empty()) continue;
    return fail(Fault::corrupt, "the vault at " + store.where() +
                                    " has lost its object 'config' but "
                                    "holds " +
                                    objects.front().name + ": put back a copy of 'config'");
  }
  return {};
}

Status create(storage::Storage& store, const UserKey& user, Random& random) {
  TRY(refuse_remains(store));
  TRY_LET(const Key master, random_key(random));
  TRY_LET(const std::string wrapped, wrap_master(master, user, random));
  TRY(store.put("keys/" + random.hex(8), wrapped));
  const std::string id = random.hex(16);
  Keyring keys(master, random);
  const Json json = {{"belay_vault", format_number},
                     {"id", id},
                     {"check", base64(keys.seal(SealKind::check, config_object, id))}};
  Status put = store.put(config_object, with_checksum(canonical(json)));
  // Somebody else made the vault meanwhile: then theirs is the one that is opened.
  if (!put && put.error().fault == Fault::conflict) return {};
  return put;
}

}  // namespace

bool is_lasting(const std::string& object) {
  constexpr std::array folders{"keys/", "blocks/", "points/", "sealed/", "journal/"};
  return object == config_object ||
         std::any_of(folders.begin(), folders.end(),
                     [&object](const char* folder) { return object.starts_with(folder); });
}

Status keep_keys(storage::Storage& store) {
  auto* const locking = store.locking();
  if (locking == nullptr) return {};
  TRY(locking->keep(config_object));
  TRY_LET(const auto keys, store.list("keys/"));
  for (const auto& key : keys) TRY(locking->keep(key.name));
  return {};
}

Result<Key> open_master(storage::Storage& store, const UserKey& user, Random& random) {
  auto text = store.get(config_object);
  if (!text && text.error().fault == Fault::missing) {
    TRY(create(store, user, random));
    text = store.get(config_object);
  }
  if (!text) return std::move(text).error().in("opening the vault");
  TRY_LET(const Config config, parse_config(store, text.value()));
  return find_master(store, config, user, random);
}

}  // namespace belay::vault
