// SPDX-License-Identifier: Apache-2.0
// Our own HAProxy, supervised by runit. Its configuration is the record: a switch is done at its
// admin socket first, and is committed by writing the configuration that a restart would read.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/runit.hpp"
#include "base/text.hpp"
#include "traffic/haproxy_process.hpp"
#include "traffic/haproxy_slots.hpp"
#include "traffic/routes.hpp"

namespace belay::traffic {

namespace {

constexpr Millis drain_poll{10};
constexpr Millis cut_limit = std::chrono::seconds(5);
constexpr int enforce_attempts = 4;

std::string backend_name(const std::string& service) {
  return "be_" + service;
}

Error no_route(const std::string& service) {
  return fail(Fault::missing, "the proxy has no route for " + service + "; install it first");
}

class Haproxy final : public Traffic {
 public:
  Haproxy(HaproxyConfig config, Clock& clock)
      : folder_(std::filesystem::absolute(config.folder).lexically_normal()),
        clock_(clock),
        program_("the proxy", folder_ / "service", config.log_folder / "proxy", clock),
        admin_(folder_, clock),
        running_(folder_, clock, program_, admin_) {}

  Status install(const std::vector<Route>& routes) override;
  Status can_install(const std::vector<Route>& routes) override;
  Result<RouteState> look(const std::string& service) override;
  Status shift(const std::string& service, const Backend& to) override;
  Status clear(const std::string& service) override;
  Status drain(const std::string& service, const std::string& release, Millis limit,
               std::stop_token stop) override;
  Status hold(const std::vector<std::string>& services, Millis longest, Millis limit,
              std::stop_token stop) override;
  Result<int> hold_by_force(const std::vector<std::string>& services, Millis longest, Millis limit,
                            std::stop_token stop) override;
  Status lift(const std::vector<std::string>& services) override;
  Status revive() override { return program_.revive(); }
  Status shut_down() override;

 private:
  Result<Fd> lock() const;
  Result<Record> load() const;
  Fence fence() const;

  Status enforce(const std::string& service, const Lane& lane) const;
  Status make_active(const std::string& service, const std::optional<Backend>& to);
  struct Change {
    std::optional<Record> before;
    Record after;
    Fence fence;
  };
  Result<Change> change_to(const std::vector<Route>& routes) const;
  Result<int> in_flight(const std::string& service, const std::string& release) const;
  Result<int> in_flight(const std::vector<std::string>& services) const;
  Status cut(const std::vector<std::string>& services) const;
  Status not_held(const std::vector<std::string>& services, Error why);
  Status await_idle(const std::function<Result<int>()>& count, const std::string& whom,
                    Millis limit, std::stop_token stop) const;
  Status raise_fence(const std::vector<std::string>& services, Millis longest);

