// SPDX-License-Identifier: Apache-2.0
// A proxy in memory. Calls are named "install", "look", "shift", "clear", "drain", "hold", "lift",
// "shut_down", "can_install" in its fault plan.
#pragma once

#include <map>
#include <mutex>
#include <set>

#include "tests/fake/fault_plan.hpp"
#include "traffic/traffic.hpp"

namespace belay::fake {

class FakeTraffic final : public traffic::Traffic {
 public:
  explicit FakeTraffic(Clock& clock) : clock_(clock) {}

  FaultPlan faults;
  // Addresses that somebody else listens on.
  void take(const std::string& listen);
  // So many requests are at this release and stay there until set to 0.
  void set_in_flight(const std::string& service, const std::string& release, int count);
  // Everyone that ever was active, in order: who was shifted to, "" for clear().
  std::vector<std::string> shifts(const std::string& service) const;
  // What it holds survives: like the real one after a crash.
  void restart();

  Status install(const std::vector<traffic::Route>& routes) override;
  Status can_install(const std::vector<traffic::Route>& routes) override;
  Result<traffic::RouteState> look(const std::string& service) override;
  Status shift(const std::string& service, const traffic::Backend& to) override;
  Status clear(const std::string& service) override;
  Status drain(const std::string& service, const std::string& release, Millis limit,
               std::stop_token stop) override;
  Status hold(const std::vector<std::string>& services, Millis longest, Millis limit,
              std::stop_token stop) override;
  Result<int> hold_by_force(const std::vector<std::string>& services, Millis longest, Millis limit,
                            std::stop_token stop) override;
  Status lift(const std::vector<std::string>& services) override;
  Status shut_down() override;

 private:
  struct Entry {
    traffic::Route route;
    traffic::RouteState state;
    std::map<std::string, int> in_flight;
    std::vector<std::string> shifts;
  };
  Status free_for(const std::vector<traffic::Route>& routes) const;
  Status shift_now(const std::string& service, const std::optional<traffic::Backend>& to);
  Status wait_idle(const std::vector<std::string>& services, const std::string& release,
                   Millis limit, std::stop_token stop);
  int in_flight(const std::vector<std::string>& services, const std::string& release);
  Status set_held(const std::vector<std::string>& services, bool held);

  Clock& clock_;
  mutable std::mutex lock_;
  std::map<std::string, Entry> entries_;
  std::set<std::string> taken_;
};

}  // namespace belay::fake
