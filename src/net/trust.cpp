// SPDX-License-Identifier: Apache-2.0
#include "net/trust.hpp"

#include <openssl/x509.h>

#include <memory>

#include "base/lower_case.hpp"
#include "net/certificate.hpp"
#include "net/url.hpp"

namespace belay::net {

Result<std::string> endpoint_of(const std::string& url) {
  const auto scheme = lower_case(url.substr(0, url.find("://")));
  TRY_LET(const auto parsed, parse_url(scheme + url.substr(scheme.size())));
  return parsed.scheme + "://" + lower_case(parsed.authority);
}

Status check_authorities(const std::string& pem) {
  const std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> store(X509_STORE_new(),
                                                                      X509_STORE_free);
  return add_authorities(pem, store.get());
}

}  // namespace belay::net
