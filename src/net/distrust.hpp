// SPDX-License-Identifier: Apache-2.0
// Why a server's certificates do not hold, and what to do about it, in words.
#pragma once

#include <openssl/x509_vfy.h>

#include <string>

#include "base/time.hpp"

namespace belay::net {

// "it expired on 2026-11-20; ...": of a verification that has failed.
std::string reason_against(X509_STORE_CTX* context);
// Whom a certificate is for: "shop.example.org, *.shop.example.org".
std::string names_in(X509* certificate);
// The common name, or else all of it.
std::string short_name(const X509_NAME* name);
TimePoint time_of(const ASN1_TIME* time);

}  // namespace belay::net
