// SPDX-License-Identifier: Apache-2.0
// Builds one service of the release in a fresh copy of the commit; nothing live is touched.
#include "engine/steps/child.hpp"
#include "engine/steps/prepare.hpp"
#include "engine/steps/steps.hpp"

namespace belay::engine {

namespace {

class Build final : public StepKind {
 public:
  explicit Build(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    auto built = build(context);
    if (!built && built.error().fault == Fault::cancelled) return built;
    TRY(remove_copies(site_.work, context));
    return built;
  }

  // prepare() takes over the build that runs under the same key.
  Result<Checked> check(const StepContext& context) override {
    return check_harmless_child(context);
  }
  Status abandon(const StepContext& context) override {
    TRY(context.world.children.end(context.key, std::chrono::seconds(5)));
    static_cast<void>(remove_copies(site_.work, context).ok());
    return {};
  }

 private:
  Result<Json> build(const StepContext& context) {
    const auto name = context.step.args.at("service").get<std::string>();
    TRY_LET(const bool built, prepare_version(site_, context, {name, context.plan.release},
                                              context.plan.commit, context.key));
    return built ? Json(Json::object()) : Json{{"summary", "built already"}};
  }

  Site& site_;
};

}  // namespace

std::unique_ptr<StepKind> make_build(Site& site) {
  return std::make_unique<Build>(site);
}

}  // namespace belay::engine
