// SPDX-License-Identifier: Apache-2.0
// With the lock in hand: is what was planned, and approved, still what there is?
#include "engine/steps/steps.hpp"
#include "engine/votes.hpp"

namespace belay::engine {

namespace {

class Recheck final : public StepKind {
 public:
  explicit Recheck(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    if (context.plan.pipeline == "deploy" && site_.source == nullptr) {
      return fail(Fault::missing,
                  "the work tree that " + context.plan.ref +
                      " was read from cannot be read now, so whether it moved cannot be told");
    }
    TRY_LET(const auto changed, why_changed(*site_.journal, site_.source, context.plan));
    if (!changed.empty()) return fail(Fault::conflict, changed + "; plan anew");
    return Json{{"live", context.plan.live}};
  }

 private:
  Site& site_;
};

}  // namespace

std::unique_ptr<StepKind> make_recheck(Site& site) {
  return std::make_unique<Recheck>(site);
}

}  // namespace belay::engine
