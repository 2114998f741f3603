// SPDX-License-Identifier: Apache-2.0
// What a plan says of the variables that it would set on platforms: names only.
#include "app/plan_sources.hpp"
#include "app/service_environment.hpp"

namespace belay::app {

namespace {

using pipeline::Placement;

void put_names(Json& note, const target::VariableNames& names) {
  for (const auto& [word, set] : {std::pair{"adds", &names.added},
                                  {"changes", &names.changed},
                                  {"may_change", &names.unreadable},
                                  {"same", &names.same},
                                  {"left_alone", &names.others}}) {
    if (!set->empty()) put_some(note, word, {set->begin(), set->end()});
  }
}

Result<std::optional<target::VariableNames>> asked(const Works& works, const std::string& service,
                                                   const std::string& release) {
  TRY_LET(const auto env, works.site.environment_of(service, release));
  return works.site.target(service).variables(env, {});
}

Json note_of(const Result<std::unique_ptr<Works>>& works, const Placement& placed,
             const std::string& release) {
  Json note{{"service", placed.service},
            {"platform", placed.target == Placement::Target::vercel ? "Vercel" : "Railway"}};
  if (!works) {
    note["error"] = works.error().message();
    return note;
  }
  const auto names = asked(**works, placed.service, release);
  if (!names)
    note["error"] = names.error().message();
  else if (*names)
    put_names(note, **names);
  return note;
}

}  // namespace

Json variables_there(Desk& desk, const pipeline::Plan& plan, const pipeline::Spec& release,
                     const pipeline::EnvironmentSpec& env) {
  Json notes = Json::array();
  std::optional<Result<std::unique_ptr<Works>>> works;
  for (const auto& placed : env.services) {
    const auto* service = release.service(placed.service);
    if (service == nullptr || !is_hosted(placed) || !has_variables(*service, placed)) continue;
    if (!works) works = wire_plan(desk, plan);
    notes.push_back(note_of(*works, placed, plan.release));
    if (plan.pipeline != "rollback" || !*works) continue;
    const auto prints = fingerprints_of(desk, env.name);
    const auto changes = prints.compare(
        plan.release, {{placed.service, secrets_of(desk.project.spec, env.name, *service)}},
        [&](const std::string& name) { return (**works)->secrets->resolve(name); });
    if (!changes.other.empty()) notes.back()["former"] = changes.other;
  }
  return notes.empty() ? Json() : notes;
}

}  // namespace belay::app
