// SPDX-License-Identifier: Apache-2.0
// What a plan of the way back says of secrets: names only. A note, outside the digest: which values
// count is found when a step needs them, and the same plan must not differ with who makes it.
#include "app/plan_sources.hpp"
#include "app/secrets.hpp"
#include "app/service_environment.hpp"

namespace belay::app {

Json secrets_since(const Desk& desk, const pipeline::Spec& release,
                   const pipeline::EnvironmentSpec& env, const std::string& tag) {
  const auto& present = desk.project.spec;
  std::map<std::string, std::set<std::string>> names;
  for (const auto& placed : env.services) {
    if (const auto* service = release.service(placed.service))
      names[service->name] = secrets_of(present, env.name, *service);
  }
  Secrets secrets(present.secrets, desk.project.folder, desk.project.env, desk.project.on_secret);
  const auto changes =
      fingerprints_of(desk, env.name).compare(tag, names, [&](const std::string& name) {
        return secrets.resolve(name);
      });
  Json note{{"since", tag}};
  for (const auto& [word, set] : {std::pair{"same", &changes.same},
                                  {"other", &changes.other},
                                  {"new", &changes.added},
                                  {"gone", &changes.gone},
                                  {"unreadable", &changes.unreadable},
                                  {"unknown", &changes.unknown}}) {
    if (!set->empty()) note[word] = *set;
  }
  return note.size() > 1 ? note : Json();
}

}  // namespace belay::app
