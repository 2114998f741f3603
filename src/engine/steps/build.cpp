// SPDX-License-Identifier: Apache-2.0
// Builds one service of the release in a fresh copy of the commit; nothing live is touched.
#include "engine/steps/child.hpp"
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
    const auto& service = site_.service(context.plan.release, name);
    const target::Version version{name, context.plan.release};
    auto& target = site_.target(name);
    auto artifact = artifact_of(context, service);
    TRY_LET(auto before, target.status(version));
    const bool there =
        before.phase == target::Phase::prepared || before.phase == target::Phase::running;
    if (!there) {
      TRY_LET(artifact.source, copy(context));
    }
    TRY(target.prepare(
        version, artifact, context.key,
        [&](std::string_view text) { context.reporter.output(context.run, context.step, text); },
        context.stop));
    return there ? Json{{"summary", "built already"}} : Json(Json::object());
  }

  Result<Path> copy(const StepContext& context) {
    const Path folder = copy_folder(site_.work, context);
    TRY(remove_tree(folder));
    TRY(site_.source->copy(context.plan.commit, folder));
    return folder;
  }

  target::Artifact artifact_of(const StepContext& context, const pipeline::Service& service) {
    target::Artifact artifact;
    artifact.commit = context.plan.commit;
    artifact.folder = (site_.prefix / service.path).lexically_normal().string();
    artifact.build = service.build;
    artifact.run = service.run;
    artifact.worker = service.kind == pipeline::Service::Kind::worker;
    artifact.user = site_.user_of(context.plan.release, service.name);
    artifact.build_env = site_.plain_environment;
    artifact.build_env["BELAY_PROJECT"] = site_.present.project;
    artifact.build_env["BELAY_ENVIRONMENT"] = site_.environment;
    return artifact;
  }

  Site& site_;
};

}  // namespace

std::unique_ptr<StepKind> make_build(Site& site) {
  return std::make_unique<Build>(site);
}

}  // namespace belay::engine
