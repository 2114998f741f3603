// SPDX-License-Identifier: Apache-2.0
#include "app/upkeep.hpp"

#include "app/plan_sources.hpp"
#include "app/wire.hpp"
#include "engine/releases.hpp"
#include "pipeline/yaml_tree.hpp"

namespace belay::app {

namespace {

constexpr Millis grace = std::chrono::seconds(10);
constexpr Wanted services_only{false, true, false};

Result<bool> has_open_run(journal::Journal& journal, const std::string& environment) {
  TRY_LET(auto rows, journal.open_runs());
  return std::any_of(rows.begin(), rows.end(),
                     [&](const auto& row) { return row.environment == environment; });
}

bool runs(const Result<target::VersionStatus>& status) {
  return status && status->phase != target::Phase::prepared &&
         status->phase != target::Phase::preparing && status->phase != target::Phase::absent;
}

}  // namespace

Status revive(const Places& places, World& world) {
  Status first;
  const auto tell = [&](Status done, const Path& environment) {
    if (!done && first) first = std::move(done).in(environment.filename().string());
  };
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(places.environments(), code)) {
    const Path& folder = entry.path();
    target::HostConfig host;
    host.folder = folder;
    host.log_folder = folder / "logs";
    tell(traffic::make_haproxy({folder / "proxy", folder / "logs"}, world.clock)
             ->revive()
             .in("the proxy"),
         folder);
    tell(target::make_host(std::move(host), world.children, world.clock)->revive(), folder);
  }
  return first;
}

Result<Places> places_despite_faults(const std::optional<Path>& named, const Path& here,
                                     const Getenv& env) {
  TRY_LET(const Path file, find_project_file(named, here));
  TRY_LET(const std::string text, read_file(file));
  const auto tree = pipeline::read_yaml(text);
  const auto& root = tree.root;
  std::map<std::string, std::string> found;
  if (tree.complaints.empty() && root.kind == pipeline::YamlValue::Kind::map) {
    for (std::size_t i = 0; i < root.keys.size(); ++i)
      found[root.keys[i].text] = root.items.at(i).text;
  }
  if (found["project"].empty() || found["project"].find('/') != std::string::npos)
    return fail(Fault::invalid, file.string() + " does not tell its project; write `project:`");
  return places_of(found["project"], found["state"], file.parent_path(), env);
}

Result<std::vector<std::string>> stop_the_cold(Desk& desk, const std::string& environment) {
  std::vector<std::string> stopped;
  TRY_LET(auto releases, releases_of(desk, environment));
  TRY_LET(const auto* env, environment_of(desk.project.spec, environment));
  if (!releases.live) return stopped;
  if (desk.world().clock.now() < releases.live_since + env->rollback.keep_warm) return stopped;
  TRY_LET(auto works, wire_present(desk, environment, services_only));
  for (const auto& [service, target] : works->site.targets) {
    TRY_LET(auto versions, target->versions(service));
    for (const auto& version : versions) {
      if (version.release == releases.live->tag || !runs(target->status(version))) continue;
      // Asked each time: a run that begins meanwhile may want this very version.
      TRY_LET(const bool busy, has_open_run(*desk.journal, environment));
      if (busy) return stopped;
      works->site.let_finish(service, version.release, grace, {});
      TRY(target->stop(version, grace));
      stopped.push_back(service + " of " + version.release);
    }
  }
  return stopped;
}

}  // namespace belay::app
