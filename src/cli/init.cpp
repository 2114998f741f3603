// SPDX-License-Identifier: Apache-2.0
// belay init: a commented belay.yaml by looking at the project.
#include <fmt/format.h>

#include "app/github_files.hpp"
#include "app/inspect.hpp"
#include "app/on_github.hpp"
#include "base/text.hpp"
#include "cli/session.hpp"

namespace belay::cli {

namespace {

// Two people whose keys nobody holds: with somebody in it, the file must be without complaint.
constexpr const char* somebody =
    "{ amina: { keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIijsHHA94"
    "46m4AgpJp8tyrdXEXWB8r8rxzMOqEtsFO9] }, "
    "leo: { keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOuItFRVHG"
    "hpi87D6ie3M4NeoMXl2QYctE7jfXYxipVO] } }";

constexpr const char* somebody_on_github = "{ amina: { github: amina }, leo: { github: leo } }";

bool is_there(const Path& path) {
  std::error_code code;
  return std::filesystem::exists(path, code);
}

void print_found(const app::Found& found) {
  for (const auto& service : found.services)
    fmt::print("  {:<14} from {} in {}\n", service.name, service.from, service.path);
  for (const auto& note : found.notes) fmt::print("  note: {}\n", note);
}

// All of them or none: files that do not belong together would be worse than none.
int init_github(const Session& session) {
  auto found = app::inspect(session.here);
  if (!found) return tell(found.error());
  if (found->services.empty())
    return tell(
        fail(Fault::missing, "no service was found here that Railway or Vercel could run: " +
                                 join(found->notes, "; ")),
        exit_usage);
  const auto repository = app::repository_of_clone(session.here.string());
  const auto files = app::github_files(*found, repository);
  std::vector<std::string> there;
  for (const auto& file : files) {
    if (is_there(session.here / file.path)) there.push_back(file.path);
  }
  if (!there.empty())
    return tell(fail(Fault::conflict, join(there, ", ") + (there.size() == 1 ? " is" : " are") +
                                          " there already; nothing was changed. Move them away to "
                                          "have new ones written"),
                exit_usage);
  const auto with_people = app::github_files(*found, repository, somebody_on_github).front().text;
  if (auto sound = app::spec_of(with_people, "belay.yaml"); !sound)
    return tell(std::move(sound).error().in("what init wrote does not hold (a bug)"));
  print_found(*found);
  for (const auto& file : files) {
    const Path path = session.here / file.path;
    if (auto made = make_folder(path.parent_path(), 0755); !made) return tell(made.error());
    if (auto written = write_file(path, file.text, 0644); !written) return tell(written.error());
    fmt::print("  {}\n", file.path);
  }
  put("Read them, put your bucket and the reviewers into belay.yaml, commit them. What the "
      "repository needs, environments, variables and secrets: belay help init\n");
  return exit_done;
}

int init(Session& session, const Args& args) {
  if (args.has("--github")) return init_github(session);
  const Path path = session.file.value_or(session.here / "belay.yaml");
  if (is_there(path)) {
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
  print_found(*found);
  const bool ships = !found->services.empty();
  fmt::print("{} is written. Read it, {}commit it, then: belay doctor\n", path.string(),
             ships ? "put the reviewers into `people`, " : "");
  return exit_done;
}

}  // namespace

Command init_command() {
  return {"init",
          "write a commented belay.yaml for this project",
          "",
          0,
          0,
          {{"--github", "", "for Railway and Vercel, with workflows that deploy and roll back"}},
          init,
          manual_of("init")};
}

}  // namespace belay::cli
