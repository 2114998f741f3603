// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "base/text.hpp"
#include "target/version_files.hpp"

namespace belay::target {

namespace fs = std::filesystem;

namespace {

// What `status` prints: {"live": "RELEASE"} or a line "live RELEASE"; nobody live: {"live": null}
// or "live". Anything else cannot be understood.
std::optional<std::string> live_in(const std::string& text) {
  if (trim(text).starts_with('{')) {
    const auto parsed = parse_json(text);
    if (!parsed || !parsed->contains("live")) return std::nullopt;
    const Json& live = parsed->at("live");
    if (live.is_null()) return "";
    if (!live.is_string()) return std::nullopt;
    return live.get<std::string>();
  }
  for (const auto& line : split(text, '\n')) {
    if (trim(line) == "live") return "";
    if (line.starts_with("live ")) return std::string(trim(std::string_view(line).substr(5)));
  }
  return std::nullopt;
}

Environment belay_names_only(const Environment& env) {
  Environment kept;
  for (const auto& [name, value] : env) {
    if (name.starts_with("BELAY_")) kept[name] = value;
  }
  return kept;
}

class CommandTarget final : public Target {
 public:
  CommandTarget(CommandConfig config, Children& children)
      : config_(std::move(config)), children_(children) {
    config_.folder = fs::absolute(config_.folder).lexically_normal();
    if (config_.own.empty()) config_.own = config_.folder;
  }

  Status prepare(const Version& version, const Artifact& artifact, const std::string& key,
                 const Output& output, std::stop_token stop) override;
  Result<VersionStatus> start(const Version& version, const Environment&,
                              std::stop_token) override {
    return status(version);
  }
  Status activate(const Version& version, const Environment& env, const std::string& key,
                  const Output& output, std::stop_token stop) override {
    return make_live(version, config_.activate, "activate", env, key, output, stop);
  }
  Status go_back(const Version& version, const Environment& env, const std::string& key,
                 const Output& output, std::stop_token stop) override {
    const bool own = !config_.rollback.empty();
    return make_live(version, own ? config_.rollback : config_.activate,
                     own ? "rollback" : "activate", env, key, output, stop);
  }
  Result<VersionStatus> status(const Version& version) override;
  Status stop(const Version&, Millis) override { return {}; }
  Status remove(const Version& version) override;
  Result<std::string> logs(const Version& version, std::size_t bytes) override;
  Result<std::vector<Version>> versions(const std::string& service) override;
  Result<Path> folder(const Version& version) override {
    TRY(check_version(version));
    return files(version).work_folder();
  }
  bool behind_proxy() const override { return false; }

 private:
  Path folder_of(const Version& version) const {
    return config_.folder / version.service / version.release;
  }
  VersionFiles files(const Version& version) const {
    Path log = config_.folder / version.service / (version.release + ".prepare.log");
    return VersionFiles(version, config_.own, folder_of(version), std::move(log));
  }
  Path live_file(const Version& version) const {
    return config_.folder / version.service / ".live";
  }
  Environment named(const Version& version, Environment env) const;
  Status make_live(const Version& version, const std::string& program, const std::string& verb,
                   const Environment& env, const std::string& key, const Output& output,
                   std::stop_token stop);
  Status begin(const Version& version, const Json& record, const std::string& program,
               const Environment& env, const std::string& key);
  VersionStatus asked(const Version& version, const Json& record);
  VersionStatus shown(const Version& version, const std::string& live) const;

