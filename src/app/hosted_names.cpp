// SPDX-License-Identifier: Apache-2.0
#include "app/hosted_names.hpp"

#include <fmt/format.h>

namespace belay::app {

namespace {

Status fill(std::string& text, Secrets& secrets) {
  if (text.find('$') == std::string::npos) return {};
  TRY_LET(text, secrets.fill_in({text}));
  return {};
}

std::string domain_in(const std::string& address) {
  const auto scheme = address.find("://");
  const auto host = scheme == std::string::npos ? address : address.substr(scheme + 3);
  return host.substr(0, host.find('/'));
}

}  // namespace

Status fill_hosted(pipeline::EnvironmentSpec& environment, Secrets& secrets) {
  for (auto& placed : environment.services) {
    if (!is_hosted(placed)) continue;
    const auto where = fmt::format("{}.services.{}", environment.name, placed.service);
    for (auto* text :
         {&placed.project, &placed.team, &placed.their_service, &placed.their_environment})
      TRY(fill(*text, secrets).in(where));
    for (auto& domain : placed.domains) {
      TRY(fill(domain, secrets).in(where + ".domains"));
      domain = domain_in(domain);
    }
  }
  return {};
}

}  // namespace belay::app