  Path folder_;
  Clock& clock_;
  Supervised program_;
  Admin admin_;
  RunningProxy running_;
};

// Between processes and between threads: each call opens the file anew.
Result<Fd> Haproxy::lock() const {
  Fd file(::open((folder_ / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file && errno == ENOENT) {
    return fail(Fault::missing, "the proxy is not installed in " + folder_.string());
  }
  if (!file || ::flock(file.get(), LOCK_EX) != 0) {
    return errno_error(errno, "cannot lock " + folder_.string());
  }
  return file;
}

Result<Record> Haproxy::load() const {
  auto text = read_file(folder_ / "haproxy.cfg");
  if (!text && text.error().fault == Fault::missing) {
    return fail(Fault::missing, "the proxy is not installed in " + folder_.string());
  }
  if (!text) return std::move(text).error();
  return from_comment(*text);
}

Fence Haproxy::fence() const {
  const auto text = read_file(folder_ / "fence.map");
  return text ? from_map_file(*text) : Fence{};
}

Result<Haproxy::Change> Haproxy::change_to(const std::vector<Route>& routes) const {
  Change change;
  auto loaded = load();
  if (!loaded && loaded.error().fault != Fault::missing) return std::move(loaded).error();
  if (loaded) change.before = std::move(*loaded);
  change.after.routes = routes;
  for (const auto& route : routes) {
    Lane& lane = change.after.lanes[route.service];
    if (!change.before) continue;
    const auto known = change.before->lanes.find(route.service);
    if (known != change.before->lanes.end()) lane = known->second;
  }
  change.fence = fence();
  std::erase_if(change.fence,
                [&](const auto& entry) { return change.after.find(entry.first) == nullptr; });
  return change;
}

Status Haproxy::install(const std::vector<Route>& routes) {
  TRY(check_routes(routes));
  TRY(make_folder(folder_));
  TRY_LET(const Fd held, lock());
  TRY_LET(const Change change, change_to(routes));
  return running_.become(change.before, change.after, change.fence);
}

Status Haproxy::can_install(const std::vector<Route>& routes) {
  TRY(check_routes(routes));
  TRY(make_folder(folder_));
  TRY_LET(const Fd held, lock());
  TRY_LET(const Change change, change_to(routes));
  return running_.can_become(change.before, change.after, change.fence);
}

// --- switches --------------------------------------------------------------------------------

// First the new one, then away with the others: at no moment has a request nowhere to go.
Status Haproxy::enforce(const std::string& service, const Lane& lane) const {
  TRY_LET(const auto now, admin_.servers(backend_name(service)));
  const auto at = [&](const std::string& slot) { return backend_name(service) + "/" + slot; };
  if (lane.active >= 0) {
    const std::string slot = slot_name(lane.active);
    const Server& server = now.at(slot);
    const std::uint16_t port = lane.slots.at(lane.active).port;
    if (server.port != port) {
      TRY(admin_.order(fmt::format("set server {} state maint", at(slot))));
      TRY(admin_.ask(fmt::format("set server {} addr 127.0.0.1 port {}", at(slot), port)));
    }
    TRY(admin_.order(fmt::format("set server {} state ready", at(slot))));
  }
  for (const auto& [slot, server] : now) {
    if (lane.active >= 0 && slot == slot_name(lane.active)) continue;
    if (server.ready) TRY(admin_.order(fmt::format("set server {} state drain", at(slot))));
  }
  return {};
}

// The look at the end finds a proxy that died in the middle and came back by the old record.
Status Haproxy::make_active(const std::string& service, const std::optional<Backend>& to) {
  TRY_LET(const Fd held, lock());
  TRY_LET(Record record, load());
  if (record.find(service) == nullptr) return no_route(service);
  Lane& lane = record.lanes[service];
  if (to) {
    TRY_LET(const auto now, admin_.servers(backend_name(service)));
    const int slot = choose_slot(lane, *to, now);
    if (slot < 0) return fail(Fault::internal, "the proxy has no slot left for " + service);
    lane.slots[slot] = *to;
    lane.active = lane.last = slot;
  } else {
    lane.active = -1;
  }
  for (int attempt = 0; attempt < enforce_attempts; ++attempt) {
    TRY(enforce(service, lane));
    TRY(running_.commit(record));
    TRY_LET(const auto now, admin_.servers(backend_name(service)));
    if (as_wanted(lane, now)) return {};
  }
  return unknown_effect(Fault::refused, "the proxy does not keep the switch of " + service);
}

Status Haproxy::shift(const std::string& service, const Backend& to) {
  if (to.port == 0 || to.release.empty()) {
    return fail(Fault::invalid,
                fmt::format("{} {} has no port to send requests to", service, to.release));
  }
  return make_active(service, to).in("switching " + service + " to " + to.release);
}

Status Haproxy::clear(const std::string& service) {
  return make_active(service, std::nullopt).in("taking " + service + " down");
}

Result<int> Haproxy::in_flight(const std::string& service, const std::string& release) const {
  TRY_LET(const Record record, load());
  if (record.find(service) == nullptr) return no_route(service);
  TRY_LET(const auto now, admin_.servers(backend_name(service)));
  int count = 0;
  for (const auto& [slot, backend] : record.lanes.at(service).slots) {
    const auto server = now.find(slot_name(slot));
    if (server != now.end() && (release.empty() || backend.release == release)) {
      count += server->second.in_flight;
    }
  }
  return count;
}

// Twice nothing in a row: a request may be between the fence and its server at the first look.
Status Haproxy::await_idle(const std::function<Result<int>()>& count, const std::string& whom,
                           Millis limit, std::stop_token stop) const {
  const Millis end = clock_.steady() + limit;
  for (int quiet = 0;;) {
    TRY_LET(const int left, count());
    quiet = left == 0 ? quiet + 1 : 0;
    if (quiet == 2) return {};
    if (left > 0 && clock_.steady() >= end) {
      return fail(Fault::timeout, fmt::format("{} requests are still in flight at {} after {}",
                                              left, whom, for_people(limit)));
    }
    if (!clock_.sleep(drain_poll, stop)) return fail(Fault::cancelled, "stopped while waiting");
  }
}

Status Haproxy::drain(const std::string& service, const std::string& release, Millis limit,
                      std::stop_token stop) {
  TRY(await_idle([&] { return in_flight(service, release); }, service + " " + release, limit,
                 stop));
  TRY_LET(const Fd held, lock());
  TRY_LET(const Record record, load());
  const Lane& lane = record.lanes.at(service);
  for (const auto& [slot, backend] : lane.slots) {
    if (backend.release != release || slot == lane.active) continue;
    TRY(admin_.order(
        fmt::format("set server {}/{} state maint", backend_name(service), slot_name(slot))));
  }
  return {};
}

// --- the fence -------------------------------------------------------------------------------

// On disk first: a proxy that dies now comes back holding.
Status Haproxy::raise_fence(const std::vector<std::string>& services, Millis longest) {
  TRY_LET(const Fd held, lock());
  TRY_LET(const Record record, load());
  Fence wanted = fence();
  for (const auto& service : services) {
    if (record.find(service) == nullptr) return no_route(service);
    wanted[service] = longest.count();
  }
  TRY(write_file(folder_ / "fence.map", to_map_file(wanted)));
  for (const auto& service : services) {
    const std::string entry = fmt::format("fence.map {} {}", service, longest.count());
    TRY_LET(const std::string answer, admin_.ask("set map " + entry));
    if (!trim(answer).empty()) TRY(admin_.order("add map " + entry));
  }
  return {};
}

Result<int> Haproxy::in_flight(const std::vector<std::string>& services) const {
  int sum = 0;
  for (const auto& service : services) {
    TRY_LET(const int here, in_flight(service, ""));
    sum += here;
  }
  return sum;
}

// Nobody may be left waiting for a fence that does not stand.
Status Haproxy::not_held(const std::vector<std::string>& services, Error why) {
  if (Status lifted = lift(services); !lifted) {
    return unknown_effect(why.fault,
                          why.message() + "; and lifting it again: " + lifted.error().message());
  }
  return why;
}

Status Haproxy::hold(const std::vector<std::string>& services, Millis longest, Millis limit,
                     std::stop_token stop) {
  Status raised = raise_fence(services, longest);
  if (raised) {
    raised = await_idle([&] { return in_flight(services); }, join(services, ", "), limit, stop);
  }
  return raised ? raised : not_held(services, raised.error());
}

// Tunnels (websockets) too: HAProxy counts them like requests.
Status Haproxy::cut(const std::vector<std::string>& services) const {
  for (const auto& service : services) {
    TRY_LET(const auto now, admin_.servers(backend_name(service)));
    for (const auto& [slot, server] : now) {
      if (server.in_flight == 0) continue;
      TRY(admin_.order(fmt::format("shutdown sessions server {}/{}", backend_name(service), slot)));
    }
  }
  return {};
}

Result<int> Haproxy::hold_by_force(const std::vector<std::string>& services, Millis longest,
                                   Millis limit, std::stop_token stop) {
  const auto count = [&] { return in_flight(services); };
  const std::string names = join(services, ", ");
  int left = 0;
  Status stands = raise_fence(services, longest);
  if (stands) stands = await_idle(count, names, limit, stop);
  if (!stands && stands.error().fault == Fault::timeout) {
    const auto hung = count();
    left = hung ? *hung : 0;
    stands = cut(services);
    if (stands) stands = await_idle(count, names, cut_limit, stop);
  }
  if (stands) return left;
  return not_held(services, stands.error()).error();
}

Status Haproxy::lift(const std::vector<std::string>& services) {
  auto held = lock();
  if (!held && held.error().fault == Fault::missing) return {};
  if (!held) return std::move(held).error();
  Fence wanted = fence();
  for (const auto& service : services) wanted.erase(service);
  TRY(write_file(folder_ / "fence.map", to_map_file(wanted)));
  if (!program_.enabled()) return {};
  TRY_LET(const std::string map, admin_.ask("show map fence.map"));
  for (const auto& line : split(map, '\n')) {
    const auto words = split(line, ' ');  // reference, key, value
    if (words.size() != 3 || wanted.contains(words[1])) continue;
    TRY_LET(const std::string gone, admin_.ask("del map fence.map #" + words[0]));
  }
  return {};
}

// --- what is there ---------------------------------------------------------------------------

Result<RouteState> Haproxy::look(const std::string& service) {
  TRY_LET(const Record record, load());
  if (record.find(service) == nullptr) return no_route(service);
  TRY_LET(const auto now, admin_.servers(backend_name(service)));
  TRY_LET(const auto waiting, admin_.waiting());
  TRY_LET(const std::string stat, admin_.ask("show stat " + backend_name(service) + " 2 -1"));
  const Lane& lane = record.lanes.at(service);
  RouteState state;
  state.held = fence().contains(service);
  if (const auto found = waiting.find(service); found != waiting.end())
    state.waiting = found->second;
  std::uint64_t served_5xx = 0;
  for (const auto& [slot, backend] : lane.slots) {
    const auto server = now.find(slot_name(slot));
    if (server == now.end()) continue;
    state.in_flight += server->second.in_flight;
    if (slot == lane.active) {
      state.active = backend;
    } else if (server->second.in_flight > 0 || server->second.ready) {
      state.draining.push_back(backend);
    }
  }
  for (const auto& [slot, server] : now) served_5xx += server.errors_5xx;
  for (const auto& row : rows_of_stat(stat)) {
    state.counters.requests = static_cast<std::uint64_t>(number_of(row, "req_tot"));
    const auto all_5xx = static_cast<std::uint64_t>(number_of(row, "hrsp_5xx"));
    state.counters.errors_5xx = served_5xx;
    state.counters.refused = all_5xx > served_5xx ? all_5xx - served_5xx : 0;
  }
  return state;
}

Status Haproxy::shut_down() {
  auto held = lock();
  if (!held && held.error().fault == Fault::missing) return {};
  if (!held) return std::move(held).error();
  return program_.stop(std::chrono::seconds(5));
}

}  // namespace

std::unique_ptr<Traffic> make_haproxy(HaproxyConfig config, Clock& clock) {
  return std::make_unique<Haproxy>(std::move(config), clock);
}

}  // namespace belay::traffic
