// SPDX-License-Identifier: Apache-2.0
// The environment's checks: once, and watched for a while after the switch.
#include <fmt/format.h>

#include "base/counted.hpp"
#include "engine/health.hpp"
#include "engine/steps/steps.hpp"

namespace belay::engine {

namespace {

// What is true of nothing that was asked: not healthy.
Json nothing_to_ask(const Site& site, const StepContext& context) {
  keep_report(site, context, nothing_asked(site, context, nothing_checked));
  return Json{{"summary", nothing_checked}};
}

// What the watch saw, in the names of a report.
probe::HealthReport report_of(const Site& site, const StepContext& context,
                              const probe::WatchResult& watched) {
  probe::HealthReport report{site.clock->now(), facts_of(context), watched.checks, {}};
  if (!watched.good) report.message = watched.message;
  return report;
}

class Check final : public StepKind {
 public:
  explicit Check(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    const auto release = release_of(context);
    TRY_LET(auto checks, checks_of(site_, release));
    if (checks.empty()) return nothing_to_ask(site_, context);
    const bool unseen = context.step.args.value("unseen", false);
    auto around = surroundings(site_, release, unseen);
    if (unseen) TRY(ask_previews(checks, around, release, context));
    if (checks.empty()) return Json{{"summary", "on the platform, asked once they are live"}};
    const auto report =
        probe::run_checks(*site_.prober, *site_.clock, checks, around,
                          {&context.world.executor, context.stop, facts_of(context)});
    if (context.stop.stop_requested()) return fail(Fault::cancelled, "stopped");
    keep_report(site_, context, report);
    context.say(probe::to_table(report));
    const auto good = report.count(probe::Verdict::pass);
    if (report.unhealthy()) return fail(Fault::refused, failures(report));
    return Json{{"summary", fmt::format("{} of {}{}", good, checks.size(),
                                        static_cast<std::size_t>(good) < checks.size()
                                            ? " (the rest are warnings)"
                                            : "")}};
  }

 private:
  // On a platform a version is asked where it answers unseen. Where that is nowhere, the checks are
  // left to the watch: at customers' address is what is live, not what is about to be.
  Status ask_previews(std::vector<pipeline::Check>& checks, probe::Surroundings& around,
                      const std::string& release, const StepContext& context) {
    std::map<std::string, std::optional<target::Preview>> previews;
    for (const auto& check : checks) {
      const auto* placed = site_.placement(check.service);
      if (placed == nullptr || !is_hosted(*placed) || previews.contains(check.service)) continue;
      TRY_LET(auto found, site_.target(check.service)
                              .preview({check.service, release}, context.stop)
                              .in("the address of " + check.service));
      if (found) context.say(check.service + " is asked at " + found->url);
      previews[check.service] = std::move(found);
    }
    std::erase_if(checks, [&](const auto& check) {
      const auto at = previews.find(check.service);
      return at != previews.end() && (!at->second || check.kind != pipeline::Check::Kind::http);
    });
    for (auto& check : checks) {
      const auto at = previews.find(check.service);
      if (at == previews.end()) continue;
      for (const auto& [name, value] : at->second->headers) check.send_headers[name] = value;
    }
    around.resolve = [previews, otherwise = std::move(around.resolve)](
                         const std::string& service) -> Result<probe::Place> {
      const auto at = previews.find(service);
      if (at == previews.end() || !at->second) return otherwise(service);
      return probe::Place{at->second->url, {}};
    };
    return {};
  }

  static std::string failures(const probe::HealthReport& report) {
    std::string text = fmt::format("{} of {} checks failed", report.count(probe::Verdict::fail),
                                   report.checks.size());
    for (const auto& one : report.checks) {
      if (one.verdict == probe::Verdict::fail)
        text += fmt::format("\n{}: {}", one.check, one.message);
    }
    return text;
  }

  Site& site_;
};

class Watch final : public StepKind {
 public:
  explicit Watch(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    const auto release = release_of(context);
    TRY_LET(const auto checks, checks_of(site_, release));
    if (checks.empty()) return nothing_to_ask(site_, context);
    TRY_LET(const auto before, endings(release));
    const auto result =
        probe::watch(*site_.prober, *site_.clock, checks, surroundings(site_, release, false),
                     site_.env().watch, {&context.world.executor, context.stop, facts_of(context)});
    if (result.stopped || context.stop.stop_requested()) return fail(Fault::cancelled, "stopped");
    context.say(probe::to_json(result).dump(2));
    auto report = report_of(site_, context, result);
    if (!result.good) {
      keep_report(site_, context, report);
      return fail(Fault::refused,
                  fmt::format("after {}: {}", for_people(result.since_start), result.message));
    }
    Status stayed = none_ended(release, before);
    if (!stayed) report.message = stayed.error().message();
    keep_report(site_, context, report);
    TRY(std::move(stayed));
    std::uint64_t samples = 0;
    for (const auto& one : result.checks) samples += static_cast<std::uint64_t>(one.attempts);
    return Json{
        {"summary", fmt::format("{}; {} of {} good", for_people(result.since_start),
                                counted(samples, "sample"), counted(checks.size(), "check"))}};
  }

 private:
  // How often each version behind our proxy has ended by itself.
  Result<std::map<std::string, int>> endings(const std::string& release) const {
    std::map<std::string, int> found;
    for (const auto& name : site_.services(release)) {
      if (!site_.target(name).behind_proxy()) continue;
      TRY_LET(auto status, site_.target(name).status({name, release}));
      found[name] = status.restarts;
    }
    return found;
  }

  // The proxy waits for a version that is being started again: its checks may all be good while
  // customers' requests are cut off.
  Status none_ended(const std::string& release, const std::map<std::string, int>& before) const {
    TRY_LET(const auto now, endings(release));
    for (const auto& [name, count] : now) {
      const auto then = before.find(name);
      if (then == before.end() || count <= then->second) continue;
      return fail(Fault::refused,
                  fmt::format("{} ended by itself {} while it was watched", name,
                              counted(static_cast<std::uint64_t>(count - then->second), "time")));
    }
    return {};
  }

  Site& site_;
};

}  // namespace

std::unique_ptr<StepKind> make_check(Site& site) {
  return std::make_unique<Check>(site);
}
std::unique_ptr<StepKind> make_watch(Site& site) {
  return std::make_unique<Watch>(site);
}

}  // namespace belay::engine