  CommandConfig config_;
  Children& children_;
};

Environment CommandTarget::named(const Version& version, Environment env) const {
  env["BELAY_SERVICE"] = version.service;
  env["BELAY_RELEASE"] = version.release;
  env["BELAY_FOLDER"] = files(version).tree().string();
  return env;
}

Status CommandTarget::prepare(const Version& version, const Artifact& artifact,
                              const std::string& key, const Output& output, std::stop_token stop) {
  TRY(check_version(version));
  const Json record{{"folder", artifact.folder},
                    {"user", artifact.user},
                    {"env", belay_names_only(artifact.build_env)}};
  // The user's own builds come before the program that takes the result away.
  std::string program = artifact.build;
  if (!config_.prepare.empty()) {
    program = program.empty() ? config_.prepare : "set -e\n" + program + "\n" + config_.prepare;
  }
  Environment env = named(version, artifact.build_env);
  env["BELAY_KEY"] = key;
  return files(version).prepare(artifact, key, {program, std::move(env), config_.limit}, record,
                                children_, output, stop);
}

Status CommandTarget::begin(const Version& version, const Json& record, const std::string& program,
                            const Environment& env, const std::string& key) {
  ChildSpec spec;
  spec.key = key;
  spec.argv = {"/bin/sh", "-c", program};
  spec.folder = files(version).tree() / record.value("folder", ".");
  const std::string user = ::geteuid() == 0 ? record.value("user", "") : "";
  Environment all = record.value("env", Environment{});
  for (const auto& [name, value] : env) all[name] = value;
  spec.env = with_basics(named(version, std::move(all)), config_.own, user);
  spec.env["BELAY_KEY"] = key;
  spec.user = user;
  spec.limit = config_.limit;
  return children_.start(spec);
}

Status CommandTarget::make_live(const Version& version, const std::string& program,
                                const std::string& verb, const Environment& env,
                                const std::string& key, const Output& output,
                                std::stop_token stop) {
  TRY(check_version(version));
  if (program.empty()) {
    return fail(Fault::invalid,
                fmt::format("{} has no `{}:` program to run", version.service, verb));
  }
  TRY_LET(const Json record, files(version).record());
  TRY_LET(const ChildStatus before, children_.look(key));
  if (before.state == ChildState::absent) TRY(begin(version, record, program, env, key));
  TRY(write_file(folder_of(version) / "last_key", key));
  TRY_LET(const ChildStatus ended, children_.wait(key, output, stop));
  if (ended.state != ChildState::ended) {
    return unknown_effect(Fault::internal,
                          fmt::format("`{}` of {} was cut off, and nobody knows how "
                                      "far it came",
                                      verb, version.service));
  }
  if (ended.status != 0) {
    TRY_LET(const std::string text, children_.output(key));
    return fail(ended.timed_out ? Fault::timeout : Fault::refused,
                fmt::format("`{}` of {} failed: {}; its last lines:\n{}", verb, version.service,
                            ending_of(ended), last_lines(text, 20)));
  }
  return write_file(live_file(version), version.release);
}

VersionStatus CommandTarget::shown(const Version& version, const std::string& live) const {
  VersionStatus status;
  status.live = live == version.release;
  status.phase = status.live ? Phase::running : Phase::prepared;
  status.text = live.empty() ? "nothing is live" : live + " is live";
  return status;
}

VersionStatus CommandTarget::asked(const Version& version, const Json& record) {
  VersionStatus unknown;
  unknown.phase = Phase::unknown;
  Command command;
  command.argv = {"/bin/sh", "-c", config_.status};
  command.folder = files(version).tree() / record.value("folder", ".");
  command.env = with_basics(named(version, record.value("env", Environment{})), config_.own, "");
  command.inherit_env = false;
  command.limit = std::min<Millis>(config_.limit, std::chrono::minutes(1));
  const auto ended = run(command);
  if (!ended) {
    unknown.text = ended.error().message();
    return unknown;
  }
  const auto live = live_in(ended->out);
  if (ended->ok() && live) return shown(version, *live);
  unknown.text = fmt::format(
      "`status` ended with {} and said neither {{\"live\": \"RELEASE\"}} nor "
      "\"live RELEASE\": {}",
      ended->status, last_lines(ended->out + ended->err, 5));
  return unknown;
}

Result<VersionStatus> CommandTarget::status(const Version& version) {
  TRY(check_version(version));
  const VersionFiles here = files(version);
  if (!here.prepared()) {
    VersionStatus status;
    status.phase = here.begun() ? Phase::preparing : Phase::absent;
    return status;
  }
  TRY_LET(const Json record, here.record());
  if (!config_.status.empty()) return asked(version, record);
  const auto live = read_file(live_file(version), 4096);
  return shown(version, live ? *live : "");
}

Status CommandTarget::remove(const Version& version) {
  TRY(check_version(version));
  const auto live = read_file(live_file(version), 4096);
  if (live && *live == version.release) TRY(remove_tree(live_file(version)));
  return files(version).remove(children_);
}

Result<std::string> CommandTarget::logs(const Version& version, std::size_t bytes) {
  TRY(check_version(version));
  const auto key = read_file(folder_of(version) / "last_key");
  auto text =
      key ? children_.output(*key)
          : read_file(config_.folder / version.service / (version.release + ".prepare.log"));
  if (!text && text.error().fault == Fault::missing) return std::string();
  if (!text) return std::move(text).error();
  return text->substr(text->size() > bytes ? text->size() - bytes : 0);
}

Result<std::vector<Version>> CommandTarget::versions(const std::string& service) {
  TRY(check_version({service, "any"}));
  std::vector<Version> found;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(config_.folder / service, code)) {
    const Version version{service, entry.path().filename().string()};
    if (check_version(version) && files(version).prepared()) found.push_back(version);
  }
  std::sort(found.begin(), found.end(),
            [](const Version& a, const Version& b) { return a.release < b.release; });
  return found;
}

}  // namespace

std::unique_ptr<Target> make_command(CommandConfig config, Children& children, Clock&) {
  return std::make_unique<CommandTarget>(std::move(config), children);
}

}  // namespace belay::target
