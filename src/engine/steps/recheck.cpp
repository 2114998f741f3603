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
    TRY(routes_can_be_had(context));
    return Json{{"live", context.plan.live}};
  }

 private:
  // An address that another program has, or a certificate that cannot be read, is told before
  // anything is touched. Going back does not wait for that.
  Status routes_can_be_had(const StepContext& context) {
    if (context.plan.pipeline != "deploy" || site_.traffic == nullptr) return {};
    const Status can = site_.traffic->can_install(site_.routes());
    if (can) return {};
    return fail(can.error().fault == Fault::conflict ? Fault::refused : can.error().fault,
                can.error().message());
  }

  Site& site_;
};

}  // namespace

std::unique_ptr<StepKind> make_recheck(Site& site) {
  return std::make_unique<Recheck>(site);
}

}  // namespace belay::engine
