// SPDX-License-Identifier: Apache-2.0
#include "vault/keyring.hpp"
#include "vault/sodium_bytes.hpp"

#include <sodium.h>
#include <zstd.h>

#include <cstring>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace belay::vault {

namespace {

constexpr std::string_view magic = "BLYV";
constexpr std::size_t header_bytes = 8;
constexpr std::size_t nonce_bytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t tag_bytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
// Level 1: a backup is bound by one core, and BSON's repeated field names compress at any level.
constexpr int compression_level = 1;

std::string header(SealKind kind) {
  std::string out(magic);
  out += static_cast<char>(format_number);
  out += static_cast<char>(kind);
  out.append(2, '\0');
  return out;
}

// One compressor a thread: its tables cost more to make than a small block to compress.
std::size_t compress(char* to, std::size_t room, std::string_view plain) {
  thread_local const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                                  &ZSTD_freeCCtx);
  const std::size_t size =
      ZSTD_compressCCtx(context.get(), to, room, plain.data(), plain.size(), compression_level);
  ASSERT(!ZSTD_isError(size));
  return size;
}

Result<std::string> decompress(std::string_view frame, std::size_t limit) {
  const unsigned long long size = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > limit) {
    return fail(Fault::corrupt, "what is inside is not what Belay writes");
  }
  std::string plain(static_cast<std::size_t>(size), '\0');
  const std::size_t got = ZSTD_decompress(plain.data(), plain.size(), frame.data(), frame.size());
  if (ZSTD_isError(got) || got != plain.size()) {
    return fail(Fault::corrupt, "what is inside does not decompress");
  }
  return plain;
}

}  // namespace

Keyring::Keyring(const Key& master, Random& random) : random_(random) {
  const auto derive = [&](Key& key, std::uint64_t id) {
    ASSERT(crypto_kdf_derive_from_key(key.data(), key.size(), id, "belayvlt", master.data()) == 0);
  };
  derive(seal_key_, 1);
  derive(name_key_, 2);
  derive(cut_key_, 3);
}

Keyring::~Keyring() {
  for (Key* key : {&seal_key_, &name_key_, &cut_key_}) sodium_memzero(key->data(), key->size());
}

std::string Keyring::seal(SealKind kind, std::string_view object, std::string_view plain) {
  std::string out = header(kind);
  const std::string bound = out + std::string(object);
  out += random_bytes(random_, nonce_bytes);
  const std::size_t start = header_bytes + nonce_bytes;
  const std::size_t room = ZSTD_compressBound(plain.size());
  out.resize(start + room + tag_bytes);
  const std::size_t size = compress(out.data() + start, room, plain);
  // In place: a document of 16 MiB is not held once more.
  unsigned long long boxed = 0;
  ASSERT(crypto_aead_xchacha20poly1305_ietf_encrypt(
             bytes_of(out) + start, &boxed, bytes_of(out) + start, size, bytes_of(bound),
             bound.size(), nullptr, bytes_of(out) + header_bytes, seal_key_.data()) == 0);
  out.resize(start + static_cast<std::size_t>(boxed));
  return out;
}

Result<std::string> Keyring::open(SealKind kind, std::string_view object, std::string bytes,
                                  std::size_t limit) const {
  const std::string expected = header(kind);
  if (bytes.size() < header_bytes + nonce_bytes + tag_bytes) {
    return fail(Fault::corrupt, std::string(object) + " is cut off");
  }
  if (bytes.starts_with(magic) && bytes[4] > static_cast<char>(format_number)) {
    return fail(Fault::refused, std::string(object) + " has format " + std::to_string(bytes[4]) +
                                    ", this Belay reads up to " + std::to_string(format_number) +
                                    ": use a newer Belay");
  }
  const std::string bound = expected + std::string(object);
  const std::size_t start = header_bytes + nonce_bytes;
  unsigned long long size = 0;
  if (!bytes.starts_with(expected) ||
      crypto_aead_xchacha20poly1305_ietf_decrypt(
          bytes_of(bytes) + start, &size, nullptr, bytes_of(bytes) + start, bytes.size() - start,
          bytes_of(bound), bound.size(), bytes_of(bytes) + header_bytes, seal_key_.data()) != 0) {
    return fail(Fault::corrupt,
                std::string(object) + " is damaged: its bytes are not what was written");
  }
  auto plain =
      decompress(std::string_view(bytes).substr(start, static_cast<std::size_t>(size)), limit);
  return std::move(plain).in(std::string(object));
}

std::string Keyring::name_of(std::string_view content) const {
  std::string digest(32, '\0');
  ASSERT(crypto_generichash(bytes_of(digest), digest.size(), bytes_of(content), content.size(),
                            name_key_.data(), name_key_.size()) == 0);
  return hex(digest);
}

std::uint64_t Keyring::cut_hash(std::string_view document) const {
  std::uint64_t hash = 0;
  static_assert(crypto_shorthash_BYTES == sizeof hash && crypto_shorthash_KEYBYTES <= sizeof(Key));
  crypto_shorthash(reinterpret_cast<unsigned char*>(&hash), bytes_of(document), document.size(),
                   cut_key_.data());
  return hash;
}

std::string random_bytes(Random& random, std::size_t count) {
  std::string bytes;
  while (bytes.size() < count) {
    const std::uint64_t word = random.next();
    bytes.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  bytes.resize(count);
  return bytes;
}

}  // namespace belay::vault
