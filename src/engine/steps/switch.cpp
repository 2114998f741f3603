// SPDX-License-Identifier: Apache-2.0
// Moves all services of the environment to a release: behind our proxy by its runtime interface,
// elsewhere by the target's own act. No release ("nothing"): customers get 503.
#include <fmt/format.h>

#include "base/text.hpp"
#include "engine/steps/prepare.hpp"
#include "engine/steps/steps.hpp"

namespace belay::engine {

namespace {

constexpr Millis drain_limit = std::chrono::seconds(30);
constexpr Millis end_grace = std::chrono::seconds(10);
// On the way back customers wait at the fence meanwhile, and what hangs may be why we go back.
constexpr Millis patience_with_the_bad = std::chrono::seconds(10);

class Switch final : public StepKind {
 public:
  explicit Switch(Site& site) : site_(site) {}

  Result<Json> baseline(const StepContext& context) override {
    Json active = Json::object();
    for (const auto& name : site_.proxied_services()) {
      auto state = site_.traffic->look(name);
      active[name] = state && state->active ? state->active->release : "";
    }
    return Json{{"active", active}, {"live", live_before(release_of(context))}};
  }

  Result<Json> perform(const StepContext& context) override {
    const auto release = release_of(context);
    if (release.empty()) return to_nothing();
    TRY(site_.traffic != nullptr ? site_.traffic->install(site_.routes()) : Status());
    auto order = site_.services(release);
    // Going back, the frontend leaves the new backend before that goes away.
    if (context.step.args.value("reverse", false)) std::reverse(order.begin(), order.end());
    TRY(move_all(order, release, context));
    return Json{{"release", release}};
  }

  // What a program of the user's began is taken over. One that nobody saw ending is asked about
  // with the user's own `status`.
  Result<Checked> check(const StepContext& context) override {
    bool begun = false, cut_off = false;
    for (const auto& name : commanded(release_of(context))) {
      // What was ordered on a platform is found there.
      if (is_hosted(*site_.placement(name))) continue;
      TRY_LET(auto child, context.world.children.look(child_key(context, context.attempt, name)));
      begun = begun || child.state == ChildState::running || child.state == ChildState::ended;
      if (child.state != ChildState::unknown) continue;
      cut_off = true;
      TRY_LET(auto told, can_be_told(name, context));
      if (!told.empty()) return Checked{Answer::unknown, Json::object(), told};
    }
    return Checked{begun && !cut_off ? Answer::adopt : Answer::absent, Json::object(), ""};
  }

  Status abandon(const StepContext& context) override {
    for (const auto& name : commanded(release_of(context)))
      TRY(context.world.children.end(child_key(context, context.attempt, name), end_grace));
    return {};
  }

 private:
  // Services that a program of the user's makes live.
  std::vector<std::string> commanded(const std::string& release) const {
    if (release.empty()) return {};
    auto names = site_.services(release);
    std::erase_if(names, [this](const auto& name) { return site_.target(name).behind_proxy(); });
    return names;
  }

  // Of any attempt of this step; a key ends with the attempt's number.
  static std::string child_key(const StepContext& context, int attempt, const std::string& name) {
    return fmt::format("{}{}.{}", context.key.substr(0, context.key.rfind('.') + 1), attempt, name);
  }

  Json live_before(const std::string& release) {
    Json live = Json::object();
    for (const auto& name : commanded(release)) {
      auto status = site_.target(name).status({name, release});
      if (status && status->phase != target::Phase::unknown) live[name] = status->live;
    }
    return live;
  }

  // Empty: live by now, or surely as before. Else what is known.
  Result<std::string> can_be_told(const std::string& name, const StepContext& context) {
    TRY(prepare_here(site_, context, {name, release_of(context)}));
    TRY_LET(auto now, site_.target(name).status({name, release_of(context)}));
    if (now.phase == target::Phase::unknown)
      return "the program of " + name + " was cut off, and " + now.text;
    if (context.elsewhere && !now.live)
      return "the program of " + name + " was begun on another machine, which may still be at it";
    const auto before = context.baseline.value("live", Json::object()).value(name, false);
    if (before && !now.live)
      return "the program of " + name + " was cut off, and what was live is not: " + now.text;
    return std::string();
  }

