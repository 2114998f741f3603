// SPDX-License-Identifier: Apache-2.0
// Starts a version beside the live one, unseen by customers, and waits until its readiness check
// holds. A version that never gets ready is told with the last lines that it wrote.
#include <fmt/format.h>

#include "engine/health.hpp"
#include "engine/steps/steps.hpp"

namespace belay::engine {

namespace {

constexpr Millis readiness_limit = std::chrono::seconds(60);
constexpr std::size_t log_bytes = 2000;

class Start final : public StepKind {
 public:
  explicit Start(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    const target::Version version{context.step.args.at("service").get<std::string>(),
                                  release_of(context)};
    auto& target = site_.target(version.service);
    TRY_LET(auto env, site_.environment_of(version.service, version.release));
    TRY_LET(auto started, target.start(version, env, context.stop));
    if (!target.behind_proxy()) return Json{{"summary", "left to its own programs"}};
    Status ready = wait_until_ready(version, started, context);
    if (!ready) {
      if (ready.error().fault == Fault::cancelled) return std::move(ready).error();
      auto log = target.logs(version, log_bytes);
      return fail(ready.error().fault,
                  ready.error().message() + (log && !log->empty() ? "\n" + *log : std::string()));
    }
    if (context.step.args.value("open", false) && site_.proxied(version.service)) {
      TRY(site_.traffic->install(site_.routes()));
      TRY(site_.traffic->shift(version.service, {version.release, started.port}));
    }
    return Json{{"port", started.port},
                {"summary", fmt::format("{} ready on port {}", version.service, started.port)}};
  }

 private:
  Status wait_until_ready(const target::Version& version, const target::VersionStatus& started,
                          const StepContext& context) {
    const auto& service = site_.service(version.release, version.service);
    auto asked = service;
    if (context.step.args.value("listening", false)) asked.check.reset();
    const auto deadline = site_.clock->steady() + readiness_limit;
    int in_a_row = 0;
    std::string last = "no answer yet";
    while (site_.clock->steady() < deadline) {
      TRY_LET(auto status, site_.target(version.service).status(version));
      if (status.phase == target::Phase::failed) {
        return fail(Fault::refused, fmt::format("{} {} went down while starting: {}",
                                                version.service, version.release, status.text));
      }
      const auto sample = ready_sample(site_, asked, started.port, context.stop);
      last = sample.text;
      in_a_row = sample.good ? in_a_row + 1 : 0;
      const auto rise = asked.check ? std::max(1, asked.check->rise) : 1;
      if (in_a_row >= rise) return {};
      if (!site_.clock->sleep(Millis(in_a_row > 0 ? 100 : 200), context.stop))
        return fail(Fault::cancelled, "stopped");
    }
    return fail(Fault::timeout, fmt::format("{} {} was not ready within {}: {}", version.service,
                                            version.release, for_people(readiness_limit), last));
  }

  Site& site_;
};

class Stop final : public StepKind {
 public:
  explicit Stop(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    const auto release = release_of(context);
    for (const auto& name : site_.services(release)) {
      TRY(site_.target(name).stop({name, release}, std::chrono::seconds(10)));
    }
    return Json(Json::object());
  }

 private:
  Site& site_;
};

}  // namespace

std::unique_ptr<StepKind> make_start(Site& site) {
  return std::make_unique<Start>(site);
}
std::unique_ptr<StepKind> make_stop(Site& site) {
  return std::make_unique<Stop>(site);
}

}  // namespace belay::engine
