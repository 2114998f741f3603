// SPDX-License-Identifier: Apache-2.0
// HTTP requests and their answers. A redirect is an answer like any other and is not followed. On
// TLS the chain, the name and the keys' strength (OpenSSL's level 2) are checked, but for the
// endpoints that a Trust names. The machine's proxy settings hold, but
// never for addresses of this machine.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "net/trust.hpp"

namespace belay::net {

struct Response;

struct Request {
  std::string url, method = "GET", body;
  std::map<std::string, std::string> headers;
  Millis timeout{5000};
  std::string connect_to = {};  // "127.0.0.1:20001": the URL's host, at this address
  std::size_t largest_body = std::size_t{1} << 20;  // of the answer; more is a failure
  // Where the answer does not come whole: what came of it goes here, once its headers have.
  Response* unfinished = nullptr;
  // Instead of `body`: not copied, and there until the answer is.
  std::string_view large_body = {};
  // What the server may say back of what it was told: a Client hides it in the answer's body, but
  // not in bytes that were asked for (2xx, application/octet-stream).
  std::vector<Secret> secrets = {};

  std::string_view bytes() const { return large_body.empty() ? body : large_body; }
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
  std::string problem;  // why the chain or name does not hold, and what to do
};

using Headers = std::vector<std::pair<std::string, std::string>>;  // names in lower case

struct Response {
  int status = 0;
  std::string body;
  Headers headers;

  // The first of that name (in lower case), "" when there is none.
  std::string header(std::string_view name) const;
};

// Safe from many threads.
class Client {
 public:
  virtual ~Client() = default;
  // Any whole answer, whatever its status. Else an error, whose effect is `none` when not a byte of
  // the request left this machine: unreachable; timeout; cancelled (the stop token); refused (a
  // certificate that does not hold, a body over the limit); invalid (a malformed request). Sends
  // once: GET, HEAD, PUT and DELETE may go out again over a new connection when a kept one turns
  // out to be dead; other methods always have a connection of their own.
  virtual Result<Response> send(const Request& request, std::stop_token stop) = 0;
};
// By libcurl; keeps connections for the next request to the same host.
std::unique_ptr<Client> make_client(Clock& clock, Trust trust = {});

}  // namespace belay::net
