// SPDX-License-Identifier: Apache-2.0
#include "app/store.hpp"

#include "app/project.hpp"

namespace belay::app {

namespace {

Status resolve(const std::optional<pipeline::Template>& text, Secrets& secrets, Secret& into) {
  if (!text) return {};
  TRY_LET(into, secrets.expand(*text));
  return {};
}

void read_place(const std::string& store, StoreRecipe& recipe) {
  const auto place = store.substr(store.find(':') + 1);
  const auto slash = place.find('/');
  recipe.bucket = place.substr(0, slash);
  if (slash != std::string::npos) recipe.prefix = place.substr(slash + 1);
  if (!recipe.prefix.empty() && !recipe.prefix.ends_with('/')) recipe.prefix += '/';
}

constexpr std::array kinds{"file", "s3", "azblob"};

}  // namespace

Result<StoreRecipe> store_recipe(const pipeline::Vault& vault, const Places& places,
                                 const Path& project_folder, Secrets& secrets, net::Trust trust) {
  StoreRecipe recipe;
  recipe.trust = std::move(trust);
  if (vault.s3) {
    const auto& s3 = *vault.s3;
    recipe.kind = StoreRecipe::Kind::s3;
    recipe.region = s3.region;
    recipe.endpoint = s3.endpoint;
    recipe.path_style = s3.path_style;
    read_place(vault.store, recipe);
    TRY(resolve(s3.key, secrets, recipe.key).in("vault.s3.key"));
    TRY(resolve(s3.secret, secrets, recipe.secret).in("vault.s3.secret"));
    TRY(resolve(s3.session, secrets, recipe.session).in("vault.s3.session"));
  } else if (vault.azblob) {
    const auto& azblob = *vault.azblob;
    recipe.kind = StoreRecipe::Kind::azblob;
    recipe.account = azblob.account;
    recipe.endpoint = azblob.endpoint;
    read_place(vault.store, recipe);
    TRY(resolve(azblob.key, secrets, recipe.key).in("vault.azblob.key"));
    TRY(resolve(azblob.sas, secrets, recipe.sas).in("vault.azblob.sas"));
  } else {
    recipe.folder = store_of(vault, places, project_folder);
  }
  return recipe;
}

std::string store_text(const pipeline::Vault& vault, const Places& places,
                       const Path& project_folder) {
  if (!vault.s3 && !vault.azblob) return store_of(vault, places, project_folder).string();
  const auto& whose = vault.s3 ? vault.s3->endpoint : vault.azblob->account;
  return vault.store + (whose.empty() ? "" : " at " + whose);
}

Json to_json(const StoreRecipe& recipe) {
  return {{"kind", kinds.at(static_cast<std::size_t>(recipe.kind))},
          {"folder", recipe.folder.string()},
          {"bucket", recipe.bucket},
          {"prefix", recipe.prefix},
          {"region", recipe.region},
          {"endpoint", recipe.endpoint},
          {"account", recipe.account},
          {"path_style", recipe.path_style},
          {"key", recipe.key.reveal()},
          {"secret", recipe.secret.reveal()},
          {"session", recipe.session.reveal()},
          {"sas", recipe.sas.reveal()},
          {"authorities", recipe.trust.authorities},
          {"unchecked", recipe.trust.unchecked}};
}

Result<StoreRecipe> store_recipe_from(const Json& json) {
  StoreRecipe recipe;
  try {
    const auto text = [&json](const char* member) { return json.at(member).get<std::string>(); };
    const auto found = std::find(kinds.begin(), kinds.end(), text("kind"));
    if (found == kinds.end()) return fail(Fault::invalid, "there is no such kind of store");
    recipe.kind = static_cast<StoreRecipe::Kind>(found - kinds.begin());
    recipe.folder = text("folder");
    recipe.bucket = text("bucket");
    recipe.prefix = text("prefix");
    recipe.region = text("region");
    recipe.endpoint = text("endpoint");
    recipe.account = text("account");
    recipe.path_style = json.at("path_style").get<bool>();
    recipe.key = Secret(text("key"));
    recipe.secret = Secret(text("secret"));
    recipe.session = Secret(text("session"));
    recipe.sas = Secret(text("sas"));
    recipe.trust.authorities = text("authorities");
    json.at("unchecked").get_to(recipe.trust.unchecked);
  } catch (const Json::exception& error) {
    return fail(Fault::invalid, error.what());
  }
  return recipe;
}

}  // namespace belay::app
