// SPDX-License-Identifier: Apache-2.0
// The place that names the providers of stores.
#include "app/store.hpp"
#include "storage/azure.hpp"
#include "storage/s3.hpp"
#include "vault/vault.hpp"

namespace belay::app {

namespace {

storage::Identity identity_of(const StoreRecipe& recipe) {
  const auto& identity = recipe.identity;
  using From = storage::Identity::From;
  const auto from = identity.of == "github"      ? From::github
                    : identity.of == "federated" ? From::file
                                                 : From::nobody;
  return {from, identity.url, identity.with, identity.file, recipe.trust};
}

}  // namespace

Result<std::unique_ptr<storage::Storage>> make_store(const StoreRecipe& recipe, Clock& clock,
                                                     Random& random) {
  switch (recipe.kind) {
    case StoreRecipe::Kind::s3: {
      storage::S3Config config;
      config.bucket = recipe.bucket;
      config.prefix = recipe.prefix;
      config.region = recipe.region;
      config.endpoint = recipe.endpoint;
      config.path_style = recipe.path_style;
      config.key = {recipe.key.reveal(), recipe.secret, recipe.session};
      config.trust = recipe.trust;
      config.lock = {recipe.lock, vault::is_lasting};
      config.role = {recipe.identity.role, recipe.identity.sts, identity_of(recipe)};
      return storage::make_s3(std::move(config), clock, random);
    }
    case StoreRecipe::Kind::azblob: {
      storage::AzureConfig config;
      config.account = recipe.account;
      config.container = recipe.bucket;
      config.prefix = recipe.prefix;
      config.endpoint = recipe.endpoint;
      config.key = recipe.key;
      config.sas = recipe.sas;
      config.trust = recipe.trust;
      config.lock = {recipe.lock, vault::is_lasting};
      config.role = {recipe.identity.tenant, recipe.identity.client, recipe.identity.authority,
                     identity_of(recipe)};
      return storage::make_azure(std::move(config), clock, random);
    }
    case StoreRecipe::Kind::local: break;
  }
  return storage::make_local(recipe.folder);
}

}  // namespace belay::app
