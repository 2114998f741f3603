// SPDX-License-Identifier: Apache-2.0
// Tells people how a run ended, that it waits for their approval, or that it stopped for one of
// them. Never fails a run: what could not be told is recorded.
#include <fmt/format.h>

#include "engine/health.hpp"
#include "engine/steps/steps.hpp"

namespace belay::engine {

namespace {

class Announce final : public StepKind {
 public:
  explicit Announce(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    notify::Announcement news;
    news.kind = context.step.args.value("event", std::string("shipped"));
    news.title = fmt::format("{} {}: {}", context.plan.project, context.plan.environment,
                             what(context, news.kind));
    news.text = text(context, news.kind);
    news.facts = {{"project", context.plan.project},
                  {"environment", context.plan.environment},
                  {"run", context.run},
                  {"release", context.plan.release},
                  {"live", context.plan.live},
                  {"requester", context.plan.requester.name}};
    for (const char* reason : {"skip_tests", "skip_backup", "skip_checks", "emergency"}) {
      if (context.plan.facts.contains(reason)) news.facts[reason] = context.plan.facts[reason];
    }
    Json failed = Json::array();
    for (std::size_t i = 0; i < site_.notifiers.size(); ++i) {
      auto told = site_.notifiers[i]->announce(news, fmt::format("{}.{}", context.key, i + 1));
      if (!told) failed.push_back(told.error().message());
    }
    if (!between_steps(news.kind)) keep_skipped(context);
    for (const auto& text : failed) context.say("not announced: " + text.get<std::string>());
    return Json{{"not_announced", failed}};
  }

  // Each notifier finds by the key what it has begun.
  Result<Checked> check(const StepContext&) override {
    return Checked{Answer::adopt, Json::object(), ""};
  }

 private:
  static bool between_steps(const std::string& kind) {
    return kind == "stopped" || kind == "waiting";
  }

  // A run that skips its checks has no other step that writes the report.
  void keep_skipped(const StepContext& context) const {
    if (!context.plan.facts.contains("skip_checks") || context.history.way_back) return;
    keep_report(site_, context,
                nothing_asked(site_, context,
                              "the checks were skipped: " +
                                  context.plan.facts["skip_checks"].get<std::string>()));
  }

  static std::string text(const StepContext& context, const std::string& kind) {
    const auto why = context.step.args.value("text", std::string());
    if (kind == "stopped") return fmt::format("{}\nsee: belay show {}", why, context.run);
    if (kind == "waiting")
      return fmt::format("{0}\nsee: belay show {1}; then: belay approve {1}, or belay reject {1}",
                         why, context.run);
    if (kind == "put_back") return context.result_of("apply").value("summary", std::string());
    if (context.history.way_back) return "because of " + *context.history.way_back;
    return context.plan.notes.value("subject", "");
  }

  static std::string of_salvage(const pipeline::Plan& plan) {
    const auto* step = plan.first_of("apply");
    return step == nullptr ? "" : step->args.value("apply", std::string());
  }

  static std::string what(const StepContext& context, const std::string& kind) {
    const auto& plan = context.plan;
    const auto of = plan.pipeline + (plan.release.empty() ? "" : " of " + plan.release);
    if (kind == "stopped") return fmt::format("run {} ({}) needs a person", context.run, of);
    if (kind == "waiting") return fmt::format("run {} ({}) waits for approval", context.run, of);
    if (kind == "put_back") return "put back what a rewind had taken (" + of_salvage(plan) + ")";
    if (kind == "rolled_back") {
      return "rolled back to " +
             (context.history.way_back ? context.plan.live : context.plan.release);
    }
    return kind + " " + context.plan.release;
  }

  Site& site_;
};

}  // namespace

std::unique_ptr<StepKind> make_announce(Site& site) {
  return std::make_unique<Announce>(site);
}

}  // namespace belay::engine
