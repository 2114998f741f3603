// SPDX-License-Identifier: Apache-2.0
// Certificates made in the test, of every sort: good, expired, weak, for another name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace belay::testing {

struct CertificateWish {
  std::string name = "localhost";  // common name
  std::vector<std::string> alternatives = {"DNS:localhost", "IP:127.0.0.1"};
  std::chrono::days from{-1}, until{90};  // relative to now
  int rsa_bits = 0;                       // 0: EC P-256
  bool sha1 = false;
  bool authority = false;
};

// A key and its certificate, PEM.
struct Identity {
  std::string certificate, key;
};

// Signed by `issuer`, or by itself. Aborts the test when OpenSSL cannot.
Identity make_identity(const CertificateWish& wish, const Identity* issuer = nullptr);

}  // namespace belay::testing
