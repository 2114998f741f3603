// SPDX-License-Identifier: Apache-2.0
// Discarded writes put back where nobody has changed the document since: belay salvage apply. Done
// again it goes on: what is back already is left as it is.
#include <fmt/format.h>

#include "engine/points.hpp"
#include "engine/put_back.hpp"
#include "engine/steps/steps.hpp"

namespace belay::engine {

namespace {

class Apply final : public StepKind {
 public:
  explicit Apply(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    const auto& args = context.step.args;
    TRY_LET(const auto salvage, salvage_meant(site_, {{"undo", args.at("apply")}}, context.run));
    TRY_LET(const auto choice, apply_choice(args));
    const bool look = args.value("only_look", false);
    TRY_LET(const auto report, (look ? vault::preview_apply : vault::apply_salvage)(
                                   *site_.database, *site_.vault, salvage, choice, context.stop));
    for (const auto& conflict : report.conflicts) context.say("left alone: " + conflict);
    auto result = to_json(report);
    result["salvage"] = salvage;
    result["summary"] = (look ? "would be: " : "") + put_back_text(result);
    return result;
  }

 private:
  Site& site_;
};

}  // namespace

std::unique_ptr<StepKind> make_apply(Site& site) {
  return std::make_unique<Apply>(site);
}

}  // namespace belay::engine
