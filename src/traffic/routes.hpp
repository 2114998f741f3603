// SPDX-License-Identifier: Apache-2.0
// What may stand in a route before it is written into a proxy's configuration.
#pragma once

#include "traffic/traffic.hpp"

namespace belay::traffic {

struct Address {
  std::string host;  // "" for every address of this machine
  std::uint16_t port = 0;
};

// "127.0.0.1:8080", ":443", "[::1]:8080".
Result<Address> parse_address(const std::string& listen);

// invalid: a name, address or certificate that cannot be written safely, or a service that stands
// there twice. Several services share an address by their domains. All names are checked: they end
// up in a configuration file.
Status check_routes(const std::vector<Route>& routes);

}  // namespace belay::traffic
