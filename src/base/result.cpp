// SPDX-License-Identifier: Apache-2.0
#include "base/result.hpp"

#include <cstdio>
#include <cstdlib>

namespace belay {

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "belay: internal error: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

const char* to_string(Fault fault) {
  switch (fault) {
    case Fault::invalid: return "invalid";
    case Fault::missing: return "missing";
    case Fault::conflict: return "conflict";
    case Fault::denied: return "denied";
    case Fault::busy: return "busy";
    case Fault::timeout: return "timeout";
    case Fault::unreachable: return "unreachable";
    case Fault::refused: return "refused";
    case Fault::corrupt: return "corrupt";
    case Fault::cancelled: return "cancelled";
    case Fault::internal: return "internal";
  }
  return "internal";
}

Error Error::in(std::string where) && {
  context.push_back(std::move(where));
  return std::move(*this);
}

std::string Error::message() const {
  std::string out;
  for (auto it = context.rbegin(); it != context.rend(); ++it) out += *it + ": ";
  return out + text;
}

}  // namespace belay
