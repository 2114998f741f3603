// SPDX-License-Identifier: Apache-2.0
// The vault's keys: what is sealed with them, named with them, cut by them. Safe from many threads
// when its Random is.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/random.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace belay::vault {

inline constexpr int format_number = 1;

enum class SealKind : std::uint8_t { block = 1, manifest = 2, sealed = 3, check = 4 };

using Key = std::array<unsigned char, 32>;

class Keyring {
 public:
  Keyring(const Key& master, Random& random);
  ~Keyring();
  Keyring(const Keyring&) = delete;
  Keyring& operator=(const Keyring&) = delete;

  // Compressed and encrypted, bound to the name of the object that it will be.
  std::string seal(SealKind kind, std::string_view object, std::string_view plain);
  // corrupt: these are not the bytes that were sealed under this name. `limit`: of the plain bytes.
  Result<std::string> open(SealKind kind, std::string_view object, std::string bytes,
                           std::size_t limit) const;
  // The name of a block with this content: 64 hex digits.
  std::string name_of(std::string_view content) const;
  // Even over 64 bits; the same for the same bytes in one vault.
  std::uint64_t cut_hash(std::string_view document) const;

 private:
  Key seal_key_{}, name_key_{}, cut_key_{};
  Random& random_;
};

// Another Random, for many threads.
class GuardedRandom final : public Random {
 public:
  explicit GuardedRandom(Random& random) : random_(random) {}
  std::uint64_t next() override {
    const std::lock_guard lock(mutex_);
    return random_.next();
  }

 private:
  Random& random_;
  std::mutex mutex_;
};

std::string random_bytes(Random& random, std::size_t count);
Result<Key> random_key(Random& random);

// The user's key as given: 32 bytes as hex or base64, else a passphrase. invalid: too short.
struct UserKey {
  bool passphrase = false;
  Secret bytes;  // the 32 bytes, or the passphrase
};
Result<UserKey> parse_user_key(const Secret& text);

// The text of a `keys/` object.
Result<std::string> wrap_master(const Key& master, const UserKey& user, Random& random);
// denied: wrapped with another key. corrupt: damaged. refused: of a newer format.
Result<Key> unwrap_master(std::string_view object, const UserKey& user);

// JSON with the member "sha256" over the rest: damage and a wrong key are told apart by it.
std::string with_checksum(const std::string& canonical_json);
bool checksum_holds(const std::string& json_text);

}  // namespace belay::vault
