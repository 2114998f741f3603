// SPDX-License-Identifier: Apache-2.0
// Where restore points are kept: belay.yaml's words with the secrets in them resolved.
#pragma once

#include <memory>

#include "app/places.hpp"
#include "app/secrets.hpp"
#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/random.hpp"
#include "net/trust.hpp"
#include "storage/storage.hpp"

namespace belay::app {

struct StoreRecipe {
  enum class Kind { local, s3, azblob } kind = Kind::local;
  Path folder;                 // local
  std::string bucket, prefix;  // the others'; prefix: "" or "a/b/"
  std::string region, endpoint, account;
  bool path_style = false;
  Secret key, secret, session, sas;
  net::Trust trust = {};
  // Signing in without a key of our own: "github" or "federated"; else empty.
  struct Identity {
    std::string of;
    std::string url;  // github
    Secret with;
    Path file;                              // federated
    std::string tenant, client, authority;  // azblob
    std::string role, sts;                  // s3
  } identity = {};
  Millis lock{0};
};

// A folder's name is from `project_folder`. missing, naming it, when a secret is not there.
Result<StoreRecipe> store_recipe(const pipeline::Vault& vault, const Places& places,
                                 const Path& project_folder, Secrets& secrets, net::Trust trust);
// The same without the secrets, for whoever only wants to know which it is. Same text: same store.
std::string store_text(const pipeline::Vault& vault, const Places& places,
                       const Path& project_folder);

// With the secrets: for a child's standard input, and nothing else. What is unchecked is told here,
// and not there again.
Json to_json(const StoreRecipe& recipe);
Result<StoreRecipe> store_recipe_from(const Json& json);

// Connects to nothing yet.
Result<std::unique_ptr<storage::Storage>> make_store(const StoreRecipe& recipe, Clock& clock,
                                                     Random& random);

}  // namespace belay::app
