// SPDX-License-Identifier: Apache-2.0
// What follows a success: the git tag and the cleaning up. Neither fails a run: what could not be
// done is told.
#include <fmt/format.h>

#include <set>

#include "engine/releases.hpp"
#include "engine/steps/steps.hpp"

namespace belay::engine {

namespace {

class Tag final : public StepKind {
 public:
  explicit Tag(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    TRY_LET(auto head, site_.journal->head());
    // The chain's head in the tag's message: a journal rewritten later is found out.
    const auto message =
        fmt::format("{} to {} by run {}\n\nproject: {}\njournal: {}:{}\nplan: {}",
                    context.plan.release, context.plan.environment, context.run,
                    context.plan.project, head.first, head.second, pipeline::digest(context.plan));
    Json warnings = Json::array();
    if (auto tagged = site_.source->tag(context.plan.release, context.plan.commit, message);
        !tagged) {
      if (!present_already(context)) warnings.push_back("not tagged: " + tagged.error().message());
    }
    push(context, warnings);
    Json result{{"warnings", warnings}, {"summary", context.plan.release}};
    if (!warnings.empty())
      result["summary"] = context.plan.release + " · " + warnings[0].get<std::string>();
    return result;
  }

 private:
  bool present_already(const StepContext& context) {
    auto found = site_.source->find_tag(context.plan.release);
    return found && *found && (*found)->commit == context.plan.commit;
  }

  void push(const StepContext& context, Json& warnings) {
    auto remote = site_.source->has_remote();
    if (!remote || !*remote) return;
    Status pushed;
    for (int i = 0; i < 3; ++i) {
      pushed = site_.source->push_tag(context.plan.release);
      if (pushed || !site_.clock->sleep(Millis(500 * (i + 1)), context.stop)) break;
    }
    if (!pushed) warnings.push_back("the tag was not pushed: " + pushed.error().message());
  }

  Site& site_;
};

// Stops what is neither live nor kept warm, and removes releases nobody goes back to.
class CleanUp final : public StepKind {
 public:
  explicit CleanUp(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    TRY_LET(auto releases, read_releases(*site_.journal, site_.environment));
    const auto kept = kept_releases(context, releases);
    Json problems = Json::array();
    for (const auto& [name, target] : site_.targets) {
      if (auto done = tidy(*target, name, kept, context); !done)
        problems.push_back(done.error().message());
    }
    return Json{{"problems", problems}};
  }

 private:
  static constexpr std::size_t releases_kept = 5;

  // The new one, the one before it (warm), and the files of a few more.
  std::set<std::string> kept_releases(const StepContext& context, const Releases& releases) {
    std::set<std::string> kept{context.plan.release, context.plan.live};
    if (releases.live) kept.insert(releases.live->tag);
    auto newest = releases.shipped.rbegin();
    for (std::size_t i = 0; i < releases_kept && newest != releases.shipped.rend(); ++i, ++newest)
      kept.insert(newest->tag);
    return kept;
  }

  Status tidy(target::Target& target, const std::string& service, const std::set<std::string>& kept,
              const StepContext& context) {
    TRY_LET(auto versions, target.versions(service));
    for (const auto& version : versions) {
      if (!kept.contains(version.release))
        TRY(target.remove(version));
      else if (version.release != context.plan.release && version.release != context.plan.live) {
        site_.let_finish(service, version.release, std::chrono::seconds(10), context.stop);
        TRY(target.stop(version, std::chrono::seconds(10)));
      }
    }
    return {};
  }

  Site& site_;
};

}  // namespace

std::unique_ptr<StepKind> make_tag(Site& site) {
  return std::make_unique<Tag>(site);
}
std::unique_ptr<StepKind> make_clean_up(Site& site) {
  return std::make_unique<CleanUp>(site);
}

}  // namespace belay::engine
