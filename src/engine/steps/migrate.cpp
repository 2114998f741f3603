// SPDX-License-Identifier: Apache-2.0
// Runs the release's migration once. One that nobody saw ending is never run again: its step
// fails, and the way back rewinds what it may have done.
#include <fmt/format.h>

#include "base/accounts.hpp"
#include "base/text.hpp"
#include "engine/steps/child.hpp"
#include "engine/steps/prepare.hpp"
#include "engine/steps/steps.hpp"

namespace belay::engine {

namespace {

class Migrate final : public StepKind {
 public:
  explicit Migrate(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    const auto* found = site_.migration(context.plan.release);
    if (found == nullptr || site_.placement(found->in) == nullptr) {
      return fail(
          Fault::missing,
          fmt::format("the migration of {} has no service to run in: {} places no \"{}\"",
                      context.plan.release, site_.environment, found == nullptr ? "" : found->in));
    }
    const auto& migration = *found;
    const target::Version version{migration.in, context.plan.release};
    TRY_LET(auto folder, folder_of(version, context));
    TRY_LET(auto env, site_.migration_environment(context.plan.release));
    const auto user = site_.user_of(context.plan.release, version.service);
    auto output =
        run_child(context, {migration.run, folder, environment_for(user, site_.own, std::move(env)),
                            user, migration.limit});
    if (!output && output.error().fault == Fault::cancelled) return std::move(output).error();
    TRY(remove_copies(site_.work, context));
    if (!output) return std::move(output).error();
    const auto text = trim(*output);
    const auto last =
        text.substr(text.rfind('\n') == std::string_view::npos ? 0 : text.rfind('\n') + 1);
    return Json{{"summary", std::string(last.substr(0, 100))}};
  }

  Result<Checked> check(const StepContext& context) override { return check_child(context); }
  Status abandon(const StepContext& context) override {
    return context.world.children.end(context.key, std::chrono::seconds(10));
  }

 private:
  // Where the release was built, or a copy of its commit where a platform has built it.
  Result<Path> folder_of(const target::Version& version, const StepContext& context) {
    const auto* placed = site_.placement(version.service);
    if (!is_hosted(*placed)) {
      TRY(prepare_here(site_, context, version));
      return site_.target(version.service).folder(version);
    }
    const Path inside = site_.service(version.release, version.service).path;
    TRY_LET(const auto before, context.world.children.look(context.key));
    if (before.state != ChildState::absent)
      return (copy_folder(site_.work, context) / site_.prefix / inside).lexically_normal();
    TRY_LET(const auto copy,
            copy_for(site_, context, site_.user_of(version.release, version.service)));
    return (copy / inside).lexically_normal();
  }

  Site& site_;
};

}  // namespace

std::unique_ptr<StepKind> make_migrate(Site& site) {
  return std::make_unique<Migrate>(site);
}

}  // namespace belay::engine
