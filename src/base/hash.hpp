// SPDX-License-Identifier: Apache-2.0
// Digests and the texts of bytes. SHA-256 is OpenSSL's.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace belay {

using Sha256 = std::array<std::uint8_t, 32>;

Sha256 sha256(std::string_view bytes);
Sha256 hmac_sha256(std::string_view key, std::string_view bytes);

// For bytes that arrive in pieces.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(Sha256Stream&&) noexcept;
  Sha256Stream& operator=(Sha256Stream&&) noexcept;
  void add(std::string_view bytes);
  Sha256 finish();  // once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string hex(std::string_view bytes);
std::string hex(const Sha256& digest);
inline std::string sha256_hex(std::string_view bytes) {
  return hex(sha256(bytes));
}
Result<std::string> from_hex(std::string_view text);
std::string base64(std::string_view bytes);
Result<std::string> from_base64(std::string_view text);

}  // namespace belay
