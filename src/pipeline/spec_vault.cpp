// SPDX-License-Identifier: Apache-2.0
// The vault: where its objects are, its key, what is kept.
#include <fmt/format.h>

#include <algorithm>

#include "pipeline/spec_parts.hpp"

namespace belay::pipeline {

namespace {

constexpr const char* places = "file:PATH, s3:BUCKET/PREFIX or azblob:CONTAINER/PREFIX";

bool all_of(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

constexpr std::string_view lower = "abcdefghijklmnopqrstuvwxyz0123456789-";
constexpr std::string_view prefix_characters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./";

// What both providers say of such names; S3's may have dots as well.
bool is_bucket(std::string_view name, bool dots) {
  const auto plain = [](char c) { return c != '-' && c != '.'; };
  return name.size() >= 3 && name.size() <= 63 && plain(name.front()) && plain(name.back()) &&
         all_of(name, dots ? std::string(lower) + "." : std::string(lower));
}

bool is_prefix(std::string_view prefix) {
  return all_of(prefix, prefix_characters) && !prefix.starts_with('/') &&
         prefix.find("//") == std::string_view::npos &&
         prefix.find("/.") == std::string_view::npos && !prefix.starts_with('.');
}

void read_store(const Field& field, std::string& store) {
  std::string text;
  field.text(text);
  if (text.empty()) return;
  const auto colon = text.find(':');
  const auto kind = text.substr(0, colon);
  const auto place = colon == std::string::npos ? "" : text.substr(colon + 1);
  const auto slash = place.find('/');
  const auto bucket = place.substr(0, slash);
  const auto prefix = slash == std::string::npos ? "" : place.substr(slash + 1);
  const bool fits = kind == "file" ? !place.empty()
                    : kind == "s3"
                        ? is_bucket(bucket, true) && is_prefix(prefix)
                        : kind == "azblob" && is_bucket(bucket, false) && is_prefix(prefix);
  if (!fits) return field.complain(fmt::format("expected {}, found \"{}\"", places, text));
  store = text;
}

// The key is never written into the file that everybody reads.
void read_vault_key(const Field& field, std::optional<Template>& key) {
  if (!field) return;
  Template read;
  field.secret(read);
  if (read.text.empty()) return;
  if (read.literal() && !read.text.starts_with("file:")) {
    return field.complain("expected ${NAME} or file:PATH; the key itself does not belong here");
  }
  key = read;
}

void read_identity(const Field& field, std::string& identity) {
  const std::vector<std::string> kinds{"github", "federated"};
  if (const int chosen = field.choice(kinds); chosen >= 0)
    identity = kinds[static_cast<std::size_t>(chosen)];
}

void look_at_s3_keys(const Field& field, const Keys& keys) {
  if (!keys.readable()) return;
  if (keys.has("identity") && (keys.has("key") || keys.has("secret") || keys.has("session")))
    field.complain("expected identity: or key: and secret:, not both");
  if (!keys.has("identity") && (keys.has("role") || keys.has("sts")))
    field.complain("role: and sts: go with identity: github or identity: federated");
}

void read_s3(const Field& field, std::optional<S3Store>& s3) {
  if (!field) return;
  Keys keys(field);
  auto& read = s3.emplace();
  const auto secret_of = [&keys](const char* key, const char* hint) {
    return keys.has("identity") ? keys[key] : keys.required(key, hint);
  };
  read_named_secret(secret_of("key", "the access key's id, as in: key: ${AWS_ACCESS_KEY_ID}"),
                    read.key);
  read_named_secret(secret_of("secret", "its secret, as in: secret: ${AWS_SECRET_ACCESS_KEY}"),
                    read.secret);
  read_named_secret(keys["session"], read.session);
  read_identity(keys["identity"], read.identity);
  keys["role"].text(read.role);
  read_endpoint(keys["sts"], read.sts);
  look_at_s3_keys(field, keys);
  keys["region"].text(read.region);
  read_endpoint(keys["endpoint"], read.endpoint);
  keys["path_style"].flag(read.path_style);
  keys.also_called("access_key", "key");
  keys.also_called("secret_key", "secret");
  keys.also_called("token", "session");
  keys.also_called("url", "endpoint");
  keys.finish();
}

void look_at_azblob_keys(const Field& field, const Keys& keys) {
  if (!keys.readable()) return;
  const int ways = int{keys.has("key")} + int{keys.has("sas")} + int{keys.has("identity")};
  if (ways != 1)
    field.complain(
        "expected one of key: ${NAME} (the account's), sas: ${NAME} (a signature) and identity: "
        "github or federated");
  if (!keys.has("identity") && (keys.has("tenant") || keys.has("client") || keys.has("authority")))
    field.complain("tenant:, client: and authority: go with identity:");
}

void read_azblob(const Field& field, std::optional<AzblobStore>& azblob) {
  if (!field) return;
  Keys keys(field);
  auto& read = azblob.emplace();
  keys.required("account", "the storage account, as in: account: shopbackups").text(read.account);
  read_named_secret(keys["key"], read.key);
  read_named_secret(keys["sas"], read.sas);
  read_identity(keys["identity"], read.identity);
  keys["tenant"].text(read.tenant);
  keys["client"].text(read.client);
  read_endpoint(keys["authority"], read.authority);
  look_at_azblob_keys(field, keys);
  read_endpoint(keys["endpoint"], read.endpoint);
  keys.also_called("url", "endpoint");
  keys.finish();
}

void read_lock(const Field& field, Vault& vault) {
  if (!field) return;
  field.duration(vault.lock, std::chrono::hours(1));
  if (!vault.s3 && !vault.azblob)
    field.complain("goes with store: s3:... or azblob:...; a folder cannot be locked");
}

// How to sign in stands beside where to.
void look_at_sign_in(const Field& field, const Vault& vault) {
  const auto kind = vault.store.substr(0, vault.store.find(':'));
  if (kind == "s3" && !vault.s3)
    field.complain(
        "s3: is missing, as in: s3: { key: ${AWS_ACCESS_KEY_ID}, secret: "
        "${AWS_SECRET_ACCESS_KEY}, region: eu-central-1 }");
  if (kind == "azblob" && !vault.azblob)
    field.complain(
        "azblob: is missing, as in: azblob: { account: shopbackups, key: ${AZURE_STORAGE_KEY} }");
  if (vault.s3 && kind != "s3") field.complain("s3: goes with store: s3:BUCKET/PREFIX only");
  if (vault.azblob && kind != "azblob")
    field.complain("azblob: goes with store: azblob:CONTAINER/PREFIX only");
}

}  // namespace

void read_named_secret(const Field& field, std::optional<Template>& into) {
  if (!field) return;
  Template read;
  field.secret(read);
  if (field.complaints->complained(field.key)) return;
  if (read.literal())
    return field.complain("expected ${NAME}; the secret itself does not belong here");
  into = read;
}

void read_endpoint(const Field& field, std::string& endpoint) {
  std::string text;
  field.text(text);
  if (text.empty()) return;
  if (!text.starts_with("https://") && !text.starts_with("http://"))
    return field.complain(fmt::format("expected https://HOST, found \"{}\"", text));
  endpoint = text;
}

void read_vault(const Field& field, Vault& vault) {
  if (!field) return;
  Keys keys(field);
  const auto store = keys["store"];
  read_store(store, vault.store);
  read_s3(keys["s3"], vault.s3);
  read_azblob(keys["azblob"], vault.azblob);
  if (!store || !store.complaints->complained(store.key)) look_at_sign_in(field, vault);
  read_vault_key(keys["key"], vault.key);
  read_lock(keys["lock"], vault);
  Keys keep(keys["keep"]);
  keep["last"].number(vault.keep.last, 1, 100000);
  keep["days"].number(vault.keep.days, 0, 36500);
  keep["safety_days"].number(vault.keep.safety_days, 1, 36500);
  keep.finish();
  keys.later("every", "taking restore points by the clock");
  for (const auto* word : {"path", "location"}) keys.also_called(word, "store");
  keys.also_called("retention", "keep");
  keys.also_called("immutable", "lock");
  keys.also_called("azure", "azblob");
  keys.finish();
}

void look_at_journal(const Spec& spec, Complaints& complaints) {
  if (!spec.journal_in_store) return;
  if (spec.vault.store.empty() && !complaints.stands("vault.store"))
    complaints.at_key("journal",
                      "`store` is the vault's, and `vault` names none that every machine reaches; "
                      "as in: vault: { store: s3:BUCKET/PREFIX, ... }");
  if (!spec.vault.key && !complaints.stands("vault.key"))
    complaints.at_key("journal",
                      "is sealed in the store with the vault's key, which every machine must be "
                      "given; as in: vault: { key: ${BELAY_VAULT_KEY}, ... }");
}

}  // namespace belay::pipeline