  // By an attempt that came to its end, or whose effect `status` sees.
  Result<bool> made_live(const std::string& name, const std::string& release,
                         const StepContext& context) {
    for (int attempt = 1; attempt < context.attempt; ++attempt) {
      TRY_LET(auto child, context.world.children.look(child_key(context, attempt, name)));
      if (child.state == ChildState::ended && child.status == 0 && !child.timed_out) return true;
      if (child.state != ChildState::unknown) continue;
      TRY_LET(auto now, site_.target(name).status({name, release}));
      if (now.live) return true;
    }
    return false;
  }

  // In this order. On the way back those on platforms that follow each other go side by side: each
  // takes minutes, and customers wait.
  Status move_all(const std::vector<std::string>& order, const std::string& release,
                  const StepContext& context) {
    const bool back = context.plan.pipeline == "rollback" || context.step.args.value("back", false);
    std::vector<std::string> together;
    for (const auto& name : order) {
      const auto* placed = site_.placement(name);
      if (back && placed != nullptr && is_hosted(*placed)) {
        together.push_back(name);
        continue;
      }
      TRY(move_together(together, release, context));
      TRY(move(name, release, context));
    }
    return move_together(together, release, context);
  }

  Status move_together(std::vector<std::string>& names, const std::string& release,
                       const StepContext& context) {
    std::vector<Status> ended(names.size());
    std::vector<std::function<void()>> work;
    for (std::size_t i = 0; i < names.size(); ++i)
      work.push_back([&, i] { ended[i] = move(names[i], release, context); });
    context.world.executor.run_all(std::move(work));
    names.clear();
    for (auto& each : ended) TRY(std::move(each));
    return {};
  }

  Status move(const std::string& name, const std::string& release, const StepContext& context) {
    auto& target = site_.target(name);
    if (site_.proxied(name)) {
      TRY_LET(auto status, target.status({name, release}));
      if (status.port == 0)
        return fail(Fault::missing, fmt::format("{} {} is not running", name, release));
      return site_.traffic->shift(name, {release, status.port});
    }
    if (target.behind_proxy()) return {};  // a worker: a step of its own
    TRY(prepare_here(site_, context, {name, release}));
    TRY_LET(const bool done, made_live(name, release, context));
    if (done) return {};
    TRY_LET(auto env, site_.environment_of(name, release));
    const auto output = [&](std::string_view text) {
      context.reporter.output(context.run, context.step, text);
    };
    const auto key = child_key(context, context.attempt, name);
    TRY_LET(const auto child, context.world.children.look(key));
    const auto* placed = site_.placement(name);
    const bool built_in =
        placed != nullptr && placed->target == pipeline::Placement::Target::vercel;
    if (child.state == ChildState::absent && !built_in)
      keep_fingerprints(site_, {name, release}, context);
    if (context.step.args.value("back", false))
      return target.go_back({name, release}, env, key, output, context.stop);
    return target.activate({name, release}, env, key, output, context.stop);
  }

  Result<Json> to_nothing() {
    if (site_.traffic != nullptr) TRY(site_.traffic->install(site_.routes()));
    for (const auto& name : site_.proxied_services()) TRY(site_.traffic->clear(name));
    return Json{{"release", ""}};
  }

