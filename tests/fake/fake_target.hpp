// SPDX-License-Identifier: Apache-2.0
// A target in memory. Calls are named "prepare", "start", "activate", "go_back", "status", "stop",
// "remove", "logs", "hold", "let_go_on" in its fault plan. It stands for the host or, with
// behind_proxy = false, for a command target.
#pragma once

#include <map>
#include <mutex>
#include <set>

#include "target/target.hpp"
#include "tests/fake/fault_plan.hpp"

namespace belay::fake {

class FakeTarget final : public target::Target {
 public:
  explicit FakeTarget(bool behind_proxy = true) : behind_proxy_(behind_proxy) {}

  FaultPlan faults;
  // What a started version of this release becomes; running when not said.
  void becomes(const std::string& release, target::Phase phase);
  // Its next starts find their port taken by somebody else.
  void loses_its_port(const std::string& release, int times);
  // The version dies by itself, as by a crash loop.
  void crash(const target::Version& version);
  // The host goes down and comes up again: what was enabled runs, under its old port.
  void reboot();
  // The last environment it was started or activated with.
  Environment env_of(const target::Version& version) const;
  // Kept by prepare(): what was asked to be built.
  std::optional<target::Artifact> artifact_of(const target::Version& version) const;
  // Releases of `service` that run now.
  std::set<std::string> running(const std::string& service) const;
  std::string live(const std::string& service) const;  // command target
  // As a platform: it can hold what is live, and shows versions there before they are live.
  bool holds = false;
  std::optional<target::Preview> shows;
  bool held() const;

  Status prepare(const target::Version& version, const target::Artifact& artifact,
                 const std::string& key, const target::Output& output,
                 std::stop_token stop) override;
  Result<target::VersionStatus> start(const target::Version& version, const Environment& env,
                                      std::stop_token stop) override;
  Status activate(const target::Version& version, const Environment& env, const std::string& key,
                  const target::Output& output, std::stop_token stop) override;
  Status go_back(const target::Version& version, const Environment& env, const std::string& key,
                 const target::Output& output, std::stop_token stop) override;
  Result<target::VersionStatus> status(const target::Version& version) override;
  Status stop(const target::Version& version, Millis grace) override;
  Status remove(const target::Version& version) override;
  Result<std::string> logs(const target::Version& version, std::size_t bytes) override;
  Result<std::vector<target::Version>> versions(const std::string& service) override;
  Result<Path> folder(const target::Version& version) override;
  bool behind_proxy() const override { return behind_proxy_; }
  Result<std::optional<target::Preview>> preview(const target::Version&, std::stop_token) override {
    return shows;
  }
  bool can_hold() const override { return holds; }
  Status hold(const std::string& service, const std::string& key, const target::Output& output,
              std::stop_token stop) override;
  Status let_go_on(const std::string& service, const std::string& key, const target::Output& output,
                   std::stop_token stop) override;

 private:
  using Key = std::pair<std::string, std::string>;
  struct Entry {
    target::Artifact artifact;
    target::Phase phase = target::Phase::prepared;
    std::uint16_t port = 0;
    bool port_lost = false;
    Environment env;
    std::string log;
  };
  static Key key_of(const target::Version& version) { return {version.service, version.release}; }
  Entry* find(const target::Version& version);
  Status make_live(const target::Version& version, const Environment& env);
  target::VersionStatus shown(const target::Version& version, const Entry& entry) const;

  const bool behind_proxy_;
  mutable std::mutex lock_;
  std::map<Key, Entry> entries_;
  std::map<std::string, target::Phase> becomes_;
  std::map<std::string, int> losses_;
  std::map<std::string, std::string> live_;
  bool held_ = false;
  std::uint16_t next_port_ = 20000;
};

}  // namespace belay::fake
