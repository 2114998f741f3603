// SPDX-License-Identifier: Apache-2.0
#include "traffic/haproxy_process.hpp"

#include <signal.h>

#include "base/listeners.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "traffic/haproxy_text.hpp"
#include "traffic/routes.hpp"

namespace belay::traffic {

namespace {

constexpr Millis poll_interval{10};
constexpr Millis start_limit = std::chrono::seconds(20);

}  // namespace

Status RunningProxy::commit(const Record& record) const {
  return write_file(folder_ / "haproxy.cfg", configuration_of(record));
}

Status RunningProxy::check_addresses(const Record& before, const Record& after,
                                     bool running) const {
  std::vector<std::string> ours;
  for (const auto& route : before.routes) ours.push_back(route.listen);
  for (const auto& route : after.routes) {
    if (running && std::find(ours.begin(), ours.end(), route.listen) != ours.end()) continue;
    TRY_LET(const Address address, parse_address(route.listen));
    TRY(can_listen(address.host, address.port)
            .in("`listen: " + route.listen + "` of " + route.service));
  }
  return {};
}

// By HAProxy itself: a certificate that cannot be read is found here and not at the reload.
Status RunningProxy::validate(const Record& record) const {
  TRY(write_file(folder_ / "next.cfg", configuration_of(record)));
  const auto checked = run({.argv = {"haproxy", "-c", "-f", "next.cfg"},
                            .folder = folder_,
                            .env = {{"BELAY_MAXCONN", "100"}},
                            .limit = std::chrono::seconds(30)});
  TRY(remove_tree(folder_ / "next.cfg"));
  if (!checked) return checked.error();
  if (checked->ok()) return {};
  return fail(Fault::invalid,
              fmt::format("HAProxy does not accept these routes (exit status {}): {}",
                          checked->status, trim(checked->err + checked->out)));
}

Status RunningProxy::await_revision(const std::string& revision, Millis limit) const {
  const Millis end = clock_.steady() + limit;
  for (;;) {
    const auto shown = admin_.description(Millis(0));
    if (shown && *shown == revision) return {};
    TRY_LET(const Supervision now, program_.look());
    if (clock_.steady() >= end || now.crash_looping) break;
    clock_.sleep(poll_interval, {});
  }
  const auto log = program_.log(2000);
  return unknown_effect(Fault::timeout, fmt::format("the proxy does not come up with its new "
                                                    "routes; it wrote:\n{}",
                                                    log ? *log : ""));
}

Status RunningProxy::bring_up(const Record& record, bool running) {
  TRY(commit(record));
  if (running) {
    TRY(program_.signal(SIGUSR2));
  } else {
    const auto haproxy = find_program("haproxy");
    if (!haproxy) return fail(Fault::missing, "haproxy is not installed: apt-get install haproxy");
    TRY(program_.write(run_script(folder_, *haproxy)));
    TRY(program_.start());
  }
  return await_revision(revision_of(record), start_limit);
}

Status RunningProxy::take_back(const std::optional<Record>& before, bool running, Error error) {
  if (before) TRY(commit(*before));
  if (!running) TRY(program_.stop(std::chrono::seconds(5)));
  if (!before) TRY(remove_tree(folder_ / "haproxy.cfg"));
  if (before && running) {
    TRY(program_.signal(SIGUSR2));
    if (await_revision(revision_of(*before), start_limit)) error.effect = Effect::none;
  }
  return error;
}

// `revision`: of what it runs with.
Result<bool> RunningProxy::runs(std::string& revision) const {
  TRY_LET(const Supervision now, program_.look());
  if (!now.up) return false;
  const auto shown = admin_.description(std::chrono::seconds(5));
  if (shown) revision = *shown;
  return !revision.empty();
}

Status RunningProxy::make_ready(const std::optional<Record>& before, const Record& after,
                                const Fence& fence, bool running) const {
  TRY(check_addresses(before ? *before : Record{}, after, running));
  TRY(write_file(folder_ / "fence.lua", fence_script()));
  TRY(write_file(folder_ / "503.http", unavailable_page()));
  TRY(write_file(folder_ / "fence.map", to_map_file(fence)));
  return validate(after);
}

Status RunningProxy::can_become(const std::optional<Record>& before, const Record& after,
                                const Fence& fence) const {
  std::string revision;
  TRY_LET(const bool running, runs(revision));
  if (running && before && before->routes == after.routes) return {};
  return make_ready(before, after, fence, running);
}

Status RunningProxy::become(const std::optional<Record>& before, const Record& after,
                            const Fence& fence) {
  std::string revision;
  TRY_LET(const bool running, runs(revision));
  if (running && before && before->routes == after.routes && revision == revision_of(after))
    return {};
  TRY(make_ready(before, after, fence, running));
  Status up = bring_up(after, running);
  return up ? up : take_back(before, running, std::move(up).error());
}

}  // namespace belay::traffic