  Site& site_;
};

// Services whose platform can keep them from writing.
std::vector<std::string> held_on_platforms(const Site& site) {
  std::vector<std::string> names;
  for (const auto& placed : site.env().services) {
    if (site.target(placed.service).can_hold()) names.push_back(placed.service);
  }
  return names;
}

// The fence: customers' requests wait while the data is brought back.
class Hold final : public StepKind {
 public:
  explicit Hold(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    const auto since = site_.clock->steady();
    const auto began = to_text(site_.clock->now());
    // First what takes longest: at our proxy nobody waits for it.
    TRY_LET(auto summary, hold_platforms(context));
    const bool platforms = !summary.empty();
    int cut = 0;
    if (site_.traffic != nullptr) {
      TRY(site_.traffic->install(site_.routes()));
      TRY_LET(cut, raise(context));
      summary.push_back(
          cut == 0 ? std::string("new requests wait")
                   : fmt::format("new requests wait; {} that did not end were cut off", cut));
    }
    TRY(stop_workers(context));
    return Json{{"summary", join(summary, "; ")},
                {"cut", cut},
                {"ms", (site_.clock->steady() - since).count()},
                {"at", platforms ? began : to_text(site_.clock->now())}};
  }

 private:
  Result<std::vector<std::string>> hold_platforms(const StepContext& context) {
    std::vector<std::string> held;
    for (const auto& name : held_on_platforms(site_)) {
      TRY(site_.target(name)
              .hold(
                  name, context.key + "." + name,
                  [&](std::string_view text) {
                    context.reporter.output(context.run, context.step, text);
                  },
                  context.stop)
              .in("holding " + name));
      held.push_back(name + " is held");
    }
    return held;
  }

  // How many requests were cut off.
  Result<int> raise(const StepContext& context) {
    const auto services = site_.proxied_services();
    if (context.history.way_back || context.plan.pipeline == "rollback") {
      return site_.traffic->hold_by_force(services, site_.env().hold, patience_with_the_bad,
                                          context.stop);
    }
    TRY(site_.traffic->hold(services, site_.env().hold, drain_limit, context.stop));
    return 0;
  }

  // A worker writes without asking the proxy.
  Status stop_workers(const StepContext& context) {
    for (const auto& [tag, spec] : site_.releases) {
      for (const auto& service : spec.services) {
        if (service.kind != pipeline::Service::Kind::worker ||
            site_.placement(service.name) == nullptr)
          continue;
        TRY(site_.target(service.name).stop({service.name, tag}, std::chrono::seconds(20)));
        context.say(service.name + " of " + tag + " is stopped");
      }
    }
    return {};
  }

  Site& site_;
};

class Lift final : public StepKind {
 public:
  explicit Lift(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    int waited = 0;
    for (const auto& name : site_.proxied_services()) {
      auto state = site_.traffic->look(name);
      if (state) waited += state->waiting;
    }
    // Whatever becomes of the one, the other is not left standing.
    const Status lifted =
        site_.traffic != nullptr ? site_.traffic->lift(site_.proxied_services()) : Status();
    TRY(let_platforms_go_on(context));
    TRY(Status(lifted));
    Json result{{"waiting", waited}};
    const auto held = context.result_of(context.step.args.value("hold", std::string("hold")));
    if (held.contains("at")) {
      TRY_LET(auto since, parse_time(held["at"].get<std::string>()));
      result["held_ms"] = (site_.clock->now() - since).count();
      result["summary"] = fmt::format("held for {} · {} requests were waiting",
                                      for_people(site_.clock->now() - since), waited);
    }
    return result;
  }

 private:
  Status let_platforms_go_on(const StepContext& context) {
    for (const auto& name : held_on_platforms(site_)) {
      TRY(site_.target(name)
              .let_go_on(
                  name, context.key + "." + name,
                  [&](std::string_view text) {
                    context.reporter.output(context.run, context.step, text);
                  },
                  context.stop)
              .in(name + " goes on"));
    }
    return {};
  }

  Site& site_;
};

}  // namespace

std::unique_ptr<StepKind> make_switch(Site& site) {
  return std::make_unique<Switch>(site);
}
std::unique_ptr<StepKind> make_hold(Site& site) {
  return std::make_unique<Hold>(site);
}
std::unique_ptr<StepKind> make_lift(Site& site) {
  return std::make_unique<Lift>(site);
}

}  // namespace belay::engine
