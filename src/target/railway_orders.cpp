// SPDX-License-Identifier: Apache-2.0
#include "target/railway_orders.hpp"

#include <fmt/format.h>

#include <set>

#include "base/json.hpp"
#include "base/text.hpp"
#include "target/hosted.hpp"

namespace belay::target {

namespace {

constexpr int most_rounds = 3;  // of an order that was surely not taken

// Tells each line once, as they come. What cannot be read now is read at the next look.
class LogReader {
 public:
  explicit LogReader(RailwayApi::Log log) : log_(log) {}

  void tell(RailwayApi& api, const std::string& id, const Output& output,
            const std::stop_token& stop) {
    if (!output) return;
    const auto lines = api.log(log_, id, since_, stop);
    if (!lines) return;
    for (const auto& line : *lines) {
      if (line.at < since_ || (line.at == since_ && told_.contains(line.text))) continue;
      if (line.at != since_) told_.clear();
      since_ = line.at;
      told_.insert(line.text);
      output(line.text + "\n");
    }
  }

 private:
  RailwayApi::Log log_;
  std::string since_;
  std::set<std::string> told_;  // of that time
};

constexpr const char* sign = "Belay: ";

// What is handed over has no commit at Railway: this is its message there.
std::string message_of(const Version& version) {
  return sign + version.service + " " + version.release;
}

}  // namespace

bool is_held(const RailwayRecord& record) {
  return !record.held.empty() && record.held == record.deployment;
}

Result<std::optional<RailwayDeployment>> RailwayOrders::newest_up(const std::stop_token& stop) {
  TRY_LET(const auto all, api_.deployments(stop));
  const auto up = std::find_if(all.begin(), all.end(), is_up);
  if (up == all.end()) return std::optional<RailwayDeployment>();
  return std::optional(*up);
}

Status RailwayOrders::give(const Version& version, RailwayRecord& record, const std::string& key,
                           Order order, const std::stop_token& stop) {
  if (record.commit.empty())
    return fail(Fault::invalid, "the commit of " + version.release + " is not known");
  record.former = record.deployment;
  std::string files;
  if (order == Order::deploy && config_.packed) {
    TRY_LET(files, config_.packed(record.commit, record.folder, stop).in("packing the files"));
  }
  for (int round = 0; round < most_rounds; ++round) {
    TRY_LET(const auto all, api_.deployments(stop));
    record.before.clear();
    for (const auto& each : all) record.before.push_back(each.id);
    record.key = key;
    record.asked = true;
    TRY(records_.keep(version, record));
    auto made = this->order(version, record, order, files, stop);
    if (!made && made.error().effect == Effect::none) {
      record.asked = false;
      TRY(records_.keep(version, record));
      return std::move(made).error();
    }
    // A rollback does not say what it made.
    const bool taken = made.ok();
    if (!made || made->empty()) made = look_for(version, record, stop);
    TRY_LET(const auto id, std::move(made));
    if (id.empty() && taken) break;
    if (id.empty()) continue;
    record.deployment = id;
    if (record.holds) record.held = id;
    record.asked = false;
    return records_.keep(version, record);
  }
  return unknown_effect(Fault::unreachable,
                        fmt::format("Railway does not show a deployment that makes {} {} live",
                                    version.service, version.release));
}

Result<std::string> RailwayOrders::order(const Version& version, const RailwayRecord& record,
                                         Order order, std::string_view files,
                                         const std::stop_token& stop) {
  if (order == Order::roll_back) {
    TRY(api_.roll_back(record.former, stop));
    return std::string();
  }
  if (config_.packed) return api_.deploy_files(files, message_of(version), stop);
  return api_.deploy(record.commit, stop);
}

Status RailwayOrders::settle(const Version& version, RailwayRecord& record,
                             const std::stop_token& stop) {
  TRY_LET(const auto made, look_for(version, record, stop));
  if (!made.empty()) record.deployment = made;
  if (!made.empty() && record.holds) record.held = made;
  record.asked = false;
  return records_.keep(version, record);
}

// The release's deployment that was not there before the order; empty: there is none. Railway's
// answers promise no message: where none shows one, a new deployment of files may be anybody's.
Result<std::string> RailwayOrders::find_among(const std::vector<RailwayDeployment>& all,
                                              const Version& version,
                                              const RailwayRecord& record) const {
  const auto message = Json(message_of(version)).dump();
  bool signs_are_shown = false;
  std::string doubtful;
  for (const auto& each : all) {
    signs_are_shown = signs_are_shown || each.meta.find(sign) != std::string::npos;
    const auto& before = record.before;
    if (std::find(before.begin(), before.end(), each.id) != before.end()) continue;
    const bool ours = config_.packed ? each.meta.find(message) != std::string::npos
                                     : each.commit == record.commit;
    if (ours) return each.id;
    if (config_.packed && each.commit.empty()) doubtful = each.id;
  }
  if (signs_are_shown || doubtful.empty()) return std::string();
  return unknown_effect(Fault::unreachable,
                        fmt::format("{} is new at Railway, which does not say whose it is: look "
                                    "there whether it is {} {}",
                                    doubtful, version.service, version.release));
}

Result<std::string> RailwayOrders::look_for(const Version& version, const RailwayRecord& record,
                                            const std::stop_token& stop) {
  for (int look = 0; look < looks_for_lost; ++look) {
    TRY_LET(const auto all, api_.deployments(stop));
    TRY_LET(auto found, find_among(all, version, record));
    if (!found.empty()) return found;
    if (!clock_.sleep(between_looks, stop))
      return unknown_effect(Fault::cancelled, "stopped while looking for a deployment");
  }
  return std::string();
}

Status RailwayOrders::end_others(const Version& wanted, const Output& output,
                                 const std::stop_token& stop) {
  TRY_LET(const auto all, records_.versions(wanted.service));
  std::set<std::string> others;
  for (const auto& version : all) {
    if (version.release == wanted.release) continue;
    TRY_LET(auto record, records_.of(version));
    if (record.asked) TRY(settle(version, record, stop));
    others.insert(record.deployment);
  }
  TRY_LET(const auto now, api_.deployments(stop));
  for (const auto& each : now) {
    const bool under_way = !is_up(each) && !is_down(each);
    if (under_way && others.contains(each.id)) TRY(end(each, output, stop));
  }
  return {};
}

Status RailwayOrders::end(const RailwayDeployment& deployment, const Output& output,
                          const std::stop_token& stop) {
  if (output) output(deployment.id + " is under way: it is cancelled\n");
  auto cancelled = api_.cancel(deployment.id, stop);
  // Too late: it comes to its end by itself.
  if (!cancelled && cancelled.error().fault != Fault::refused) return cancelled;
  const Status ended = follow(deployment, {}, stop);
  return ended || ended.error().fault == Fault::refused ? Status() : ended;
}

Status RailwayOrders::set_variables(const Environment& wanted, const std::stop_token& stop) {
  if (wanted.empty()) return {};
  const auto look = [&]() -> Result<VariableNames> {
    TRY_LET(const auto there, api_.variables(stop));
    return beside(there, wanted);
  };
  TRY_LET(const auto names, look());
  Environment differing;
  for (const auto* set : {&names.added, &names.changed, &names.unreadable}) {
    for (const auto& name : *set) differing[name] = wanted.at(name);
  }
  if (differing.empty()) return {};
  TRY(api_.set_variables(differing, stop));
  return until_shown(look, clock_, "Railway", stop);
}

Status RailwayOrders::follow(RailwayDeployment deployment, const Output& output,
                             const std::stop_token& stop) {
  const LongWait wait(clock_, config_.limit);
  LogReader building(RailwayApi::Log::build), running(RailwayApi::Log::running);
  std::string said;
  while (!is_up(deployment) && !is_down(deployment)) {
    building.tell(api_, deployment.id, output, stop);
    if (deployment.status == "DEPLOYING") running.tell(api_, deployment.id, output, stop);
    if (output && deployment.status != said)
      output(fmt::format("{}: {}\n", deployment.id, printable(deployment.status)));
    said = deployment.status;
    if (wait.over()) {
      return unknown_effect(Fault::timeout, fmt::format("{} is {} after {}", deployment.id, said,
                                                        to_text(config_.limit)));
    }
    if (!wait.pause(stop))
      return unknown_effect(Fault::cancelled, "stopped while Railway works on " + deployment.id);
    TRY_LET(deployment, api_.deployment(deployment.id, stop));
  }
  building.tell(api_, deployment.id, output, stop);
  running.tell(api_, deployment.id, output, stop);
  if (is_up(deployment)) {
    if (output && !deployment.regions.empty())
      output(
          fmt::format("{} runs in {}\n", deployment.id, printable(join(deployment.regions, ", "))));
    return {};
  }
  const auto log = api_.last_log(deployment.id, stop);
  return fail(Fault::refused,
              fmt::format("Railway's deployment {} is {}{}", deployment.id, deployment.status,
                          log ? "; its last lines:\n" + last_lines(*log, 20) : ""));
}

}  // namespace belay::target
