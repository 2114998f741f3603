// SPDX-License-Identifier: Apache-2.0
// libsodium speaks of unsigned char; we keep bytes in std::string.
#pragma once

#include <string>
#include <string_view>

namespace belay::vault {

inline const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
inline unsigned char* bytes_of(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

}  // namespace belay::vault
