// SPDX-License-Identifier: Apache-2.0
#include "app/shared_journal.hpp"

#include "app/key_file.hpp"
#include "app/machine.hpp"
#include "app/trust.hpp"
#include "app/vault_key.hpp"
#include "base/text.hpp"
#include "vault/sealed_store.hpp"

namespace belay::app {

namespace {

constexpr std::string_view folder = "journal/";

class StoredLedger final : public journal::Ledger {
 public:
  explicit StoredLedger(storage::Storage& sealed) : sealed_(sealed) {}

  Status put(const std::string& name, std::string_view text) override {
    return sealed_.put(inside(name), text);
  }
  Result<std::string> get(const std::string& name) override { return sealed_.get(inside(name)); }
  Result<std::vector<std::string>> list(const std::string& prefix) override {
    TRY_LET(const auto objects, sealed_.list(inside(prefix)));
    std::vector<std::string> names;
    for (const auto& object : objects) names.push_back(object.name.substr(folder.size()));
    return names;
  }
  std::string where() const override { return sealed_.where(); }

 private:
  static std::string inside(const std::string& name) { return std::string(folder) + name; }

  storage::Storage& sealed_;
};

}  // namespace

Result<std::unique_ptr<SharedPlace>> open_shared_place(Desk& desk, bool make) {
  const auto& project = desk.project;
  const auto& vault = project.spec.vault;
  auto& random = desk.world().random;
  auto place = std::make_unique<SharedPlace>();
  place->secrets = std::make_shared<Secrets>(project.spec.secrets, project.folder, project.env,
                                             project.on_secret);
  desk.machine->hide(place->secrets);
  TRY_LET(auto trust, trust_of(project.spec.tls, project.folder, *desk.machine));
  TRY_LET(const auto recipe,
          store_recipe(vault, project.places, project.folder, *place->secrets, std::move(trust)));
  TRY_LET(place->store, make_store(recipe, desk.world().clock, random).in("vault.store"));
  if (!make) {
    TRY_LET(const bool made, place->store->exists("config"));
    if (!made) return std::unique_ptr<SharedPlace>();
  }
  TRY_LET(const auto key, vault_key(desk, vault, *place->store, *place->secrets).in("vault.key"));
  if (!key) return fail(Fault::missing, "`journal: store` needs a vault.key that belay.yaml names");
  TRY_LET(place->sealed, vault::open_sealed_store(*place->store, *key, random));
  place->ledger = std::make_unique<StoredLedger>(*place->sealed);
  return place;
}

Result<std::string> machine_name(const Path& state, Random& random) {
  const Path path = state / "machine";
  TRY_LET(auto name, key_in(path));
  if (!name) {
    TRY(put_key(path, Secret(random.hex(8)), random));
    TRY_LET(name, key_in(path));
  }
  if (!name) return fail(Fault::missing, path.string() + " was removed while Belay made it");
  return name->reveal();
}

}  // namespace belay::app
