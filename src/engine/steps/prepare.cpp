// SPDX-License-Identifier: Apache-2.0
#include "engine/steps/prepare.hpp"

#include <fmt/format.h>

#include "base/accounts.hpp"
#include "engine/steps/child.hpp"
#include "engine/steps/steps.hpp"

namespace belay::engine {

namespace {

bool is_at_vercel(const Site& site, const std::string& service) {
  const auto* placed = site.placement(service);
  return placed != nullptr && placed->target == pipeline::Placement::Target::vercel;
}

Result<target::Artifact> artifact_of(const Site& site, const target::Version& version,
                                     const std::string& commit) {
  const auto& service = site.service(version.release, version.service);
  target::Artifact artifact;
  artifact.commit = commit;
  artifact.folder = (site.prefix / service.path).lexically_normal().string();
  artifact.build = service.build;
  artifact.run = service.run;
  artifact.worker = service.kind == pipeline::Service::Kind::worker;
  artifact.user = site.user_of(version.release, service.name);
  artifact.build_env = site.plain_environment;
  artifact.build_env["BELAY_PROJECT"] = site.present.project;
  artifact.build_env["BELAY_ENVIRONMENT"] = site.environment;
  if (is_at_vercel(site, version.service)) {
    TRY_LET(artifact.variables, site.environment_of(version.service, version.release));
  }
  return artifact;
}

bool is_here(const target::VersionStatus& status) {
  return status.phase != target::Phase::absent && status.phase != target::Phase::preparing;
}

}  // namespace

Result<bool> prepare_version(Site& site, const StepContext& context, const target::Version& version,
                             const std::string& commit, const std::string& key) {
  auto& target = site.target(version.service);
  TRY_LET(auto artifact, artifact_of(site, version, commit));
  TRY_LET(auto before, target.status(version));
  const bool there =
      before.phase == target::Phase::prepared || before.phase == target::Phase::running;
  if (!there) {
    artifact.source = copy_folder(site.work, context);
    TRY(remove_tree(artifact.source));
    TRY(site.source->copy(commit, artifact.source));
    // Its variables are built in there: what it has is what it had then.
    if (is_at_vercel(site, version.service)) keep_fingerprints(site, version, context);
  }
  TRY(target.prepare(
      version, artifact, key,
      [&](std::string_view text) { context.reporter.output(context.run, context.step, text); },
      context.stop));
  return !there;
}

Result<Path> copy_for(Site& site, const StepContext& context, const std::string& user) {
  const Path folder = copy_folder(site.work, context);
  TRY(remove_tree(folder));
  TRY(site.source->copy(context.plan.commit, folder));
  TRY(open_way(site.own, site.work, user));
  TRY(make_home(site.own, user));
  TRY(give_to(folder, user));
  return folder / site.prefix;
}

Status prepare_here(Site& site, const StepContext& context, const target::Version& version) {
  const auto* placed = site.placement(version.service);
  if (placed == nullptr || is_hosted(*placed)) return {};
  TRY_LET(const auto status, site.target(version.service).status(version));
  if (is_here(status)) return {};
  const auto commit = site.commits.find(version.release);
  if (commit == site.commits.end() || site.source == nullptr)
    return fail(Fault::missing,
                fmt::format("the files of {} {} are not on this machine, and which commit they "
                            "were built from is not known",
                            version.service, version.release));
  context.say(fmt::format("{} {} is built anew: its files are not on this machine", version.service,
                          version.release));
  auto built = prepare_version(site, context, version, commit->second,
                               fmt::format("{}.{}.files", context.key, version.service));
  if (!built && built.error().fault == Fault::cancelled) return std::move(built).error();
  TRY(remove_copies(site.work, context));
  if (!built) return std::move(built).error();
  return {};
}

}  // namespace belay::engine
