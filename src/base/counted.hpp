// SPDX-License-Identifier: Apache-2.0
// "1 check", "40 samples".
#pragma once

#include <string>

#include "base/text.hpp"

namespace belay {

inline std::string counted(std::uint64_t count, std::string_view one) {
  return with_commas(count) + " " + std::string(one) + (count == 1 ? "" : "s");
}

}  // namespace belay
