// SPDX-License-Identifier: Apache-2.0
// belay init: a commented belay.yaml by looking at the project.
#include <fmt/format.h>

#include "app/inspect.hpp"
#include "cli/session.hpp"

namespace belay::cli {

namespace {

// Two people whose keys nobody holds: with somebody in it, the file must be without complaint.
constexpr const char* somebody =
    "{ amina: { keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIijsHHA94"
    "46m4AgpJp8tyrdXEXWB8r8rxzMOqEtsFO9] }, "
    "leo: { keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOuItFRVHG"
    "hpi87D6ie3M4NeoMXl2QYctE7jfXYxipVO] } }";

int init(Session& session, const Args&) {
  const Path path = session.file.value_or(session.here / "belay.yaml");
  std::error_code code;
  if (std::filesystem::exists(path, code)) {
    return tell(
        fail(Fault::conflict,
             path.string() +
                 " is there already; nothing was changed. To look at what it does: belay plan"),
        exit_usage);
  }
  auto found = app::inspect(session.here);
  if (!found) return tell(found.error());
  found->user = app::user_for_services();
  const auto text = app::starting_file(*found);
  if (auto sound = app::spec_of(app::starting_file(*found, somebody), "belay.yaml"); !sound)
    return tell(std::move(sound).error().in("what init wrote does not hold (a bug)"));
  if (auto written = write_file(path, text, 0644); !written) return tell(written.error());
  for (const auto& service : found->services)
    fmt::print("  {:<14} from {} in {}\n", service.name, service.from, service.path);
  for (const auto& note : found->notes) fmt::print("  note: {}\n", note);
  const bool ships = !found->services.empty();
  fmt::print("{} is written. Read it, {}commit it, then: belay doctor\n", path.string(),
             ships ? "put the reviewers into `people`, " : "");
  return exit_done;
}

}  // namespace

Command init_command() {
  return {"init",           "write a commented belay.yaml for this project", "", 0, 0, {}, init,
          manual_of("init")};
}

}  // namespace belay::cli
