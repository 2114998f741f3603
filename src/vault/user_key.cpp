// SPDX-License-Identifier: Apache-2.0
// The user's key and the master key that it wraps.
#include <sodium.h>

#include <cstring>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "vault/keyring.hpp"
#include "vault/sodium_bytes.hpp"

namespace belay::vault {

namespace {

constexpr std::string_view wrap_binding = "belay key";
constexpr std::uint64_t passphrase_ops = 3;
constexpr std::size_t passphrase_memory = std::size_t{64} << 20;
// Bounds for what a foreign object may ask of this machine.
constexpr std::uint64_t most_ops = 64;
constexpr std::size_t most_memory = std::size_t{1} << 30;
constexpr std::size_t shortest_passphrase = 16;

Result<Key> user_bytes(const UserKey& user, const std::string& salt, std::uint64_t ops,
                       std::size_t memory) {
  Key key{};
  const std::string& text = user.bytes.reveal();
  if (!user.passphrase) {
    std::memcpy(key.data(), text.data(), key.size());
    return key;
  }
  if (salt.size() != crypto_pwhash_SALTBYTES || ops > most_ops || memory > most_memory) {
    return fail(Fault::corrupt, "it asks for a key derivation that Belay never uses");
  }
  if (crypto_pwhash(key.data(), key.size(), text.data(), text.size(), bytes_of(salt), ops, memory,
                    crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return fail(Fault::refused, "not enough memory to derive the vault's key from the passphrase");
  }
  return key;
}

Result<Key> unwrap(const Json& json, const UserKey& user) {
  if ((json.at("kdf") == "argon2id") != user.passphrase) {
    return fail(Fault::denied, "wrapped by a key of another form");
  }
  TRY_LET(const auto salt, from_base64(json.at("salt").get<std::string>()));
  TRY_LET(const auto nonce, from_base64(json.at("nonce").get<std::string>()));
  TRY_LET(const auto wrapped, from_base64(json.at("wrapped").get<std::string>()));
  Key master{};
  if (nonce.size() != crypto_aead_xchacha20poly1305_ietf_NPUBBYTES ||
      wrapped.size() != master.size() + crypto_aead_xchacha20poly1305_ietf_ABYTES) {
    return fail(Fault::corrupt, "its members have wrong lengths");
  }
  TRY_LET(Key key, user_bytes(user, salt, json.at("ops").get<std::uint64_t>(),
                              json.at("memory").get<std::size_t>()));
  unsigned long long size = 0;
  const int opened = crypto_aead_xchacha20poly1305_ietf_decrypt(
      master.data(), &size, nullptr, bytes_of(wrapped), wrapped.size(), bytes_of(wrap_binding),
      wrap_binding.size(), bytes_of(nonce), key.data());
  sodium_memzero(key.data(), key.size());
  if (opened != 0) return fail(Fault::denied, "wrapped by another key");
  return master;
}

}  // namespace

Result<Key> random_key(Random& random) {
  Key key{};
  std::string bytes = random_bytes(random, key.size());
  std::memcpy(key.data(), bytes.data(), key.size());
  sodium_memzero(bytes.data(), bytes.size());
  return key;
}

Result<UserKey> parse_user_key(const Secret& text) {
  const std::string_view trimmed = trim(text.reveal());
  if (trimmed.size() == 64) {
    if (auto bytes = from_hex(trimmed)) return UserKey{false, Secret(*bytes)};
  }
  if (trimmed.size() == 43 || trimmed.size() == 44) {
    auto bytes = from_base64(trimmed);
    if (bytes && bytes->size() == 32) return UserKey{false, Secret(*bytes)};
  }
  if (trimmed.size() < shortest_passphrase) {
    return fail(
        Fault::invalid,
        "the vault's key is too short: give 32 bytes as hexadecimal or base64 (`openssl rand "
        "-hex 32` makes them), or a passphrase of at least 16 characters");
  }
  return UserKey{true, Secret(std::string(trimmed))};
}

Result<std::string> wrap_master(const Key& master, const UserKey& user, Random& random) {
  const std::string salt = random_bytes(random, crypto_pwhash_SALTBYTES);
  const std::string nonce = random_bytes(random, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
  TRY_LET(Key key, user_bytes(user, salt, passphrase_ops, passphrase_memory));
  std::string wrapped(master.size() + crypto_aead_xchacha20poly1305_ietf_ABYTES, '\0');
  unsigned long long size = 0;
  ASSERT(crypto_aead_xchacha20poly1305_ietf_encrypt(
             reinterpret_cast<unsigned char*>(wrapped.data()), &size, master.data(), master.size(),
             bytes_of(wrap_binding), wrap_binding.size(), nullptr, bytes_of(nonce),
             key.data()) == 0);
  sodium_memzero(key.data(), key.size());
  const Json json = {{"belay_key", format_number},  {"kdf", user.passphrase ? "argon2id" : "raw"},
                     {"salt", base64(salt)},        {"ops", passphrase_ops},
                     {"memory", passphrase_memory}, {"nonce", base64(nonce)},
                     {"wrapped", base64(wrapped)}};
  return with_checksum(canonical(json));
}

Result<Key> unwrap_master(std::string_view object, const UserKey& user) {
  const std::string text(object);
  if (!checksum_holds(text)) return fail(Fault::corrupt, "its bytes are not what was written");
  try {
    const Json json = Json::parse(text);
    if (json.at("belay_key").get<int>() > format_number) {
      return fail(Fault::refused, "it has a newer format: use a newer Belay");
    }
    return unwrap(json, user);
  } catch (const Json::exception&) {
    return fail(Fault::corrupt, "its members are not what Belay writes");
  }
}

std::string with_checksum(const std::string& canonical_json) {
  Json json = Json::parse(canonical_json);
  json["sha256"] = sha256_hex(canonical_json);
  return canonical(json) + "\n";
}

bool checksum_holds(const std::string& json_text) {
  auto json = parse_json(json_text);
  if (!json || !json->is_object() || !json->contains("sha256") || !(*json)["sha256"].is_string()) {
    return false;
  }
  const std::string expected = (*json)["sha256"].get<std::string>();
  json->erase("sha256");
  return sha256_hex(canonical(*json)) == expected;
}

}  // namespace belay::vault
