// SPDX-License-Identifier: Apache-2.0
#include "target/railway_hold.hpp"

#include <fmt/format.h>

#include "target/hosted.hpp"

namespace belay::target {

Status RailwayHolding::hold(const std::string& service, const std::string& key,
                            const Output& output, const std::stop_token& stop) {
  return config_.hold->stop ? stop_all(service, output, stop)
                            : turn(service, true, key, output, stop);
}

Status RailwayHolding::let_go_on(const std::string& service, const std::string& key,
                                 const Output& output, const std::stop_token& stop) {
  return config_.hold->stop ? start_again(service, key, output, stop)
                            : turn(service, false, key, output, stop);
}

Status RailwayHolding::stop_all(const std::string& service, const Output& output,
                                const std::stop_token& stop) {
  // What is still under way would come up, and write, in the middle of it.
  TRY(orders_.end_others({service, ""}, output, stop));
  TRY_LET(const auto all, api_.deployments(stop));
  const auto newest = std::find_if(all.begin(), all.end(), is_up);
  if (newest != all.end()) TRY(records_.keep_stopped(service, newest->id));
  for (const auto& each : all) {
    if (!is_up(each) || each.stopped) continue;
    if (output) output(each.id + " is being stopped\n");
    auto asked = api_.stop_running(each.id, stop);
    // It may have been stopped by a request whose answer was lost: the deployment tells.
    if (!asked && asked.error().fault != Fault::refused) return asked;
    TRY(wait_for(each.id, true, stop));
  }
  return {};
}

Status RailwayHolding::start_again(const std::string& service, const std::string& key,
                                   const Output& output, const std::stop_token& stop) {
  TRY_LET(const auto was, records_.stopped(service));
  TRY_LET(const auto up, orders_.newest_up(stop));
  if (up && !up->stopped) return records_.forget_stopped(service);
  const auto id = up ? up->id : was;
  if (id.empty()) return {};  // nothing was live
  Status again = fail(Fault::refused, id + " is not up any more");
  if (up) {
    if (output) output(id + " is being started again\n");
    again = api_.restart(id, stop);
    if (again) again = wait_for(id, false, stop);
  }
  if (!again && again.error().fault == Fault::refused) {
    TRY_LET(const auto version, version_of(service, id));
    TRY_LET(auto record, records_.of(version));
    if (output) output(again.error().message() + ": it is deployed anew\n");
    record.holds = false;
    TRY(orders_.give(version, record, key, RailwayOrders::Order::deploy, stop));
    TRY_LET(const auto made, api_.deployment(record.deployment, stop));
    again = orders_.follow(made, output, stop);
  }
  TRY(std::move(again));
  return records_.forget_stopped(service);
}

Status RailwayHolding::wait_for(const std::string& id, bool stopped, const std::stop_token& stop) {
  const LongWait wait(clock_, config_.limit);
  while (true) {
    TRY_LET(const auto now, api_.deployment(id, stop));
    if (is_down(now)) {
      return stopped ? Status()
                     : Status(fail(Fault::refused, fmt::format("{} is {}", id, now.status)));
    }
    if (now.stopped == stopped && is_up(now)) return {};
    if (wait.over()) {
      return unknown_effect(Fault::timeout,
                            fmt::format("{} is not {} after {}", id, stopped ? "stopped" : "up",
                                        to_text(config_.limit)));
    }
    if (!wait.pause(stop))
      return unknown_effect(Fault::cancelled, "stopped while Railway works on " + id);
  }
}

Status RailwayHolding::turn(const std::string& service, bool on, const std::string& key,
                            const Output& output, const std::stop_token& stop) {
  const auto& hold = *config_.hold;
  TRY_LET(auto up, orders_.newest_up(stop));
  if (!up) return {};
  TRY_LET(const auto version, version_of(service, up->id));
  TRY(orders_.end_others(version, output, stop));
  TRY_LET(auto record, records_.of(version));
  if (record.asked) TRY(orders_.settle(version, record, stop));
  const Environment wanted{{hold.variable, on ? hold.on : hold.off}};
  TRY(orders_.set_variables(wanted, stop));
  bool order = is_held(record) != on;
  if (!order && record.deployment == up->id) return {};
  if (!order) {
    TRY_LET(const auto last, api_.deployment(record.deployment, stop));
    order = is_down(last) && record.key != key;
  }
  if (order) {
    if (output)
      output(fmt::format("{} is deployed anew with {}={}\n", version.release, hold.variable,
                         wanted.at(hold.variable)));
    record.holds = on;
    TRY(orders_.give(version, record, key, RailwayOrders::Order::deploy, stop));
  }
  TRY_LET(const auto made, api_.deployment(record.deployment, stop));
  return orders_.follow(made, output, stop);
}

// Whose deployment it is; or was, before an order that is under way.
Result<Version> RailwayHolding::version_of(const std::string& service,
                                           const std::string& deployment) {
  TRY_LET(const auto all, records_.versions(service));
  for (const auto& version : all) {
    TRY_LET(const auto record, records_.of(version));
    if (record.deployment == deployment) return version;
  }
  for (const auto& version : all) {
    TRY_LET(const auto record, records_.of(version));
    if (record.former == deployment) return version;
  }
  return fail(Fault::refused,
              fmt::format("{} of {} at Railway was not made by Belay: it cannot be deployed anew "
                          "from here; do it there",
                          deployment, service));
}

}  // namespace belay::target
