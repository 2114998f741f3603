// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>

#include "base/listeners.hpp"
#include "base/runit.hpp"
#include "base/text.hpp"
#include "target/ports.hpp"
#include "target/version_files.hpp"

namespace belay::target {

namespace fs = std::filesystem;

namespace {

constexpr Millis settles = std::chrono::seconds(3);

// Is one of them the program's own? A program between two lives has the process id 0, and the
// session of whoever came into a container from outside is 0 too: no reason to take it for ours.
bool has_one_of(const std::vector<Listener>& found, const Supervision& program) {
  return program.pid > 0 && std::any_of(found.begin(), found.end(), [&](const Listener& one) {
           return one.session == program.pid;
         });
}

// A signal should reach the program, not a shell in front of it. `exec` fits a simple command
// only; the group's signals reach the others.
bool is_simple(std::string_view command) {
  if (command.find_first_of("&|;<>()`\n{}") != std::string_view::npos) return false;
  const auto words = split(trim(command), ' ');
  static const std::set<std::string, std::less<>> shell_words{
      "if",   "for",    "while", "until", "case", "cd",     ".",     "source",
      "set",  "export", "exec",  "eval",  "trap", "ulimit", "umask", "!",
      "test", "[",      "exit",  "time",  "true", "false",  ":"};
  return words[0].find('=') == std::string::npos && !shell_words.contains(words[0]);
}

// chpst ends a value at its first line break, turns NUL into one, drops blanks at the end, and
// takes an empty file for "not set".
Result<std::string> envdir_file(const std::string& name, const std::string& value) {
  if (name.empty() || name.front() == '.' || name.find_first_of("=/\n") != std::string::npos ||
      name.find('\0') != std::string::npos) {
    return fail(Fault::invalid, fmt::format("\"{}\" cannot name a variable", name));
  }
  if (value.find('\0') != std::string::npos) {
    return fail(Fault::invalid, fmt::format("the value of {} holds a zero byte: no environment "
                                            "can",
                                            name));
  }
  if (!value.empty() && (value.back() == ' ' || value.back() == '\t')) {
    return fail(Fault::invalid,
                fmt::format("the value of {} ends with a blank, which the service's "
                            "supervisor would cut off; take it away",
                            name));
  }
  std::string text = value;
  std::replace(text.begin(), text.end(), '\n', '\0');
  return text + "\n";
}

Status put(const Path& path, const std::string& text) {
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return errno_error(errno, "cannot create " + path.string());
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return errno_error(errno == 0 ? ENOSPC : errno, "cannot write " + path.string());
  }
  if (::fsync(file.get()) != 0) return errno_error(errno, "cannot sync " + path.string());
  return {};
}

// Whole or not there.
Status write_envdir(const Path& folder, const Environment& env) {
  Path fresh = folder;
  fresh += ".new";
  TRY(remove_tree(fresh));
  TRY(make_folder(fresh));
  for (const auto& [name, value] : env) {
    TRY_LET(const std::string text, envdir_file(name, value));
    TRY(put(fresh / name, text));
  }
  TRY(sync_folder(fresh));
  TRY(remove_tree(folder));
  if (::rename(fresh.c_str(), folder.c_str()) != 0)
    return errno_error(errno, "cannot create " + folder.string());
  return sync_folder(folder.parent_path());
}

class Host final : public Target {
 public:
  Host(HostConfig config, Children& children, Clock& clock)
      : config_(std::move(config)), children_(children), clock_(clock) {
    config_.folder = fs::absolute(config_.folder).lexically_normal();
    if (config_.own.empty()) config_.own = config_.folder;
    config_.log_folder = fs::absolute(config_.log_folder).lexically_normal();
  }

  Status prepare(const Version& version, const Artifact& artifact, const std::string& key,
                 const Output& output, std::stop_token stop) override;
  Result<VersionStatus> start(const Version& version, const Environment& env,
                              std::stop_token stop) override;
  Status activate(const Version&, const Environment&, const std::string&, const Output&,
                  std::stop_token) override {
    return {};
  }
  Status go_back(const Version&, const Environment&, const std::string&, const Output&,
                 std::stop_token) override {
    return {};
  }
  Result<VersionStatus> status(const Version& version) override;
  Status stop(const Version& version, Millis grace) override;
  Status remove(const Version& version) override;
  Result<std::string> logs(const Version& version, std::size_t bytes) override;
  Result<std::vector<Version>> versions(const std::string& service) override;
  Result<Path> folder(const Version& version) override;
  bool behind_proxy() const override { return true; }
  Status revive() override;

