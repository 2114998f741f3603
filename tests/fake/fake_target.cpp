// SPDX-License-Identifier: Apache-2.0
#include "tests/fake/fake_target.hpp"

#include <fmt/format.h>

namespace belay::fake {

using target::Artifact;
using target::Output;
using target::Phase;
using target::Version;
using target::VersionStatus;

namespace {

bool is_up(Phase phase) {
  return phase == Phase::running || phase == Phase::starting;
}

Error not_there(const Version& version) {
  return fail(Fault::missing,
              version.service + " " + version.release + " was not prepared here; prepare it first");
}

}  // namespace

FakeTarget::Entry* FakeTarget::find(const Version& version) {
  const auto found = entries_.find(key_of(version));
  return found == entries_.end() ? nullptr : &found->second;
}

void FakeTarget::becomes(const std::string& release, Phase phase) {
  std::lock_guard guard(lock_);
  becomes_[release] = phase;
}

void FakeTarget::loses_its_port(const std::string& release, int times) {
  std::lock_guard guard(lock_);
  losses_[release] = times;
}

void FakeTarget::crash(const Version& version) {
  std::lock_guard guard(lock_);
  if (Entry* entry = find(version)) entry->phase = Phase::failed;
}

void FakeTarget::reboot() {}  // everything enabled comes back as it was

Environment FakeTarget::env_of(const Version& version) const {
  std::lock_guard guard(lock_);
  const auto found = entries_.find(key_of(version));
  return found == entries_.end() ? Environment{} : found->second.env;
}

std::optional<Artifact> FakeTarget::artifact_of(const Version& version) const {
  std::lock_guard guard(lock_);
  const auto found = entries_.find(key_of(version));
  if (found == entries_.end()) return std::nullopt;
  return found->second.artifact;
}

std::set<std::string> FakeTarget::running(const std::string& service) const {
  std::lock_guard guard(lock_);
  std::set<std::string> releases;
  for (const auto& [key, entry] : entries_) {
    if (key.first == service && is_up(entry.phase)) releases.insert(key.second);
  }
  return releases;
}

std::string FakeTarget::live(const std::string& service) const {
  std::lock_guard guard(lock_);
  const auto found = live_.find(service);
  return found == live_.end() ? "" : found->second;
}

Status FakeTarget::prepare(const Version& version, const Artifact& artifact, const std::string&,
                           const Output& output, std::stop_token stop) {
  return faults.act<Status>(
      "prepare", stop,
      [&]() -> Status {
        std::lock_guard guard(lock_);
        if (const auto* there = find(version)) {
          if (there->artifact.commit == artifact.commit) return {};
          return fail(Fault::conflict, version.service + " is there, of another commit");
        }
        // The one thing a build in memory can do is fail.
        if (artifact.build == "false" || artifact.build.starts_with("exit ")) {
          return fail(Fault::refused,
                      "the build of " + version.service + " failed: " + artifact.build);
        }
        if (output && !artifact.build.empty()) output("built\n");
        Entry entry;
        entry.artifact = artifact;
        entries_.emplace(key_of(version), std::move(entry));
        return {};
      },
      {});
}

VersionStatus FakeTarget::shown(const Version& version, const Entry& entry) const {
  VersionStatus status;
  status.phase = entry.phase;
  status.port = entry.port;
  const auto live = live_.find(version.service);
  status.live = live != live_.end() && live->second == version.release;
  status.port_lost = entry.port_lost;
  status.text = entry.phase == Phase::failed ? "it ended with status 1" : "";
  if (entry.port_lost) status.text = fmt::format("port {} is taken by nginx", entry.port);
  return status;
}

Result<VersionStatus> FakeTarget::start(const Version& version, const Environment& env,
                                        std::stop_token stop) {
  VersionStatus lied;
  lied.phase = Phase::running;
  lied.port = 1;
  return faults.act<Result<VersionStatus>>(
      "start", stop,
      [&]() -> Result<VersionStatus> {
        std::lock_guard guard(lock_);
        Entry* entry = find(version);
        if (!entry) return not_there(version);
        if (!behind_proxy_ || is_up(entry->phase)) return shown(version, *entry);
        const auto planned = becomes_.find(version.release);
        entry->phase = planned == becomes_.end() ? Phase::running : planned->second;
        if ((entry->port == 0 || entry->port_lost) && !entry->artifact.worker)
          entry->port = next_port_++;
        entry->port_lost = losses_[version.release]-- > 0;
        if (entry->port_lost) entry->phase = Phase::failed;
        entry->env = env;
        entry->log += "started\n";
        return shown(version, *entry);
      },
      lied);
}

Status FakeTarget::make_live(const Version& version, const Environment& env) {
  std::lock_guard guard(lock_);
  Entry* entry = find(version);
  if (!entry) return not_there(version);
  if (behind_proxy_) return {};
  held_ = false;
  entry->env = env;
  entry->phase = Phase::running;
  const std::string before = std::exchange(live_[version.service], version.release);
  if (!before.empty() && before != version.release) {
    entries_[{version.service, before}].phase = Phase::prepared;
  }
  return {};
}

Status FakeTarget::activate(const Version& version, const Environment& env, const std::string&,
                            const Output&, std::stop_token stop) {
  return faults.act<Status>("activate", stop, [&] { return make_live(version, env); }, {});
}

Status FakeTarget::go_back(const Version& version, const Environment& env, const std::string&,
                           const Output&, std::stop_token stop) {
  return faults.act<Status>("go_back", stop, [&] { return make_live(version, env); }, {});
}

Result<VersionStatus> FakeTarget::status(const Version& version) {
  return faults.act<Result<VersionStatus>>(
      "status", {},
      [&]() -> Result<VersionStatus> {
        std::lock_guard guard(lock_);
        Entry* entry = find(version);
        return entry ? shown(version, *entry) : VersionStatus{};
      },
      VersionStatus{});
}

Status FakeTarget::stop(const Version& version, Millis) {
  return faults.act<Status>("stop", {},
                            [&]() -> Status {
                              std::lock_guard guard(lock_);
                              if (Entry* entry = find(version); entry && behind_proxy_) {
                                entry->phase = Phase::prepared;
                                entry->port = 0;
                              }
                              return {};
                            },
                            {});
}

Status FakeTarget::remove(const Version& version) {
  return faults.act<Status>("remove", {},
                            [&]() -> Status {
                              std::lock_guard guard(lock_);
                              entries_.erase(key_of(version));
                              if (const auto live = live_.find(version.service);
                                  live != live_.end() && live->second == version.release) {
                                live_.erase(live);
                              }
                              return {};
                            },
                            {});
}

Result<std::string> FakeTarget::logs(const Version& version, std::size_t bytes) {
  return faults.act<Result<std::string>>(
      "logs", {},
      [&]() -> Result<std::string> {
        std::lock_guard guard(lock_);
        const Entry* entry = find(version);
        if (!entry) return not_there(version);
        const std::size_t skip = entry->log.size() > bytes ? entry->log.size() - bytes : 0;
        return entry->log.substr(skip);
      },
      std::string());
}

bool FakeTarget::held() const {
  std::lock_guard guard(lock_);
  return held_;
}

Status FakeTarget::hold(const std::string&, const std::string&, const Output&,
                        std::stop_token stop) {
  return faults.act<Status>("hold", stop,
                            [&]() -> Status {
                              std::lock_guard guard(lock_);
                              held_ = true;
                              return {};
                            },
                            {});
}

Status FakeTarget::let_go_on(const std::string&, const std::string&, const Output&,
                             std::stop_token stop) {
  return faults.act<Status>("let_go_on", stop,
                            [&]() -> Status {
                              std::lock_guard guard(lock_);
                              held_ = false;
                              return {};
                            },
                            {});
}

Result<Path> FakeTarget::folder(const Version& version) {
  std::lock_guard guard(lock_);
  const Entry* entry = find(version);
  if (!entry) return not_there(version);
  return entry->artifact.source / entry->artifact.folder;
}

Result<std::vector<Version>> FakeTarget::versions(const std::string& service) {
  std::lock_guard guard(lock_);
  std::vector<Version> found;
  for (const auto& [key, entry] : entries_) {
    if (key.first == service) found.push_back({key.first, key.second});
  }
  return found;
}

}  // namespace belay::fake
