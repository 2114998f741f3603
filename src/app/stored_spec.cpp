// SPDX-License-Identifier: Apache-2.0
#include "app/stored_spec.hpp"

#include <fmt/format.h>

#include "app/project.hpp"

namespace belay::app {

namespace {

std::string name_of(const std::string& tag) {
  return "belay.yaml of " + tag;
}

// "services.web" covers "services.web.env.TOKEN" and "services.web[0]".
bool covers(const std::string& part, const std::string& key) {
  return key.starts_with(part) &&
         (key.size() == part.size() || key[part.size()] == '.' || key[part.size()] == '[');
}

std::string checks_of(const Needs& needs) {
  return "environments." + needs.env->name + ".checks";
}

std::vector<std::string> parts_of(const Needs& needs) {
  std::vector<std::string> parts;
  for (const auto& placed : needs.env->services) {
    const bool built =
        std::find(needs.built.begin(), needs.built.end(), placed.service) != needs.built.end();
    for (const auto* member : {"kind", "needs", "env", "env_file", "check"})
      parts.push_back(fmt::format("services.{}.{}", placed.service, member));
    // Of one whose files are here its version.json says these.
    for (const auto* member : {"path", "build", "run", "user"})
      if (built) parts.push_back(fmt::format("services.{}.{}", placed.service, member));
  }
  if (needs.checks) parts.push_back(checks_of(needs));
  return parts;
}

}  // namespace

Result<StoredSpec> stored_spec(const std::string& text, const std::string& tag) {
  auto parsed = pipeline::parse_stored(text);
  if (!parsed.spec) return fail(Fault::invalid, pipeline::report(name_of(tag), parsed.complaints));
  add_bare_environment(*parsed.spec);
  return StoredSpec{tag, std::move(*parsed.spec), std::move(parsed.complaints)};
}

Needs needs_of(const pipeline::Plan& plan, const pipeline::EnvironmentSpec& env, bool live) {
  Needs needs{&env, {}, !plan.facts.contains("skip_checks")};
  if (live) return needs;
  for (const auto& step : plan.steps) {
    if (step.kind == "build") needs.built.push_back(step.args.value("service", std::string()));
  }
  return needs;
}

Status can_be_started(const StoredSpec& stored, const Needs& needs) {
  const auto parts = parts_of(needs);
  std::vector<pipeline::Complaint> missed;
  bool only_checks = true;
  for (const auto& each : stored.complaints) {
    const bool needed =
        each.unread && std::any_of(parts.begin(), parts.end(), [&](const auto& part) {
          return covers(part, each.key) || covers(each.key, part);
        });
    if (!needed) continue;
    missed.push_back(each);
    only_checks = only_checks && covers(checks_of(needs), each.key);
  }
  if (missed.empty()) return {};
  return fail(
      Fault::invalid,
      fmt::format("{} cannot be started again by this Belay, which does not read what it needs:\n"
                  "{}Use the Belay that shipped it, or deploy a commit whose belay.yaml is "
                  "mended{}",
                  stored.tag, pipeline::report(name_of(stored.tag), missed),
                  only_checks ? "; or leave out its checks: --skip-checks --reason TEXT" : ""));
}

std::vector<std::string> remarks(const StoredSpec& stored) {
  std::vector<std::string> lines;
  for (const auto& each : stored.complaints)
    lines.push_back(pipeline::to_text(name_of(stored.tag), each));
  return lines;
}

}  // namespace belay::app
