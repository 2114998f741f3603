// SPDX-License-Identifier: Apache-2.0
#include "target/vercel_variables.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "target/hosted.hpp"

namespace belay::target {

namespace {

std::set<std::string> names_of(const Environment& env) {
  std::set<std::string> names;
  for (const auto& [name, value] : env) names.insert(name);
  return names;
}

Shown shown_by(const std::vector<VercelVariable>& there) {
  Shown shown;
  for (const auto& each : there) shown[each.name] = each.value;
  return shown;
}

}  // namespace

Result<VariableNames> compare_variables(VercelApi& api, const Environment& wanted,
                                        const std::stop_token& stop) {
  TRY_LET(const auto there, api.variables(names_of(wanted), stop));
  return beside(shown_by(there), wanted);
}

Status set_variables(VercelApi& api, const Environment& wanted, Clock& clock,
                     const std::stop_token& stop) {
  TRY_LET(const auto there, api.variables(names_of(wanted), stop));
  const auto names = beside(shown_by(there), wanted);
  std::map<std::string, Secret> added;
  for (const auto& name : names.added) added[name] = Secret(wanted.at(name));
  for (const auto& each : there) {
    const bool differs = names.changed.contains(each.name) || names.unreadable.contains(each.name);
    if (!differs) continue;
    if (each.elsewhere) {
      return fail(
          Fault::conflict,
          fmt::format("the variable {} at Vercel is for production and for another "
                      "environment: give each its own there, or the other would change, too",
                      each.name));
    }
    TRY(api.change_variable(each.id, Secret(wanted.at(each.name)), stop).in(each.name));
  }
  if (!added.empty()) TRY(api.add_variables(added, stop));
  if (added.empty() && names.changed.empty() && names.unreadable.empty()) return {};
  return until_shown([&] { return compare_variables(api, wanted, stop); }, clock, "Vercel", stop);
}

}  // namespace belay::target
