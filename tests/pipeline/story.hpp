// SPDX-License-Identifier: Apache-2.0
// A run told as its events; what comes next is told as one line of text.
#pragma once

#include <gtest/gtest.h>

#include "base/text.hpp"
#include "pipeline/decide.hpp"

namespace belay::pipeline {

inline TimePoint at(const std::string& text) {
  const auto time = parse_time(text);
  EXPECT_TRUE(time) << text;
  return time ? *time : TimePoint{};
}
inline const TimePoint monday = at("2026-11-23T10:00:00Z");

struct Line {
  std::string operator()(const Perform& n) const { return "perform " + join(n.steps, " "); }
  std::string operator()(const Resolve& n) const { return "resolve " + join(n.steps, " "); }
  std::string operator()(const OpenGate& n) const {
    return "open " + n.step + " for " + belay::to_text(n.expires);
  }
  std::string operator()(const PassGate& n) const { return "pass " + n.step; }
  std::string operator()(const Wait& n) const {
    return "wait " + n.step + (n.until ? " until " + belay::to_text(*n.until) : "") + ": " + n.what;
  }
  std::string operator()(const TakeLock& n) const { return "lock " + n.step; }
  std::string operator()(const GoBack& n) const { return "go back: " + n.because; }
  std::string operator()(const Stop& n) const { return "stop: " + n.because; }
  std::string operator()(const Finish& n) const {
    return "finish " + n.ending + (n.text.empty() ? "" : ": " + n.text);
  }
  std::string operator()(const Ended&) const { return "ended"; }
};

inline Step step_of(std::string id, std::string kind, std::vector<std::string> after = {},
                    bool changes = false) {
  Step step;
  step.id = std::move(id);
  step.kind = std::move(kind);
  step.title = step.id;
  step.after = std::move(after);
  step.changes = changes;
  return step;
}

inline Step undoing(std::string id, std::string kind, std::vector<std::string> undoes) {
  Step step = step_of(std::move(id), std::move(kind));
  step.undoes = std::move(undoes);
  return step;
}

// build two side by side, lock, recheck, migrate and switch (both change something), watch.
inline Plan small_plan() {
  Plan plan;
  plan.pipeline = "deploy";
  plan.project = "shop";
  plan.environment = "production";
  plan.release = "prod-20261123-100000";
  plan.live = "prod-20261120-141233";
  plan.requester = {"noor", "noor@example.org"};
  plan.steps = {step_of("build:api", "build"),
                step_of("build:web", "build"),
                step_of("lock", "lock", {"build:api", "build:web"}),
                step_of("recheck", "recheck", {"lock"}),
                step_of("migrate", "migrate", {"recheck"}, true),
                step_of("switch", "switch", {"migrate"}, true),
                step_of("watch", "watch", {"switch"})};
  plan.back = {undoing("back:switch", "switch", {"switch"}),
               undoing("back:rewind", "rewind", {"migrate"}),
               undoing("back:announce", "announce", {})};
  return plan;
}

struct Story {
  Plan plan = small_plan();
  std::vector<Event> events;
  TimePoint now = monday;
  std::map<std::string, int> attempts = {};

  Story() { happened("run.created", Json::object()); }
  explicit Story(Plan of) : Story() { plan = std::move(of); }

  Story& happened(std::string kind, Json body, std::string key = {}) {
    events.push_back({static_cast<std::int64_t>(events.size()) + 1, now, std::move(kind),
                      std::move(key), std::move(body)});
    return *this;
  }
  Story& later(Millis by) {
    now += by;
    return *this;
  }
  std::string key_of(const std::string& id) {
    return "run-7." + id + "." + std::to_string(attempts[id]);
  }
  Story& begun(const std::string& id) {
    const int attempt = ++attempts[id];
    return happened("step.intent",
                    {{"step", id}, {"attempt", attempt}, {"baseline", Json::object()}}, key_of(id));
  }
  Story& outcome(const std::string& id, bool ok, const std::string& error = {},
                 const std::string& fault = {}) {
    return happened(
        "step.outcome",
        {{"step", id}, {"attempt", attempts[id]}, {"ok", ok}, {"error", error}, {"fault", fault}},
        key_of(id));
  }
  Story& done(const std::string& ids) {
    for (const auto& id : split(ids, ' ')) begun(id).outcome(id, true);
    return *this;
  }
  Story& failed(const std::string& id, const std::string& error = "it broke",
                const std::string& fault = "refused") {
    return begun(id).outcome(id, false, error, fault);
  }
  Story& cancelled(const std::string& because = "leo") {
    return happened("cancel.requested", {{"because", because}});
  }
  Story& way_back() { return happened("way_back.begun", {{"because", "watch: it broke"}}); }
  Story& resumed(Json body = {{"by", "leo"}}) { return happened("run.resumed", std::move(body)); }
  Story& stopped(const std::string& because) {
    return happened("run.stopped", {{"because", because}});
  }
  Story& to_the_switch() { return done("build:api build:web lock recheck migrate switch"); }

  History history() const {
    auto folded = fold(events);
    EXPECT_TRUE(folded) << (folded ? "" : folded.error().message());
    return folded ? *folded : History{};
  }
  std::string next() const { return std::visit(Line{}, decide(plan, history(), now)); }
};

}  // namespace belay::pipeline
