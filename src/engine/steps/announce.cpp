// SPDX-License-Identifier: Apache-2.0
// Tells people how a run ended, that it waits for their approval, or that it stopped for one of
// them; and those who follow runs, that one begins to change things and how it ended. Never fails a
// run: what could not be told is recorded.
#include <fmt/format.h>

#include "engine/health.hpp"
#include "engine/steps/steps.hpp"
#include "pipeline/gate.hpp"

namespace belay::engine {

namespace {

class Announce final : public StepKind {
 public:
  Announce(Site& site, bool follow) : site_(site), follow_(follow) {}

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
                  {"requester", context.plan.requester.name},
                  {"pipeline", context.plan.pipeline},
                  {"commit", context.plan.commit},
                  {"created", to_text(context.history.created_at)},
                  {"code", context.plan.facts.value("code", true)},
                  {"locked", context.history.locked}};
    if (follow_) news.facts["changes"] = context.plan.facts.value("changes", Json::array());
    if (follow_) news.facts["pulls"] = context.plan.notes.value("pulls", Json::array());
    if (context.step.args.contains("ending")) news.facts["ending"] = context.step.args["ending"];
    for (const char* reason : {"skip_tests", "skip_backup", "skip_checks", "emergency"}) {
      if (context.plan.facts.contains(reason)) news.facts[reason] = context.plan.facts[reason];
    }
    Json failed = Json::array();
    const auto whom = told_of(news.kind);
    for (std::size_t i = 0; i < whom.size(); ++i) {
      auto told = whom[i]->announce(news, fmt::format("{}.{}", context.key, i + 1));
      if (!told) failed.push_back(told.error().message());
    }
    if (!follow_ && !between_steps(news.kind)) keep_skipped(context);
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

  std::vector<notify::Notifier*> told_of(const std::string& kind) const {
    auto whom = follow_ ? site_.followers : site_.notifiers;
    if (!follow_ && between_steps(kind))
      whom.insert(whom.end(), site_.followers.begin(), site_.followers.end());
    return whom;
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
    if (kind == "waiting" && pipeline::is_reviewed_on_github(context.plan))
      return fmt::format("{}\nreview the workflow's run on GitHub; see: belay show {}", why,
                         context.run);
    if (kind == "waiting")
      return fmt::format("{0}\nsee: belay show {1}; then: belay approve {1}, or belay reject {1}",
                         why, context.run);
    if (kind == "begun") return context.plan.notes.value("subject", "");
    if (kind == "ended" && !why.empty()) return why;
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
    if (kind == "begun") return of + " has begun";
    if (kind == "ended") return of + ": " + context.step.args.value("ending", std::string("ended"));
    if (kind == "put_back") return "put back what a rewind had taken (" + of_salvage(plan) + ")";
    if (kind == "rolled_back") {
      return "rolled back to " +
             (context.history.way_back ? context.plan.live : context.plan.release);
    }
    return kind + " " + context.plan.release;
  }

  Site& site_;
  bool follow_ = false;
};

class Reviews final : public StepKind {
 public:
  explicit Reviews(Site& site) : site_(site) {}
  Result<Json> perform(const StepContext& context) override {
    return site_.reviews(context.plan, context.stop);
  }

 private:
  Site& site_;
};

}  // namespace

std::unique_ptr<StepKind> make_announce(Site& site) {
  return std::make_unique<Announce>(site, false);
}

std::unique_ptr<StepKind> make_follow(Site& site) {
  return std::make_unique<Announce>(site, true);
}

std::unique_ptr<StepKind> make_reviews(Site& site) {
  return std::make_unique<Reviews>(site);
}

}  // namespace belay::engine
