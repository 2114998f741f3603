// SPDX-License-Identifier: Apache-2.0
// A stand-in of this folder for a hosted platform, and a proxy before it that can be troubled.
#pragma once

#include "base/json.hpp"
#include "tests/fake/http_proxy.hpp"
#include "tests/support/server_process.hpp"

namespace belay::testing {

class StandIn {
 public:
  // "vercel_server.py". A failure of the test when it does not start.
  explicit StandIn(const std::string& script);

  HttpProxy& proxy() { return *proxy_; }
  std::string direct_url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // What it has: "deployments", "complaints" about requests, ...
  Json state() const { return ask("/-/state"); }
  void forget() const { static_cast<void>(ask("/-/reset")); }
  // "set?issues=off": what else its script knows to be told.
  Json tell(const std::string& what) const { return ask("/-/" + what); }
  // What its script says of "/-/set".
  void set(const std::string& query) const { static_cast<void>(tell("set?" + query)); }
  // How often one has to look before it goes a step further.
  void pace(int looks) const { static_cast<void>(ask(fmt::format("/-/pace/{}", looks))); }

 private:
  Json ask(const std::string& path) const;

  std::unique_ptr<ServerProcess> server_;
  int port_ = 0;
  std::unique_ptr<HttpProxy> proxy_;
};

// What can happen to a request: no way, answer lost or half, 500, 429.
std::vector<HttpFault> every_fault();

// The nth request from now on has this fault; the others none.
HttpProxy::Plan only(int nth, const HttpFault& fault);
// The nth one's answer is lost, and after that nothing goes through.
HttpProxy::Plan dead_after(int nth);

}  // namespace belay::testing
