// SPDX-License-Identifier: Apache-2.0
// Looks on while libcurl shakes hands, and keeps what the server's certificates say, also when
// they do not hold.
#pragma once

#include "net/http.hpp"

namespace belay::net {

// The certificates of a PEM text, into an X509_STORE. invalid when there is none, or one that
// cannot be read.
Status add_authorities(const std::string& pem, void* store);

class CertificateWatch {
 public:
  // `now` is the time the certificates are judged at; `url` names the host. `trust` must outlive
  // this object.
  CertificateWatch(TimePoint now, const std::string& url, const Trust& trust);
  // The handle must not outlive this object.
  void attach(void* easy);
  // None when there was no TLS handshake that far.
  const std::optional<Certificate>& seen() const { return seen_; }
  // They did not hold, and that was the end of it.
  bool refused() const { return refused_; }

  // For OpenSSL's callback: whether to go on.
  bool judge(void* store_context);
  const Trust& trust() const { return trust_; }

 private:
  TimePoint now_;
  std::string host_;
  const Trust& trust_;
  bool unchecked_ = false;
  bool refused_ = false;
  std::optional<Certificate> seen_;
};

}  // namespace belay::net
