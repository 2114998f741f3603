// SPDX-License-Identifier: Apache-2.0
#include "app/doctor.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "app/agent_service.hpp"
#include "app/doctor_parts.hpp"

namespace belay::app {

namespace {

AgentPlace agent_place(const Checkup& checkup, const Project& project) {
  return {checkup.program, project.file, project.spec.project, project.places.state,
          ::geteuid() == 0};
}

void examine_environment(Desk& desk, const std::string& name, const Checkup& checkup,
                         Findings& out) {
  const auto& project = desk.project;
  const auto& env = *project.spec.environment(name);
  Secrets secrets(project.spec.secrets, project.folder, project.env, project.on_secret);
  const bool agent =
      agent_installed(agent_place(checkup, project), project.env, desk.world().clock);
  examine_secrets(project, name, secrets, agent, out);
  examine_database(desk, name, secrets, out);
  examine_vault(desk, name, secrets, out);
  if (env.services.empty()) return;
  examine_reviewers(project.spec, env, out);
  examine_github(desk, env, secrets, out);
  examine_freeze(env, desk.world().clock.now(), out);
  examine_services(desk, env, out);
}

std::vector<std::string> environments(const Checkup& checkup, const pipeline::Spec& spec) {
  if (!checkup.environment.empty()) return {checkup.environment};
  std::vector<std::string> names;
  for (const auto& env : spec.environments) names.push_back(env.name);
  return names;
}

void examine_opened(Project project, const Checkup& checkup, Findings& out) {
  const auto& spec = project.spec;
  examine_state(project, out);
  auto desk = open_desk(project);
  if (!desk) {
    out.bad("journal", desk.error().message(),
            "mend what it says; until then nothing can be deployed, and nothing is changed");
    return;
  }
  examine_journal(**desk, out);
  examine_tls(**desk, out);
  if (!spec.services.empty()) examine_source(project, out);
  for (const auto& name : environments(checkup, spec)) {
    examine_environment(**desk, name, checkup, out);
  }
  Secrets secrets(spec.secrets, project.folder, project.env, checkup.on_secret);
  examine_sharing(project, secrets, out);
  examine_agent(checkup, project, out);
}

}  // namespace

const char* to_string(Grade grade) {
  switch (grade) {
    case Grade::good: return "good";
    case Grade::warn: return "warn";
    case Grade::bad: return "bad";
  }
  return "bad";
}

void examine_agent(const Checkup& checkup, const Project& project, Findings& out) {
  const auto place = agent_place(checkup, project);
  const auto boot = boot_of_this_machine();
  SystemClock clock;
  const bool installed = agent_installed(place, project.env, clock);
  const bool works = agent_at_work(project.places);
  if (works && installed) {
    out.good("agent", boot == Boot::nobody
                          ? "at work, supervised; nothing here starts services after a reboot"
                          : "at work, and starts after a reboot");
    return;
  }
  const std::string text =
      works       ? "at work, but nothing would start it again after a reboot or a crash"
      : installed ? "installed, but not at work"
                  : "none: timers, keep-warm and resuming after a reboot need a command of yours";
  const char* kind = boot == Boot::systemd ? "a systemd unit" : "a runit service";
  auto& finding = out.warn("agent", text, "belay doctor --fix installs and starts it");
  if (works) finding.remedy = "end that one, then: belay doctor --fix";
  if (works) return;
  finding.mend = {fmt::format("Install `belay agent` for {} as {}?", project.spec.project, kind),
                  [place, boot, env = project.env] {
                    SystemClock now;
                    return install_agent(place, boot, env, now);
                  }};
}

std::vector<Finding> examine(const Checkup& checkup) {
  Findings out;
  auto project = load_project(checkup.file, checkup.here, checkup.env);
  if (project) project->on_secret = checkup.on_secret;
  examine_tools(project ? &project->spec : nullptr, out);
  if (!project) {
    out.bad("belay.yaml", project.error().message(),
            project.error().fault == Fault::missing ? "write one with: belay init"
                                                    : "mend each line that is named");
    return out.take();
  }
  if (!checkup.environment.empty() && project->spec.environment(checkup.environment) == nullptr) {
    out.bad("belay.yaml", "it has no environment " + checkup.environment,
            "name one that it has: --env");
    return out.take();
  }
  out.good("belay.yaml", project->file.string() + " is read without complaint");
  examine_opened(std::move(*project), checkup, out);
  return out.take();
}

bool any_bad(const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& one) { return one.grade == Grade::bad; });
}

Json to_json(const Finding& finding) {
  Json out{{"about", finding.about}, {"grade", to_string(finding.grade)}, {"found", finding.found}};
  if (!finding.remedy.empty()) out["remedy"] = finding.remedy;
  if (finding.mend) out["fixable"] = true;
  return out;
}

}  // namespace belay::app
