// SPDX-License-Identifier: Apache-2.0
// Who gets the customers' requests. One proxy an environment, ours alone; hand-written proxy
// configuration is never touched. The active version survives the proxy's restart.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/result.hpp"

namespace belay::traffic {

struct Route {
  std::string service;
  std::string listen;  // "127.0.0.1:8080"
  std::vector<std::string> domains = {};
  std::string certificate = {};  // PEM; empty: plain HTTP
  bool operator==(const Route&) const = default;
};

struct Backend {
  std::string release;
  std::uint16_t port = 0;
  bool operator==(const Backend&) const = default;
};

struct RouteState {
  std::optional<Backend> active;  // who gets new requests
  std::vector<Backend> draining;  // still finishing old ones
  int in_flight = 0;              // requests at the servers now
  int waiting = 0;                // requests held at the fence now
  bool held = false;
  struct Counters {  // since the proxy started
    std::uint64_t requests = 0, errors_5xx = 0, refused = 0;
  } counters;
};

class Traffic {
 public:
  virtual ~Traffic() = default;
  // The proxy runs with exactly these routes; active versions stay. Safe to repeat; without a
  // change nothing is reloaded. conflict: a listen address is taken, named with its holder.
  virtual Status install(const std::vector<Route>& routes) = 0;
  // Whether install() could take these routes, with the errors that it would give; what is served
  // and what a restart would serve stay as they are.
  virtual Status can_install(const std::vector<Route>& routes) = 0;
  virtual Result<RouteState> look(const std::string& service) = 0;
  // `to` gets all new requests from now on; the former one finishes its own. The new state is
  // saved before it returns. Already so: fine.
  virtual Status shift(const std::string& service, const Backend& to) = 0;
  // Nobody gets requests (503).
  virtual Status clear(const std::string& service) = 0;
  // Waits until no request is in flight at `release`. timeout: what is left was counted in the
  // text.
  virtual Status drain(const std::string& service, const std::string& release, Millis limit,
                       std::stop_token stop) = 0;
  // The fence: new requests of these services wait, at most `longest` each, then get 503 with
  // Retry-After. Stands (and returns) when nothing is in flight at the servers; timeout, and the
  // hold is taken back, when that takes longer than `limit`. Repeating is fine.
  virtual Status hold(const std::vector<std::string>& services, Millis longest, Millis limit,
                      std::stop_token stop) = 0;
  // The same, for the way back from a bad release, whose hung requests must not stand in the way:
  // what is in flight after `limit` is cut off. How many were.
  virtual Result<int> hold_by_force(const std::vector<std::string>& services, Millis longest,
                                    Millis limit, std::stop_token stop) = 0;
  // Waiting requests go on. Fine when nothing is held.
  virtual Status lift(const std::vector<std::string>& services) = 0;
  // After a reboot: starts the installed proxy if it does not run, with its saved state. Fine when
  // nothing was ever installed.
  virtual Status revive() { return {}; }
  // Ends the proxy (the demonstration cleans up); it stays installed on disk.
  virtual Status shut_down() = 0;
};

struct HaproxyConfig {
  Path folder;  // our configuration, state, socket
  Path log_folder;
};
std::unique_ptr<Traffic> make_haproxy(HaproxyConfig config, Clock& clock);

}  // namespace belay::traffic
