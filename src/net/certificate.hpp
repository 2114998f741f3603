// SPDX-License-Identifier: Apache-2.0
// Looks on while libcurl shakes hands, and keeps what the server's certificates say, also when
// they do not hold.
#pragma once

#include "net/http.hpp"

namespace belay::net {

class CertificateWatch {
 public:
  // `now` is the time the certificates are judged at; `url` names the host.
  CertificateWatch(TimePoint now, const std::string& url);
  // The handle must not outlive this object.
  void attach(void* easy);
  // None when there was no TLS handshake that far.
  const std::optional<Certificate>& seen() const { return seen_; }

  // For OpenSSL's callback: whether to go on.
  bool judge(void* store_context);
  TimePoint now() const { return now_; }

 private:
  TimePoint now_;
  std::string host_;
  std::optional<Certificate> seen_;
};

}  // namespace belay::net
