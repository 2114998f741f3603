// SPDX-License-Identifier: Apache-2.0
#include "base/random.hpp"

#include <sys/random.h>

#include "base/assert.hpp"
#include "base/hash.hpp"

namespace belay {

std::uint64_t SystemRandom::next() {
  std::uint64_t value = 0;
  ASSERT(getrandom(&value, sizeof value, 0) == sizeof value);
  return value;
}

std::string Random::hex(std::size_t count) {
  std::string bytes;
  while (bytes.size() < count) {
    const std::uint64_t word = next();
    bytes.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  bytes.resize(count);
  return belay::hex(bytes);
}

}  // namespace belay
