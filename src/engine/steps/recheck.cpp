// SPDX-License-Identifier: Apache-2.0
// With the lock in hand: is what was planned, and approved, still what there is?
#include <fmt/format.h>

#include "engine/releases.hpp"
#include "engine/steps/steps.hpp"

namespace belay::engine {

namespace {

class Recheck final : public StepKind {
 public:
  explicit Recheck(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    TRY_LET(auto releases, read_releases(*site_.journal, site_.environment));
    const std::string live = releases.live ? releases.live->tag : "";
    if (live != context.plan.live) {
      return fail(Fault::conflict,
                  fmt::format("{} is live now, and the plan was made over {}; plan anew",
                              live.empty() ? "nothing" : live,
                              context.plan.live.empty() ? "nothing" : context.plan.live));
    }
    TRY(ref_is_where_it_was(context));
    return Json{{"live", live}};
  }

 private:
  Status ref_is_where_it_was(const StepContext& context) {
    if (context.plan.pipeline != "deploy" || site_.source == nullptr) return {};
    TRY_LET(auto commit, site_.source->resolve(context.plan.ref));
    if (commit.id == context.plan.commit) return {};
    return fail(Fault::conflict,
                fmt::format("{} moved from {} to {}; plan anew", context.plan.ref,
                            context.plan.commit.substr(0, 7), commit.id.substr(0, 7)));
  }

  Site& site_;
};

}  // namespace

std::unique_ptr<StepKind> make_recheck(Site& site) {
  return std::make_unique<Recheck>(site);
}

}  // namespace belay::engine
