// SPDX-License-Identifier: Apache-2.0
#include "app/trust.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace belay::app {

Result<net::Trust> trust_of(const pipeline::Tls& tls, const Path& folder, Machine& machine) {
  net::Trust trust;
  if (!tls.ca.empty()) {
    const Path file = folder / tls.ca;
    TRY_LET(trust.authorities, read_file(file).in("tls.ca"));
    TRY(net::check_authorities(trust.authorities).in(file.string()).in("tls.ca"));
  }
  for (const auto& each : tls.unchecked) {
    const auto endpoint = net::endpoint_of(each.endpoint);  // of https: without the port it implies
    trust.unchecked.emplace(endpoint ? *endpoint : each.endpoint, each.because);
  }
  if (!trust.unchecked.empty()) {
    trust.tell = [&machine](const std::string& endpoint, const std::string& because) {
      machine.warn_once(unchecked_text(endpoint, because));
    };
  }
  return trust;
}

std::string unchecked_text(const std::string& endpoint, const std::string& because) {
  return fmt::format("certificates of {} are not checked: {}", endpoint, printable(because));
}

}  // namespace belay::app
