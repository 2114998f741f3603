// SPDX-License-Identifier: Apache-2.0
// Starts a version beside the live one, unseen by customers, and waits until its readiness check
// holds. A version that never gets ready is told with the last lines that it wrote.
#include <fmt/format.h>

#include "base/text.hpp"
#include "engine/health.hpp"
#include "engine/steps/steps.hpp"

namespace belay::engine {

namespace {

constexpr Millis readiness_limit = std::chrono::seconds(60);
constexpr std::size_t log_bytes = 2000;
constexpr int most_starts = 4;
constexpr Millis last_requests = std::chrono::seconds(10);

// conflict: it must be started again.
Status still_up(const target::Version& version, const target::VersionStatus& now) {
  const auto name = version.service + " " + version.release;
  if (now.port_lost)
    return fail(Fault::conflict, fmt::format("{} cannot start: {}", name, now.text));
  if (now.phase == target::Phase::prepared)
    return fail(Fault::conflict, name + " was stopped while it started");
  if (now.phase == target::Phase::failed)
    return fail(Fault::refused, fmt::format("{} went down while starting: {}", name, now.text));
  return {};
}

// Until the readiness check holds, or, for a worker, until it has stayed up. Whoever else answers
// at its port does not make it ready.
Status wait_until_ready(Site& site, const target::Version& version,
                        const target::VersionStatus& started, const pipeline::Service& asked,
                        const StepContext& context) {
  const auto deadline = site.clock->steady() + readiness_limit;
  const auto rise = asked.check ? std::max(1, asked.check->rise) : 1;
  int in_a_row = 0;
  std::string last = "no answer yet";
  while (site.clock->steady() < deadline) {
    TRY_LET(auto now, site.target(version.service).status(version));
    TRY(still_up(version, now));
    if (now.phase == target::Phase::running) {
      const auto sample = ready_sample(site, asked, started.port, context.stop);
      last = sample.text;
      in_a_row = sample.good ? in_a_row + 1 : 0;
    } else {
      last = now.text.empty() ? last : now.text;
      in_a_row = 0;
    }
    if (in_a_row >= rise) return {};
    if (!site.clock->sleep(Millis(in_a_row > 0 ? 100 : 200), context.stop))
      return fail(Fault::cancelled, "stopped");
  }
  return fail(Fault::timeout, fmt::format("{} {} was not ready within {}: {}", version.service,
                                          version.release, for_people(readiness_limit), last));
}

// The last lines that it wrote go with the error.
Error with_log(Site& site, const target::Version& version, const Error& error) {
  if (error.fault == Fault::cancelled) return error;
  auto log = site.target(version.service).logs(version, log_bytes);
  return fail(error.fault,
              error.message() + (log && !log->empty() ? "\n" + last_words(*log) : std::string()));
}

// It keeps the environment that it has.
bool is_at_work(target::Target& target, const target::Version& version) {
  const auto now = target.status(version);
  return now && !now->port_lost &&
         (now->phase == target::Phase::running || now->phase == target::Phase::starting);
}

// A rollback uses the present values: a version that is warm with former ones, where no customer
// is, is stopped first. On the way back of a run it is not touched, for then what works counts.
Status stop_with_former_secrets(Site& site, const target::Version& version,
                                const StepContext& context) {
  auto& target = site.target(version.service);
  if (context.plan.pipeline != "rollback" || context.history.way_back || !target.behind_proxy() ||
      !site.has_former_secrets || !is_at_work(target, version) || !site.has_former_secrets(version))
    return {};
  if (site.proxied(version.service)) {
    TRY_LET(const auto state, site.traffic->look(version.service));
    if (state.active && state.active->release == version.release) return {};
  }
  context.say(version.service + " is warm with former values of its secrets: it is started anew");
  site.let_finish(version.service, version.release, last_requests, context.stop);
  return target.stop(version, std::chrono::seconds(10));
}

// Started, and ready. A port that somebody else was quicker to take, or a stop from elsewhere, is
// no fault of the release: it is started again.
Result<target::VersionStatus> bring_up(Site& site, const target::Version& version, bool listening,
                                       const StepContext& context) {
  auto& target = site.target(version.service);
  TRY_LET(auto env, site.environment_of(version.service, version.release));
  for (int n = 1;; ++n) {
    if (target.behind_proxy() && !is_at_work(target, version))
      keep_fingerprints(site, version, context);
    TRY_LET(auto started, target.start(version, env, context.stop));
    if (!target.behind_proxy()) return started;
    auto asked = site.service(version.release, version.service);
    if (listening) asked.check.reset();
    Status ready = wait_until_ready(site, version, started, asked, context);
    if (ready) return started;
    if (ready.error().fault != Fault::conflict || n == most_starts)
      return with_log(site, version, ready.error());
    context.say(ready.error().message() + "; it is started again");
  }
}

class Start final : public StepKind {
 public:
  explicit Start(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    const target::Version version{context.step.args.at("service").get<std::string>(),
                                  release_of(context)};
    const bool listening = context.step.args.value("listening", false);
    TRY(stop_with_former_secrets(site_, version, context));
    TRY_LET(auto started, bring_up(site_, version, listening, context));
    if (!site_.target(version.service).behind_proxy()) {
      const auto* placed = site_.placement(version.service);
      const bool hosted = placed != nullptr && is_hosted(*placed);
      return Json{{"summary", hosted ? "left to the platform" : "left to its own programs"}};
    }
    if (context.step.args.value("open", false) && site_.proxied(version.service)) {
      TRY(site_.traffic->install(site_.routes()));
      TRY(site_.traffic->shift(version.service, {version.release, started.port}));
    }
    return Json{{"port", started.port},
                {"summary", fmt::format("{} ready on port {}", version.service, started.port)}};
  }

