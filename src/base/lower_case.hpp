// SPDX-License-Identifier: Apache-2.0
// For names that mean the same in either case: of headers, of query parameters. ASCII only.
#pragma once

#include <algorithm>
#include <string>

namespace belay {

inline std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

}  // namespace belay
