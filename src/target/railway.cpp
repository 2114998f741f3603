// SPDX-License-Identifier: Apache-2.0
#include "target/railway.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "target/hosted.hpp"
#include "target/railway_hold.hpp"
#include "target/version_files.hpp"

namespace belay::target {

namespace {

// It was live once.
bool was_replaced(const RailwayDeployment& deployment) {
  return deployment.status == "REMOVED" || deployment.status == "REMOVING";
}

class Railway final : public Target {
  using Order = RailwayOrders::Order;

 public:
  Railway(RailwayConfig config, Clock& clock, Random& random)
      : config_(std::move(config)),
        api_(config_, clock, random),
        records_(config_.records),
        orders_(config_, clock, api_, records_),
        holding_(config_, clock, api_, records_, orders_) {}

  Status prepare(const Version& version, const Artifact& artifact, const std::string&,
                 const Output&, std::stop_token) override {
    TRY(check_version(version));
    TRY_LET(const auto known, records_.find(version));
    if (!known) {
      RailwayRecord record{artifact.commit, "", "", {}, false};
      record.folder = artifact.folder;
      return records_.keep(version, record);
    }
    if (artifact.commit.empty() || known->commit == artifact.commit) return {};
    return fail(Fault::conflict, fmt::format("{} {} is of another commit ({})", version.service,
                                             version.release, known->commit));
  }

  Result<VersionStatus> start(const Version& version, const Environment&,
                              std::stop_token) override {
    return status(version);
  }

  Status activate(const Version& version, const Environment& env, const std::string& key,
                  const Output& output, std::stop_token stop) override {
    TRY_LET(auto record, records_.of(version));
    return make_live(version, record, env, key, Order::deploy, output, stop);
  }

  // Railway keeps a release's image for a while, with the variables it had then. Where those are
  // others now, or the image is gone, the commit is deployed anew.
  Status go_back(const Version& version, const Environment& env, const std::string& key,
                 const Output& output, std::stop_token stop) override {
    TRY_LET(auto record, records_.of(version));
    TRY_LET(const auto why_not, why_not_rolled_back(record, env, stop));
    if (!why_not.empty() && output)
      output(fmt::format("{} {}: it is built anew\n", version.release, why_not));
    return make_live(version, record, env, key, why_not.empty() ? Order::roll_back : Order::deploy,
                     output, stop);
  }

  Result<VersionStatus> status(const Version& version) override {
    TRY(check_version(version));
    TRY_LET(const auto record, records_.find(version));
    TRY_LET(const auto up, orders_.newest_up({}));
    VersionStatus status;
    if (!record) return status;
    status.live = up && up->id == record->deployment;
    status.phase = status.live ? Phase::running : Phase::prepared;
    status.text = up ? up->id + " is live" : "nothing is live";
    return status;
  }

  // What is not live Railway has stopped itself.
  Status stop(const Version&, Millis) override { return {}; }

  Status remove(const Version& version) override {
    TRY_LET(const auto now, status(version));
    if (now.live)
      return fail(Fault::refused, version.service + " " + version.release + " is live at Railway");
    return records_.remove(version);
  }

  Result<std::string> logs(const Version& version, std::size_t bytes) override {
    TRY(check_version(version));
    TRY_LET(const auto record, records_.find(version));
    if (!record || record->deployment.empty()) return std::string();
    TRY_LET(auto text, api_.last_log(record->deployment, {}));
    return text.substr(text.size() > bytes ? text.size() - bytes : 0);
  }

  Result<std::vector<Version>> versions(const std::string& service) override {
    return records_.versions(service);
  }

  bool behind_proxy() const override { return false; }

  Result<std::optional<VariableNames>> variables(const Environment& wanted,
                                                 std::stop_token stop) override {
    TRY_LET(const auto there, api_.variables(stop));
    return std::optional(beside(there, wanted));
  }

