// SPDX-License-Identifier: Apache-2.0
// One exchange on a fresh connection, by libcurl.
#pragma once

#include <utility>

#include "probe/sample.hpp"

namespace belay::probe {

struct Call {
  HttpRequest request;
  bool connect_only = false;  // no request: connect (and shake hands when https)
};

struct Reply {
  bool complete = false;  // the whole answer arrived
  bool stopped = false;
  std::string problem;  // why it is not complete
  int status = 0;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  Phases phases;
  std::optional<Certificate> certificate;
};

Reply call(const Call& call, const Clock& clock, std::stop_token stop);

}  // namespace belay::probe
