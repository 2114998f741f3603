// SPDX-License-Identifier: Apache-2.0
// One request with assertions. A sample is what happened, with phase times; whether it is good is
// said by the assertions handed in, and what that means over time by the rule (health.hpp).
// A redirect is a status like any other and is not followed. A body over 1 MiB is a bad sample.
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
#include "net/http.hpp"

namespace belay::probe {

using HttpRequest = net::Request;
using Phases = net::Phases;
using Certificate = net::Certificate;

struct Expectation {
  int status = 0;              // 0: any 2xx
  Json json = Json::object();  // dotted member -> value
  std::string body;            // must occur
  std::map<std::string, std::string> headers;
  std::optional<Millis> under;
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
  // host:port. Good: chain and name hold (whatever a Trust leaves unchecked), and no certificate of
  // the chain ends within `days_left`.
  virtual Sample tls(const std::string& address, int days_left, Millis timeout,
                     std::stop_token stop) = 0;
  // /bin/sh -c, with PATH, HOME, LANG, TMPDIR, USER and `env`. Good: status 0 in time.
  virtual Sample command(const std::string& shell_command,
                         const std::map<std::string, std::string>& env, Millis timeout,
                         std::stop_token stop) = 0;
};
std::unique_ptr<Prober> make_prober(Clock& clock, net::Trust trust = {});

}  // namespace belay::probe
