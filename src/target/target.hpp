// SPDX-License-Identifier: Apache-2.0
// What hosts a service in an environment. A version is one release of one service. Every act is
// safe to repeat, and status() tells what happened to one whose reply was lost.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/children.hpp"
#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace belay::target {

struct Version {
  std::string service;
  std::string release;  // "prod-20261123-101500"
};

struct Artifact {            // what prepare() makes a version from
  Path source;               // a fresh copy of the commit's tree, ours to move away
  std::string folder = ".";  // the service's part of it
  std::string build = {};    // shell command; empty: nothing to build
  std::string run = {};      // shell command that starts it (host)
  bool worker = false;
  std::string user = {};
  Environment build_env = {};  // no secrets of the environment
  std::string commit = {};     // that `source` is of; empty: not known
  Environment variables = {};  // hosted: set there before it is built; may hold secrets
};

enum class Phase {
  absent,     // nothing is there
  preparing,  // a build runs, or was cut off
  prepared,   // built, not running
  starting,   // running, not known to be ready
  running,    // up
  failed,     // tried, and down
  unknown,    // cannot be told
};

const char* to_string(Phase phase);

struct VersionStatus {
  Phase phase = Phase::absent;
  std::uint16_t port = 0;  // host target: where it answers, on loopback
  bool port_lost = false;  // another program has it; start() gives the version another one
  bool live = false;       // command target: what its `status` says
  int restarts = 0;        // since it was started
  std::string text;        // evidence, for people
};

// A platform's variables beside what a version is to have. Names, each in one of the sets.
struct VariableNames {
  std::set<std::string> added, changed, same;
  std::set<std::string> unreadable;  // there, and the platform does not show its value
  std::set<std::string> others;      // there, and not the version's: they are left alone
};

// Where a version can be asked before customers come to it.
struct Preview {
  std::string url;
  std::map<std::string, std::string> headers;  // that each request must have; may hold secrets
};

using Output = std::function<void(std::string_view)>;

class Target {
 public:
  virtual ~Target() = default;
  // Builds the version, touching nothing that is live. Atomic: prepared, or as good as absent.
  // `key` names the build's child, so that a resumed run adopts it.
  virtual Status prepare(const Version& version, const Artifact& artifact, const std::string& key,
                         const Output& output, std::stop_token stop) = 0;
  // Starts it beside whatever is live, unseen by customers; it outlives Belay and comes back after
  // a reboot. `env` may hold secrets; it is kept only in the version's own env/ folder (0700).
  // Already running: the same answer; one that is being stopped is waited for, and started anew.
  // Command targets have nothing to do here.
  virtual Result<VersionStatus> start(const Version& version, const Environment& env,
                                      std::stop_token stop) = 0;
  // Makes it live. Host targets leave that to the proxy and do nothing.
  virtual Status activate(const Version& version, const Environment& env, const std::string& key,
                          const Output& output, std::stop_token stop) = 0;
  // Back to `version` from whatever is live; command targets run the user's `rollback`.
  virtual Status go_back(const Version& version, const Environment& env, const std::string& key,
                         const Output& output, std::stop_token stop) = 0;
  virtual Result<VersionStatus> status(const Version& version) = 0;
  // SIGTERM, then SIGKILL after `grace`; it stays prepared and does not come back after a reboot.
  virtual Status stop(const Version& version, Millis grace) = 0;
  // Stops it and removes its files and its env. Fine when absent.
  virtual Status remove(const Version& version) = 0;
  // The last `bytes` of what the version wrote.
  virtual Result<std::string> logs(const Version& version, std::size_t bytes) = 0;
  // Versions whose files are here.
  virtual Result<std::vector<Version>> versions(const std::string& service) = 0;
  // The version's own copy of the service's folder, built: a migration runs there. missing when the
  // version is not prepared. (Providers override it.)
  virtual Result<Path> folder(const Version& version) {
    return fail(Fault::missing, version.service + " " + version.release + " has no folder here");
  }
  virtual bool behind_proxy() const = 0;  // traffic is ours to move and to hold
  // Hosted: what setting these variables would change there. Changes nothing. Nothing: none are
  // kept by this target.
  virtual Result<std::optional<VariableNames>> variables(const Environment& /*wanted*/,
                                                         std::stop_token /*stop*/) {
    return std::optional<VariableNames>();
  }
  // Hosted: of a version that is prepared. Nothing: it can be asked only when it is live. refused,
  // with the remedy: the platform would answer in its place.
  virtual Result<std::optional<Preview>> preview(const Version& /*version*/,
                                                 std::stop_token /*stop*/) {
    return std::optional<Preview>();
  }
  // Hosted, where belay.yaml says how: keeps what is live of the service from writing, until it is
  // let go on or a version is made live. Both may be repeated, by whoever goes on.
  virtual bool can_hold() const { return false; }
  virtual Status hold(const std::string& /*service*/, const std::string& /*key*/,
                      const Output& /*output*/, std::stop_token /*stop*/) {
    return {};
  }
  virtual Status let_go_on(const std::string& /*service*/, const std::string& /*key*/,
                           const Output& /*output*/, std::stop_token /*stop*/) {
    return {};
  }
  // After a reboot: starts the supervisor of every version that should run and has none. Fine at
  // any time; the boot unit, the agent and every command may call it.
  virtual Status revive() { return {}; }
};

struct HostConfig {
  Path folder;  // releases/, services/: state of this environment
  int first_port = 20000, last_port = 20999;
  Path log_folder;
  Path own = {};  // the outermost folder of ours around `folder`; empty: itself
};
std::unique_ptr<Target> make_host(HostConfig config, Children& children, Clock& clock);

struct CommandConfig {
  std::string prepare, activate, status, rollback;
  Millis limit = std::chrono::minutes(15);
  Path folder;    // keeps what was prepared
  Path own = {};  // the outermost folder of ours around `folder`; empty: itself
};
std::unique_ptr<Target> make_command(CommandConfig config, Children& children, Clock& clock);

}  // namespace belay::target
