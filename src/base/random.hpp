// SPDX-License-Identifier: Apache-2.0
// Randomness as a parameter, so that a test can replay it.
#pragma once

#include <cstdint>
#include <string>

namespace belay {

class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;
  // `count` random bytes as lower-case hexadecimal text.
  std::string hex(std::size_t count);
};

// From the kernel: fit for keys and nonces. Safe from many threads.
class SystemRandom final : public Random {
 public:
  std::uint64_t next() override;
};

}  // namespace belay
