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
#include "traffic/routes.hpp"

namespace belay::traffic {

namespace {

constexpr Millis drain_poll{10};
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
  Result<RouteState> look(const std::string& service) override;
  Status shift(const std::string& service, const Backend& to) override;
  Status clear(const std::string& service) override;
  Status drain(const std::string& service, const std::string& release, Millis limit,
               std::stop_token stop) override;
  Status hold(const std::vector<std::string>& services, Millis longest, Millis limit,
              std::stop_token stop) override;
  Status lift(const std::vector<std::string>& services) override;
  Status revive() override { return program_.revive(); }
  Status shut_down() override;

 private:
  Result<Fd> lock() const;
  Result<Record> load() const;
  Fence fence() const;

  int choose_slot(const Lane& lane, const Backend& to,
                  const std::map<std::string, Server>& now) const;
  Status enforce(const std::string& service, const Lane& lane) const;
  Result<bool> as_wanted(const std::string& service, const Lane& lane) const;
  Status make_active(const std::string& service, const std::optional<Backend>& to);
  Result<int> in_flight(const std::string& service, const std::string& release) const;
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

Status Haproxy::install(const std::vector<Route>& routes) {
  TRY(check_routes(routes));
  TRY(make_folder(folder_));
  TRY_LET(const Fd held, lock());
  auto loaded = load();
  if (!loaded && loaded.error().fault != Fault::missing) return std::move(loaded).error();
  std::optional<Record> before;
  if (loaded) before = std::move(*loaded);
  Record after;
  after.routes = routes;
  for (const auto& route : routes) {
    const auto known = before ? before->lanes.find(route.service) : after.lanes.end();
    after.lanes[route.service] = before && known != before->lanes.end() ? known->second : Lane{};
  }
  Fence kept = fence();
  std::erase_if(kept, [&](const auto& entry) { return after.find(entry.first) == nullptr; });
  return running_.become(before, after, kept);
}

// --- switches --------------------------------------------------------------------------------

// One that points there already; else a free one, the longest unused first; else the one with the
// fewest requests, which keep their connections when the slot is pointed elsewhere.
int Haproxy::choose_slot(const Lane& lane, const Backend& to,
                         const std::map<std::string, Server>& now) const {
  for (const auto& [slot, backend] : lane.slots) {
    if (backend == to) return slot;
  }
  int best = -1, fewest = 0;
  for (int n = 1; n <= slot_count; ++n) {
    const int slot = (lane.last + n) % slot_count;
    const auto server = now.find(slot_name(slot));
    if (slot == lane.active || server == now.end()) continue;
    if (best < 0 || server->second.in_flight < fewest) {
      best = slot;
      fewest = server->second.in_flight;
    }
  }
  return best;
}

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

Result<bool> Haproxy::as_wanted(const std::string& service, const Lane& lane) const {
  TRY_LET(const auto now, admin_.servers(backend_name(service)));
  for (const auto& [slot, server] : now) {
    const bool wanted = lane.active >= 0 && slot == slot_name(lane.active);
    if (server.ready != wanted) return false;
    if (wanted && server.port != lane.slots.at(lane.active).port) return false;
  }
  return true;
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
    TRY_LET(const bool fine, as_wanted(service, lane));
    if (fine) return {};
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

Status Haproxy::hold(const std::vector<std::string>& services, Millis longest, Millis limit,
                     std::stop_token stop) {
  const auto count = [&]() -> Result<int> {
    int sum = 0;
    for (const auto& service : services) {
      TRY_LET(const int here, in_flight(service, ""));
      sum += here;
    }
    return sum;
  };
  Status raised = raise_fence(services, longest);
  if (raised) raised = await_idle(count, join(services, ", "), limit, stop);
  if (raised) return {};
  // Nobody may be left waiting for a fence that does not stand.
  if (Status lifted = lift(services); !lifted) {
    return unknown_effect(
        raised.error().fault,
        raised.error().message() + "; and lifting it again: " + lifted.error().message());
  }
  return raised;
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