  bool can_hold() const override { return config_.hold.has_value(); }
  Status hold(const std::string& service, const std::string& key, const Output& output,
              std::stop_token stop) override {
    return can_hold() ? holding_.hold(service, key, output, stop) : Status();
  }
  Status let_go_on(const std::string& service, const std::string& key, const Output& output,
                   std::stop_token stop) override {
    return can_hold() ? holding_.let_go_on(service, key, output, stop) : Status();
  }

 private:
  std::string fingerprint_of(const Environment& env) const {
    return env.empty() || !config_.fingerprint ? "" : config_.fingerprint(env);
  }

  // Empty: Railway can go back to its image, and what it had then is what it should have now.
  Result<std::string> why_not_rolled_back(const RailwayRecord& record, const Environment& env,
                                          const std::stop_token& stop) {
    const std::string gone = "has no image at Railway any more";
    if (record.deployment.empty()) return gone;
    auto former = api_.deployment(record.deployment, stop);
    if (!former && former.error().fault != Fault::missing) return std::move(former).error();
    if (!former || !former->can_roll_back) return gone;
    if (is_held(record)) return std::string("was last deployed to be held");
    const auto now = fingerprint_of(env);
    if (env.empty() || (!now.empty() && now == record.variables)) return std::string();
    return std::string("had variables that differ, or are not known to be the same");
  }

  // Which belay.yaml says nothing of, the platform keeps. A release that is made live is not held.
  Environment with_hold_off(Environment env) const {
    if (config_.hold && !config_.hold->variable.empty())
      env[config_.hold->variable] = config_.hold->off;
    return env;
  }

  // For what is deployed there next: what is live has its own already.
  void leave_variables(const Environment& env, const Output& output, const std::stop_token& stop) {
    const auto set = orders_.set_variables(env, stop);
    if (!set && output)
      output("the variables for later deployments are not set: " + set.error().message() + "\n");
  }

  Status make_live(const Version& version, RailwayRecord& record, const Environment& env,
                   const std::string& key, Order order, const Output& output,
                   const std::stop_token& stop) {
    if (record.asked) TRY(orders_.settle(version, record, stop));
    TRY(orders_.end_others(version, output, stop));
    TRY_LET(const auto up, orders_.newest_up(stop));
    if (up && up->id == record.deployment && !is_held(record)) {
      if (up->stopped) TRY(let_go_on(version.service, key, output, stop));
      leave_variables(env, output, stop);
      return {};
    }
    // An order that is still under way is followed; one that has failed under this key has failed.
    if (!record.deployment.empty() && !is_held(record)) {
      auto former = api_.deployment(record.deployment, stop);
      if (!former && former.error().fault != Fault::missing) return std::move(former).error();
      const bool under_way = former && !is_down(*former) && !is_up(*former);
      const bool failed = former && is_down(*former) && !was_replaced(*former);
      if (under_way || (failed && record.key == key)) return orders_.follow(*former, output, stop);
      // It may have come up between the two looks.
      if (former && is_up(*former)) {
        TRY_LET(const auto again, orders_.newest_up(stop));
        if (again && again->id == former->id) return {};
      }
    }
    if (order == Order::deploy) TRY(orders_.set_variables(with_hold_off(env), stop));
    record.variables = fingerprint_of(env);
    record.holds = false;
    TRY(orders_.give(version, record, key, order, stop));
    TRY_LET(const auto made, api_.deployment(record.deployment, stop));
    TRY(orders_.follow(made, output, stop));
    if (order == Order::roll_back) leave_variables(with_hold_off(env), output, stop);
    return {};
  }

  RailwayConfig config_;
  RailwayApi api_;
  RailwayRecords records_;
  RailwayOrders orders_;
  RailwayHolding holding_;
};

}  // namespace

std::unique_ptr<Target> make_railway(RailwayConfig config, Clock& clock, Random& random) {
  return std::make_unique<Railway>(std::move(config), clock, random);
}

}  // namespace belay::target
