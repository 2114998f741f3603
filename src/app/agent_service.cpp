// SPDX-License-Identifier: Apache-2.0
#include "app/agent_service.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/process.hpp"
#include "base/runit.hpp"
#include "base/text.hpp"

namespace belay::app {

namespace fs = std::filesystem;

namespace {

constexpr const char* service_links = "/etc/service";

std::string variable(const Getenv& env, const char* name, const std::string& otherwise) {
  const auto at = env.find(name);
  return at == env.end() || at->second.empty() ? otherwise : at->second;
}

Supervised supervised_agent(const AgentPlace& place, Clock& clock) {
  return {"the agent", place.state / "agent" / "service", place.state / "agent" / "log", clock};
}

Status systemctl(const AgentPlace& place, std::vector<std::string> words) {
  std::vector<std::string> argv{"systemctl"};
  if (!place.root) argv.push_back("--user");
  argv.insert(argv.end(), words.begin(), words.end());
  TRY_LET(auto done, run_ok({.argv = std::move(argv), .limit = std::chrono::seconds(30)}));
  static_cast<void>(done);
  return {};
}

Result<std::string> install_unit(const AgentPlace& place, const Getenv& env) {
  const Path file = unit_file(place, env);
  TRY(make_folder(file.parent_path(), 0755));
  TRY(write_file(file, unit_text(place, variable(env, "PATH", "/usr/local/bin:/usr/bin:/bin")),
                 0644));
  TRY(systemctl(place, {"daemon-reload"}));
  TRY(systemctl(place, {"enable", file.filename().string()}));
  TRY(systemctl(place, {"restart", file.filename().string()}));
  std::string text = file.string() + " is enabled and started";
  if (!place.root) {
    auto lingers =
        run_ok({.argv = {"loginctl", "enable-linger"}, .limit = std::chrono::seconds(30)});
    if (!lingers)
      text += "; it ends when you log out, until an administrator runs: loginctl enable-linger " +
              variable(env, "USER", "YOU");
  }
  return text;
}

// Where runit looks after a folder of services, a link there brings the agent back after a reboot.
Status link_service(const AgentPlace& place, const Path& folder) {
  const Path link = Path(service_links) / ("belay-" + place.project);
  std::error_code code;
  if (fs::is_symlink(link, code)) fs::remove(link, code);
  fs::create_directory_symlink(folder, link, code);
  if (code) return errno_error(code.value(), "cannot make " + link.string());
  return {};
}

Result<std::string> install_runit(const AgentPlace& place, Boot boot, Clock& clock) {
  auto service = supervised_agent(place, clock);
  TRY(service.write(fmt::format("exec chpst -P {} --file {} agent\n",
                                shell_quoted(place.program.string()),
                                shell_quoted(place.file.string()))));
  TRY(service.start());
  const auto where = service.folder().string();
  if (boot == Boot::runit && place.root) {
    TRY(link_service(place, service.folder()));
    return "the runit service in " + where + " is started, and linked in " + service_links;
  }
  return fmt::format(
      "the runit service in {} is started. Nothing here starts it after a reboot; a line for your "
      "crontab that does: @reboot {} --file {} --yes doctor --fix",
      where, place.program.string(), place.file.string());
}

}  // namespace

namespace {

// A word in a unit: systemd reads "%" as its own.
std::string for_unit(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '%') out += '%';
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

Boot boot_of_this_machine() {
  std::error_code code;
  if (fs::is_directory("/run/systemd/system", code)) return Boot::systemd;
  if (!fs::is_directory(service_links, code)) return Boot::nobody;
  // Packages make the folder; only a living runsvdir looks after it.
  for (const auto& entry : fs::directory_iterator("/proc", code)) {
    const auto name = read_file(entry.path() / "comm", 4096);
    if (name && trim(*name) == "runsvdir") return Boot::runit;
  }
  return Boot::nobody;
}

std::string unit_text(const AgentPlace& place, const std::string& path_variable) {
  return fmt::format(
      "# Written by belay doctor --fix.\n"
      "[Unit]\n"
      "Description=Belay agent of {}\n"
      "After=network-online.target\n"
      "Wants=network-online.target\n"
      "\n"
      "[Service]\n"
      "ExecStart=\"{}\" --file \"{}\" agent\n"
      "Environment=\"PATH={}\"\n"
      "Restart=always\n"
      "RestartSec=5\n"
      "# The services and the proxy are in this unit's group and go on without the agent.\n"
      "KillMode=process\n"
      "TasksMax=infinity\n"
      "\n"
      "[Install]\n"
      "WantedBy={}\n",
      place.project, for_unit(place.program.string()), for_unit(place.file.string()),
      for_unit(path_variable), place.root ? "multi-user.target" : "default.target");
}

Path unit_file(const AgentPlace& place, const Getenv& env) {
  const std::string name = "belay-" + place.project + ".service";
  if (place.root) return Path("/etc/systemd/system") / name;
  const Path config =
      variable(env, "XDG_CONFIG_HOME", variable(env, "HOME", "/") + std::string("/.config"));
  return config / "systemd/user" / name;
}

bool agent_at_work(const Places& places) {
  const Path path = places.agent_lock();
  Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) return false;
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return false;
  return errno == EWOULDBLOCK;
}

bool agent_installed(const AgentPlace& place, const Getenv& env, Clock& clock) {
  std::error_code code;
  return fs::exists(unit_file(place, env), code) || supervised_agent(place, clock).enabled();
}

Result<std::string> install_agent(const AgentPlace& place, Boot boot, const Getenv& env,
                                  Clock& clock) {
  if (boot == Boot::systemd) return install_unit(place, env);
  return install_runit(place, boot, clock);
}

}  // namespace belay::app
