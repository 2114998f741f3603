// SPDX-License-Identifier: Apache-2.0
// Whose certificates hold.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/result.hpp"

namespace belay::net {

// Beside the authorities that this machine knows (SSL_CERT_FILE and SSL_CERT_DIR name others).
struct Trust {
  std::string authorities = {};  // certificates in PEM: they hold as well
  // Whose certificates are not looked at, and why: "https://minio.internal:9000", as endpoint_of
  // spells it, and nothing wider.
  std::map<std::string, std::string> unchecked = {};
  // Hears of each connection that goes to one of these, before it is made. From any thread.
  std::function<void(const std::string& endpoint, const std::string& because)> tell = {};
};

// "https://host:port" of a URL: in lower case, without the port that the scheme implies.
Result<std::string> endpoint_of(const std::string& url);

// invalid when there is no certificate in the text, or one that cannot be read.
Status check_authorities(const std::string& pem);

}  // namespace belay::net
