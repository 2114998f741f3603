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

// From belay.yaml, else from the environment.
Status or_else(const std::string& text, const char* name, Secrets& secrets, std::string& into) {
  into = text;
  if (!into.empty()) return {};
  TRY_LET(const auto found, secrets.resolve(name));
  into = found.reveal();
  return {};
}

// `file_name`: the variable that names the file which a platform keeps fresh.
Status resolve_identity(const std::string& of, const char* file_name, Secrets& secrets,
                        StoreRecipe::Identity& into) {
  into.of = of;
  if (of == "github") {
    auto url = secrets.resolve("ACTIONS_ID_TOKEN_REQUEST_URL");
    auto with = secrets.resolve("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    if (!url || !with) {
      return fail(Fault::missing,
                  "this is no job of GitHub's that may ask for a token: identity: github needs "
                  "permissions: { id-token: write }");
    }
    into.url = url->reveal();
    into.with = *with;
  } else if (of == "federated") {
    TRY_LET(const auto file, secrets.resolve(file_name));
    into.file = file.reveal();
  }
  return {};
}

Status resolve_s3(const pipeline::S3Store& s3, Secrets& secrets, StoreRecipe& recipe) {
  TRY(resolve(s3.key, secrets, recipe.key).in("vault.s3.key"));
  TRY(resolve(s3.secret, secrets, recipe.secret).in("vault.s3.secret"));
  TRY(resolve(s3.session, secrets, recipe.session).in("vault.s3.session"));
  if (s3.identity.empty()) return {};
  auto& identity = recipe.identity;
  TRY(resolve_identity(s3.identity, "AWS_WEB_IDENTITY_TOKEN_FILE", secrets, identity)
          .in("vault.s3.identity"));
  TRY(or_else(s3.role, "AWS_ROLE_ARN", secrets, identity.role).in("vault.s3.role"));
  identity.sts = s3.sts;
  return {};
}

Status resolve_azblob(const pipeline::AzblobStore& azblob, Secrets& secrets, StoreRecipe& recipe) {
  TRY(resolve(azblob.key, secrets, recipe.key).in("vault.azblob.key"));
  TRY(resolve(azblob.sas, secrets, recipe.sas).in("vault.azblob.sas"));
  if (azblob.identity.empty()) return {};
  auto& identity = recipe.identity;
  TRY(resolve_identity(azblob.identity, "AZURE_FEDERATED_TOKEN_FILE", secrets, identity)
          .in("vault.azblob.identity"));
  TRY(or_else(azblob.tenant, "AZURE_TENANT_ID", secrets, identity.tenant)
          .in("vault.azblob.tenant"));
  TRY(or_else(azblob.client, "AZURE_CLIENT_ID", secrets, identity.client)
          .in("vault.azblob.client"));
  const auto host = or_else(azblob.authority, "AZURE_AUTHORITY_HOST", secrets, identity.authority);
  if (!host) identity.authority = "https://login.microsoftonline.com";
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

Json to_json(const StoreRecipe::Identity& identity) {
  return {{"of", identity.of},
          {"url", identity.url},
          {"with", identity.with.reveal()},
          {"file", identity.file.string()},
          {"tenant", identity.tenant},
          {"client", identity.client},
          {"authority", identity.authority},
          {"role", identity.role},
          {"sts", identity.sts}};
}

StoreRecipe::Identity identity_from(const Json& json) {
  const auto text = [&json](const char* member) { return json.at(member).get<std::string>(); };
  return {text("of"),     text("url"),       Secret(text("with")), text("file"), text("tenant"),
          text("client"), text("authority"), text("role"),         text("sts")};
}

}  // namespace

Result<StoreRecipe> store_recipe(const pipeline::Vault& vault, const Places& places,
                                 const Path& project_folder, Secrets& secrets, net::Trust trust) {
  StoreRecipe recipe;
  recipe.trust = std::move(trust);
  recipe.lock = vault.lock;
  if (vault.s3) {
    const auto& s3 = *vault.s3;
    recipe.kind = StoreRecipe::Kind::s3;
    recipe.region = s3.region;
    recipe.endpoint = s3.endpoint;
    recipe.path_style = s3.path_style;
    read_place(vault.store, recipe);
    TRY(resolve_s3(s3, secrets, recipe));
  } else if (vault.azblob) {
    const auto& azblob = *vault.azblob;
    recipe.kind = StoreRecipe::Kind::azblob;
    recipe.account = azblob.account;
    recipe.endpoint = azblob.endpoint;
    read_place(vault.store, recipe);
    TRY(resolve_azblob(azblob, secrets, recipe));
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
          {"unchecked", recipe.trust.unchecked},
          {"identity", to_json(recipe.identity)},
          {"lock", recipe.lock.count()}};
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
    recipe.identity = identity_from(json.at("identity"));
    recipe.lock = Millis(json.at("lock").get<Millis::rep>());
  } catch (const Json::exception& error) {
    return fail(Fault::invalid, error.what());
  }
  return recipe;
}

}  // namespace belay::app
