// SPDX-License-Identifier: Apache-2.0
// What can happen to a store's request.
#pragma once

#include <vector>

#include "tests/fake/http_proxy.hpp"

namespace belay::testing {

inline std::vector<HttpFault> troubles() {
  using Action = HttpFault::Action;
  return {{Action::close},
          {Action::lose_reply},
          {Action::cut_reply},
          {Action::answer, "HTTP/1.1 503 Slow Down\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"},
          {Action::answer, "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"}};
}

}  // namespace belay::testing
