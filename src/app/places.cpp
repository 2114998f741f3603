// SPDX-License-Identifier: Apache-2.0
#include "app/places.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "base/accounts.hpp"

extern char** environ;

namespace belay::app {

namespace fs = std::filesystem;

namespace {

constexpr const char* states_of_root = "/var/lib/belay";

}  // namespace

Getenv process_environment() {
  Getenv env;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto at = text.find('=');
    if (at != std::string_view::npos) env.emplace(text.substr(0, at), text.substr(at + 1));
  }
  return env;
}

Result<Path> find_project_file(const std::optional<Path>& named, const Path& here) {
  std::error_code code;
  if (named) {
    if (fs::is_regular_file(*named, code)) return fs::absolute(*named);
    return fail(Fault::missing, fmt::format("there is no file {}", named->string()));
  }
  for (Path folder = fs::absolute(here);; folder = folder.parent_path()) {
    if (fs::is_regular_file(folder / "belay.yaml", code)) return folder / "belay.yaml";
    if (folder == folder.parent_path()) break;
  }
  return fail(
      Fault::missing,
      fmt::format("no belay.yaml in {} or above it; write one with: belay init", here.string()));
}

Status Places::make_state() const {
  if (::geteuid() != 0) return make_folder(state);
  TRY(make_folder(state, 0711));
  return state.parent_path() == states_of_root ? let_others_pass(states_of_root) : Status{};
}

Path Places::log_of(const std::string& run, const std::string& step) const {
  std::string name = step;
  std::replace(name.begin(), name.end(), ':', '.');
  return runs() / run / (name + ".log");
}

Result<Places> places_of(const std::string& project, const std::string& state,
                         const Path& project_folder, const Getenv& env) {
  if (!state.empty()) return Places{fs::absolute(project_folder / state).lexically_normal()};
  if (::geteuid() == 0) return Places{Path(states_of_root) / project};
  if (const auto at = env.find("XDG_STATE_HOME"); at != env.end() && !at->second.empty()) {
    return Places{Path(at->second) / "belay" / project};
  }
  if (const auto at = env.find("HOME"); at != env.end() && !at->second.empty()) {
    return Places{Path(at->second) / ".local/state/belay" / project};
  }
  return fail(Fault::missing,
              "neither HOME nor XDG_STATE_HOME is set, so there is no place for the state; "
              "set one, or write `state: FOLDER` in belay.yaml");
}

}  // namespace belay::app