 private:
  static std::string name_of(const Version& version) {
    return version.service + "@" + version.release;
  }
  Path service_folder(const Version& version) const {
    return config_.folder / "services" / name_of(version);
  }
  VersionFiles files(const Version& version) const {
    return VersionFiles(version, config_.own,
                        config_.folder / "releases" / version.release / version.service,
                        config_.log_folder / (name_of(version) + ".build.log"));
  }
  Supervised supervised(const std::string& name) const {
    return Supervised(name, config_.folder / "services" / name, config_.log_folder / name, clock_);
  }
  Ports ports() const { return {config_.folder, config_.first_port, config_.last_port}; }
  Result<Fd> lock(const Version& version) const;
  Status end(const Version& version, Millis grace);
  bool is_at_work(const Version& version, const VersionStatus& now) const;
  std::string run_script(const Version& version, const Json& record) const;
  Environment full_env(const Version& version, const Environment& env, const Json& record,
                       std::uint16_t port) const;
  VersionStatus running_status(const Version& version, const Json& record,
                               const Supervision& now) const;
  void judge_port(VersionStatus& status, const Supervision& now) const;
  bool has_lost_port(const Version& version, std::uint16_t port) const;
  std::string evidence(const Version& version) const;

  HostConfig config_;
  Children& children_;
  Clock& clock_;
};

Status Host::prepare(const Version& version, const Artifact& artifact, const std::string& key,
                     const Output& output, std::stop_token stop) {
  TRY(check_version(version));
  if (artifact.run.empty()) {
    return fail(Fault::invalid, version.service + " has no `run:`, so nothing could be started");
  }
  const Json record{{"folder", artifact.folder},
                    {"run", artifact.run},
                    {"worker", artifact.worker},
                    {"user", artifact.user}};
  return files(version).prepare(artifact, key, {artifact.build, artifact.build_env}, record,
                                children_, output, stop);
}

std::string Host::run_script(const Version& version, const Json& record) const {
  const Path folder = files(version).tree() / record.value("folder", ".");
  const std::string command = record.value("run", "");
  const std::string user = ::geteuid() == 0 ? record.value("user", "") : "";
  return fmt::format("env=$PWD/env\ncd {} || exit 111\nexec chpst -P -e \"$env\" {}/bin/sh -c {}\n",
                     shell_quoted(folder.lexically_normal().string()),
                     user.empty() ? "" : "-u " + shell_quoted(user) + " ",
                     shell_quoted(is_simple(command) ? "exec " + command : command));
}

Environment Host::full_env(const Version& version, const Environment& env, const Json& record,
                           std::uint16_t port) const {
  Environment all = with_basics(env, config_.own, ::geteuid() == 0 ? record.value("user", "") : "");
  all["BELAY_RELEASE"] = version.release;
  all["BELAY_SERVICE"] = version.service;
  all.erase("PORT");
  if (port == 0) return all;
  all["HOST"] = "127.0.0.1";
  all["PORT"] = std::to_string(port);
  return all;
}

// Held while a version is started or ended: what one process puts there, another would take away.
Result<Fd> Host::lock(const Version& version) const {
  TRY(make_folder(service_folder(version)));
  const Path path = service_folder(version) / "lock";
  Fd held(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!held || ::flock(held.get(), LOCK_EX) != 0) {
    return errno_error(errno, "cannot lock " + path.string());
  }
  return held;
}

// One that is being stopped still answers, and does not count.
bool Host::is_at_work(const Version& version, const VersionStatus& now) const {
  return (now.phase == Phase::running || now.phase == Phase::starting) && !now.port_lost &&
         supervised(name_of(version)).enabled();
}

Result<VersionStatus> Host::start(const Version& version, const Environment& env, std::stop_token) {
  TRY(check_version(version));
  TRY_LET(const Json record, files(version).record());
  TRY_LET(const Fd held, lock(version));
  TRY_LET(const VersionStatus before, status(version));
  if (is_at_work(version, before)) return before;
  TRY(end(version, std::chrono::seconds(10)));
  std::uint16_t port = 0;
  if (!record.value("worker", false)) {
    TRY_LET(port, ports().assign(service_folder(version)));
  }
  TRY(write_envdir(service_folder(version) / "env", full_env(version, env, record, port)));
  Supervised program = supervised(name_of(version));
  TRY(program.write(run_script(version, record)));
  TRY(program.start());
  return status(version);
}

std::string Host::evidence(const Version& version) const {
  const auto log = supervised(name_of(version)).log(8192);
  return log ? last_lines(*log, 10) : "";
}

// Somebody else on our port would answer the checks in our place.
void Host::judge_port(VersionStatus& status, const Supervision& now) const {
  status.phase = Phase::starting;
  const auto found = listeners(status.port);
  if (found.empty()) {
    status.text = fmt::format("it runs, and does not listen on port {} yet (PORT)", status.port);
    return;
  }
  const bool unknown = found.front().pid == 0;
  if (!unknown && !has_one_of(found, now)) {
    status.text = fmt::format("port {} is taken by {}", status.port, holder_of(status.port));
    status.port_lost = now.since >= settles;
  } else if (!answers(status.port)) {
    status.text = fmt::format("it listens on port {}, and not on 127.0.0.1 (HOST)", status.port);
  } else {
    status.phase = Phase::running;
  }
}

// Its own program may be starting again at this very moment.
bool Host::has_lost_port(const Version& version, std::uint16_t port) const {
  if (port == 0) return false;
  const auto found = listeners(port);
  const auto now = supervised(name_of(version)).look();
  return !found.empty() && now && !has_one_of(found, *now);
}

VersionStatus Host::running_status(const Version& version, const Json& record,
                                   const Supervision& now) const {
  VersionStatus status;
  status.port = Ports::of(service_folder(version));
  status.restarts = now.ended;
  if (!now.supervised) {
    status.phase = Phase::failed;
    status.text = "it should run, and its supervisor is gone; `belay agent` starts it again";
  } else if (now.crash_looping) {
    status.phase = Phase::failed;
    status.text = fmt::format("it ended {} times, last with {}; its last lines:\n{}", now.ended,
                              now.last_end, evidence(version));
    status.port_lost = has_lost_port(version, status.port);
    if (status.port_lost)
      status.text = fmt::format("port {} is taken by {}; {}", status.port, holder_of(status.port),
                                status.text);
  } else if (!now.up) {
    status.phase = Phase::starting;
    if (now.ended > 0) {
      status.text = fmt::format("it ended with {}, and is started again; its last lines:\n{}",
                                now.last_end, evidence(version));
    }
  } else if (record.value("worker", false)) {
    status.phase = now.since >= settles ? Phase::running : Phase::starting;
  } else {
    judge_port(status, now);
  }
  return status;
}

Result<VersionStatus> Host::status(const Version& version) {
  TRY(check_version(version));
  const VersionFiles here = files(version);
  VersionStatus status;
  if (!here.prepared()) {
    status.phase = here.begun() ? Phase::preparing : Phase::absent;
    return status;
  }
  TRY_LET(const Json record, here.record());
  const Supervised program = supervised(name_of(version));
  TRY_LET(const Supervision now, program.look());
  if (program.enabled() || now.up) return running_status(version, record, now);
  status.phase = Phase::prepared;
  return status;
}

// The lock is held.
Status Host::end(const Version& version, Millis grace) {
  TRY(supervised(name_of(version)).stop(grace));
  // It will be started with an environment of its own; until then nobody needs the secrets.
  TRY(remove_tree(service_folder(version) / "env"));
  return remove_tree(service_folder(version) / "port");
}

Status Host::stop(const Version& version, Millis grace) {
  TRY(check_version(version));
  std::error_code code;
  if (!fs::exists(service_folder(version), code)) return {};
  TRY_LET(const Fd held, lock(version));
  return end(version, grace);
}

Status Host::remove(const Version& version) {
  TRY(check_version(version));
  TRY_LET(const Fd held, lock(version));
  TRY(end(version, std::chrono::seconds(10)));
  TRY(remove_tree(service_folder(version)));
  TRY(files(version).remove(children_));
  return remove_tree(config_.log_folder / name_of(version));
}

Result<std::string> Host::logs(const Version& version, std::size_t bytes) {
  TRY(check_version(version));
  return supervised(name_of(version)).log(bytes);
}

Result<std::vector<Version>> Host::versions(const std::string& service) {
  TRY(check_version({service, "any"}));
  std::vector<Version> found;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(config_.folder / "releases", code)) {
    const Version version{service, entry.path().filename().string()};
    if (check_version(version) && files(version).prepared()) found.push_back(version);
  }
  std::sort(found.begin(), found.end(),
            [](const Version& a, const Version& b) { return a.release < b.release; });
  return found;
}

Result<Path> Host::folder(const Version& version) {
  TRY(check_version(version));
  return files(version).work_folder();
}

Status Host::revive() {
  Status first;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(config_.folder / "services", code)) {
    Status done = supervised(entry.path().filename().string()).revive();
    if (!done && first) first = std::move(done);
  }
  return first;
}

}  // namespace

std::unique_ptr<Target> make_host(HostConfig config, Children& children, Clock& clock) {
  return std::make_unique<Host>(std::move(config), children, clock);
}

}  // namespace belay::target