 private:
  Site& site_;
};

// Workers have no port that could be switched, and there are never two versions of one at work: all
// others are stopped, then this release's is started. After a fence this is what lets them go on.
class Workers final : public StepKind {
 public:
  explicit Workers(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    const auto release = release_of(context);
    std::string names;
    for (const auto& name : site_.services(release)) {
      if (site_.service(release, name).kind != pipeline::Service::Kind::worker) continue;
      if (!site_.target(name).behind_proxy()) continue;
      TRY(stop_others(name, release));
      TRY_LET(auto up, bring_up(site_, {name, release}, false, context));
      static_cast<void>(up);
      names += (names.empty() ? "" : ", ") + name;
    }
    return Json{{"summary", names + " of " + release}};
  }

 private:
  Status stop_others(const std::string& name, const std::string& release) {
    TRY_LET(auto versions, site_.target(name).versions(name));
    for (const auto& version : versions) {
      if (version.release != release)
        TRY(site_.target(name).stop(version, std::chrono::seconds(20)));
    }
    return {};
  }

  Site& site_;
};

class Stop final : public StepKind {
 public:
  explicit Stop(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    const auto release = release_of(context);
    for (const auto& name : site_.services(release)) {
      site_.let_finish(name, release, last_requests, context.stop);
      TRY(site_.target(name).stop({name, release}, std::chrono::seconds(10)));
    }
    return Json(Json::object());
  }

 private:
  Site& site_;
};

}  // namespace

void keep_fingerprints(Site& site, const target::Version& version, const StepContext& context) {
  if (!site.keep_fingerprints) return;
  auto kept = site.keep_fingerprints(version);
  if (!kept) context.say("the secrets' fingerprints are not kept: " + kept.error().message());
}

std::string last_words(const std::string& log) {
  constexpr std::size_t most_lines = 10, stamp = 26;  // "2026-11-25_21:26:48.12345 "
  std::vector<std::string> lines;
  for (auto line : split(trim(log), '\n')) {
    if (line.size() >= stamp && line[10] == '_' && line[13] == ':' && line[19] == '.')
      line.erase(0, stamp);
    std::erase(lines, line);
    lines.push_back(std::move(line));
  }
  if (lines.size() > most_lines) lines.erase(lines.begin(), lines.end() - most_lines);
  return join(lines, "\n");
}

std::unique_ptr<StepKind> make_start(Site& site) {
  return std::make_unique<Start>(site);
}
std::unique_ptr<StepKind> make_workers(Site& site) {
  return std::make_unique<Workers>(site);
}
std::unique_ptr<StepKind> make_stop(Site& site) {
  return std::make_unique<Stop>(site);
}

}  // namespace belay::engine
