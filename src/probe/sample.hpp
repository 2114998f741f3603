// SPDX-License-Identifier: Apache-2.0
// One request with assertions. A sample is what happened, with phase times; whether it is good is
// said by the assertions handed in, and what that means over time by the rule (health.hpp).
// A redirect is a status like any other and is not followed. A body over 1 MiB is a bad sample.
// On TLS the chain, the name and the keys' strength (OpenSSL's level 2) are checked always;
// SSL_CERT_FILE and SSL_CERT_DIR name other authorities.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace belay::probe {

struct HttpRequest {
  std::string url, method = "GET", body;
  std::map<std::string, std::string> headers;
  Millis timeout{5000};
  std::string connect_to = {};  // "127.0.0.1:20001": the URL's host, at this address
};

struct Expectation {
  int status = 0;              // 0: any 2xx
  Json json = Json::object();  // dotted member -> value
  std::string body;            // must occur
  std::map<std::string, std::string> headers;
  std::optional<Millis> under;
};

// Phase times with curl's names, in seconds; measured, never 0 for "unknown".
struct Phases {
  double namelookup = 0, connect = 0, appconnect = 0, pretransfer = 0, starttransfer = 0, total = 0;
};

struct Certificate {
  std::string subject, issuer;
  TimePoint not_before{}, not_after{};
  TimePoint chain_ends{};  // the earliest end in the whole chain
  bool name_matches = false, chain_valid = false;
  bool self_signed = false;
  std::string problem;  // why the chain or name does not hold
};

struct Sample {
  bool good = false;
  std::string text;  // "200 in 12 ms", "expected json status = ok, got \"down\""
  Millis took{0};
  std::optional<Phases> phases;
  std::optional<Certificate> certificate;
  int http_status = 0;
  bool stopped = false;  // the stop token ended it: it says nothing about the service
};

// Never an error: what cannot be asked is a bad sample that says why.
class Prober {
 public:
  virtual ~Prober() = default;
  virtual Sample http(const HttpRequest& request, const Expectation& expected,
                      std::stop_token stop) = 0;
  // host:port.
  virtual Sample tcp(const std::string& address, Millis timeout, std::stop_token stop) = 0;
  // host:port. Good: chain and name hold, and no certificate of the chain ends within `days_left`.
  virtual Sample tls(const std::string& address, int days_left, Millis timeout,
                     std::stop_token stop) = 0;
  // /bin/sh -c, with PATH, HOME, LANG, TMPDIR, USER and `env`. Good: status 0 in time.
  virtual Sample command(const std::string& shell_command,
                         const std::map<std::string, std::string>& env, Millis timeout,
                         std::stop_token stop) = 0;
};
std::unique_ptr<Prober> make_prober(Clock& clock);

}  // namespace belay::probe
