// SPDX-License-Identifier: Apache-2.0
#include "tests/fake/fake_traffic.hpp"

#include <algorithm>

namespace belay::fake {

using traffic::Backend;
using traffic::Route;
using traffic::RouteState;

namespace {

Error no_route(const std::string& service) {
  return fail(Fault::missing, "the proxy has no route for " + service + "; install it first");
}

}  // namespace

void FakeTraffic::take(const std::string& listen) {
  std::lock_guard guard(lock_);
  taken_.insert(listen);
}

void FakeTraffic::set_in_flight(const std::string& service, const std::string& release, int count) {
  std::lock_guard guard(lock_);
  entries_[service].in_flight[release] = count;
}

std::vector<std::string> FakeTraffic::shifts(const std::string& service) const {
  std::lock_guard guard(lock_);
  const auto found = entries_.find(service);
  return found == entries_.end() ? std::vector<std::string>{} : found->second.shifts;
}

void FakeTraffic::restart() {
  std::lock_guard guard(lock_);
  for (auto& [service, entry] : entries_) {
    entry.in_flight.clear();
    entry.state.draining.clear();
    entry.state.counters = {};
  }
}

Status FakeTraffic::free_for(const std::vector<Route>& routes) const {
  for (const auto& route : routes) {
    if (taken_.contains(route.listen))
      return fail(Fault::conflict, route.listen + " is taken by another program");
  }
  return {};
}

Status FakeTraffic::can_install(const std::vector<Route>& routes) {
  return faults.act<Status>("can_install", {},
                            [&]() -> Status {
                              std::lock_guard guard(lock_);
                              return free_for(routes);
                            },
                            {});
}

Status FakeTraffic::install(const std::vector<Route>& routes) {
  return faults.act<Status>("install", {},
                            [&]() -> Status {
                              std::lock_guard guard(lock_);
                              TRY(free_for(routes));
                              std::map<std::string, Entry> next;
                              for (const auto& route : routes) {
                                const auto before = entries_.find(route.service);
                                if (before != entries_.end()) next[route.service] = before->second;
                                next[route.service].route = route;
                              }
                              entries_ = std::move(next);
                              return {};
                            },
                            {});
}

Result<RouteState> FakeTraffic::look(const std::string& service) {
  return faults.act<Result<RouteState>>(
      "look", {},
      [&]() -> Result<RouteState> {
        std::lock_guard guard(lock_);
        const auto found = entries_.find(service);
        if (found == entries_.end()) return no_route(service);
        RouteState state = found->second.state;
        state.in_flight = 0;
        for (const auto& [release, count] : found->second.in_flight) state.in_flight += count;
        std::erase_if(state.draining, [&](const Backend& one) {
          const auto count = found->second.in_flight.find(one.release);
          return count == found->second.in_flight.end() || count->second == 0;
        });
        return state;
      },
      RouteState{});
}

Status FakeTraffic::shift_now(const std::string& service, const std::optional<Backend>& to) {
  std::lock_guard guard(lock_);
  const auto found = entries_.find(service);
  if (found == entries_.end()) return no_route(service);
  auto& entry = found->second;
  if (entry.state.active == to) return {};
  if (entry.state.active) entry.state.draining.push_back(*entry.state.active);
  if (to) std::erase(entry.state.draining, *to);
  entry.state.active = to;
  entry.shifts.push_back(to ? to->release : "");
  return {};
}

Status FakeTraffic::shift(const std::string& service, const Backend& to) {
  return faults.act<Status>("shift", {},
                            [&]() -> Status {
                              if (to.port == 0)
                                return fail(Fault::invalid,
                                            to.release + " has no port to send requests to");
                              return shift_now(service, to);
                            },
                            {});
}

Status FakeTraffic::clear(const std::string& service) {
  return faults.act<Status>("clear", {}, [&] { return shift_now(service, std::nullopt); }, {});
}

int FakeTraffic::in_flight(const std::vector<std::string>& services, const std::string& release) {
  std::lock_guard guard(lock_);
  int count = 0;
  for (const auto& service : services) {
    for (const auto& [one, now] : entries_[service].in_flight) {
      if (release.empty() || one == release) count += now;
    }
  }
  return count;
}

Status FakeTraffic::wait_idle(const std::vector<std::string>& services, const std::string& release,
                              Millis limit, std::stop_token stop) {
  const Millis end = clock_.steady() + limit;
  for (;;) {
    const int left = in_flight(services, release);
    if (left == 0) return {};
    if (clock_.steady() >= end) {
      return fail(Fault::timeout, std::to_string(left) + " requests are still in flight");
    }
    if (!clock_.sleep(Millis(5), stop)) return fail(Fault::cancelled, "stopped while waiting");
  }
}

Status FakeTraffic::drain(const std::string& service, const std::string& release, Millis limit,
                          std::stop_token stop) {
  return faults.act<Status>("drain", stop,
                            [&]() -> Status {
                              {
                                std::lock_guard guard(lock_);
                                if (!entries_.contains(service)) return no_route(service);
                              }
                              return wait_idle({service}, release, limit, stop);
                            },
                            {});
}

Status FakeTraffic::set_held(const std::vector<std::string>& services, bool held) {
  std::lock_guard guard(lock_);
  for (const auto& service : services) {
    if (!entries_.contains(service)) return no_route(service);
  }
  for (const auto& service : services) entries_[service].state.held = held;
  return {};
}

Status FakeTraffic::hold(const std::vector<std::string>& services, Millis, Millis limit,
                         std::stop_token stop) {
  return faults.act<Status>("hold", stop,
                            [&]() -> Status {
                              TRY(set_held(services, true));
                              Status idle = wait_idle(services, "", limit, stop);
                              if (!idle) TRY(set_held(services, false));
                              return idle;
                            },
                            {});
}

Result<int> FakeTraffic::hold_by_force(const std::vector<std::string>& services, Millis,
                                       Millis limit, std::stop_token stop) {
  return faults.act<Result<int>>(
      "hold", stop,
      [&]() -> Result<int> {
        TRY(set_held(services, true));
        if (wait_idle(services, "", limit, stop)) return 0;
        const int left = in_flight(services, "");
        std::lock_guard guard(lock_);
        for (const auto& one : services) entries_[one].in_flight.clear();
        return left;
      },
      0);
}

Status FakeTraffic::lift(const std::vector<std::string>& services) {
  return faults.act<Status>("lift", {},
                            [&]() -> Status {
                              std::lock_guard guard(lock_);
                              for (const auto& service : services) {
                                if (const auto found = entries_.find(service);
                                    found != entries_.end()) {
                                  found->second.state.held = false;
                                }
                              }
                              return {};
                            },
                            {});
}

Status FakeTraffic::shut_down() {
  return faults.act<Status>("shut_down", {}, []() -> Status { return {}; }, {});
}

}  // namespace belay::fake
