// SPDX-License-Identifier: Apache-2.0
#include "app/vault_key.hpp"

#include <fmt/format.h>

#include <array>

#include "app/key_file.hpp"
#include "app/project.hpp"
#include "app/store.hpp"
#include "app/trust.hpp"
#include "app/wire.hpp"
#include "base/text.hpp"

namespace belay::app {

namespace {

bool takes_restore_point(const pipeline::Plan& plan) {
  const std::array both{&plan.steps, &plan.back};
  return std::any_of(both.begin(), both.end(), [](const auto* steps) {
    return std::any_of(steps->begin(), steps->end(),
                       [](const auto& step) { return step.kind == "restore_point"; });
  });
}

Result<bool> is_made(const Desk& desk, const pipeline::Spec& spec, const pipeline::Vault& vault,
                     const Path& folder) {
  Secrets secrets(spec.secrets, folder, desk.project.env, desk.project.on_secret);
  TRY_LET(auto trust, trust_of(spec.tls, folder, *desk.machine));
  TRY_LET(const auto recipe,
          store_recipe(vault, desk.project.places, folder, secrets, std::move(trust)));
  TRY_LET(const auto store, make_store(recipe, desk.world().clock, desk.world().random));
  return store->exists("config");
}

}  // namespace

Result<bool> vault_is_made(Desk& desk, const std::string& environment) {
  const auto& project = desk.project;
  return is_made(desk, project.spec, vault_of(project.spec, environment), project.folder);
}

Result<std::optional<Secret>> vault_key(const Desk& desk, const pipeline::Vault& vault,
                                        storage::Storage& store, Secrets& secrets) {
  if (vault.key && vault.key->literal() && vault.key->text.starts_with("file:")) {
    TRY_LET(auto text, read_file(desk.project.folder / vault.key->text.substr(5)));
    return std::optional(Secret(std::string(trim(text))));
  }
  if (vault.key) {
    TRY_LET(auto key, secrets.expand(*vault.key));
    return std::optional(std::move(key));
  }
  const Path path = desk.project.places.vault_key();
  TRY_LET(auto key, key_in(path));
  if (key) return key;
  TRY_LET(const bool made, store.exists("config"));
  if (!made) return std::optional<Secret>();
  return fail(Fault::missing,
              fmt::format("there is no key {}, and the vault at {} was made with it: put back the "
                          "copy that was kept elsewhere",
                          path.string(), store.where()));
}

Result<std::optional<FreshKey>> make_vault_key(Desk& desk, const pipeline::Spec& present,
                                               const std::string& environment,
                                               const std::string& folder) {
  const auto& vault = vault_of(present, environment);
  if (vault.key) return std::optional<FreshKey>();
  const Path path = desk.project.places.vault_key();
  TRY_LET(auto there, key_in(path));
  if (there) return std::optional<FreshKey>();
  TRY_LET(const bool made, is_made(desk, present, vault, folder));
  if (made) return std::optional<FreshKey>();  // opening it says what is missing
  FreshKey fresh{path, Secret(desk.world().random.hex(32))};
  TRY_LET(const bool ours, put_key(path, fresh.key, desk.world().random));
  return ours ? std::optional(std::move(fresh)) : std::nullopt;
}

Result<std::optional<FreshKey>> make_vault_key(Desk& desk, const pipeline::Plan& plan) {
  if (!takes_restore_point(plan)) return std::optional<FreshKey>();
  TRY_LET(auto texts, config_of(plan));
  TRY_LET(auto present, spec_of(texts.present, "belay.yaml (present)"));
  return make_vault_key(desk, present, plan.environment, texts.folder);
}

}  // namespace belay::app
