// SPDX-License-Identifier: Apache-2.0
#include "engine/site.hpp"

#include <set>

namespace belay::engine {

namespace {

void add_with_needs(const pipeline::Spec& spec, const std::string& name,
                    std::set<std::string>& seen, std::vector<std::string>& order) {
  const auto* service = spec.service(name);
  if (service == nullptr || !seen.insert(name).second) return;
  for (const auto& before : service->needs) add_with_needs(spec, before, seen, order);
  order.push_back(name);
}

}  // namespace

std::vector<std::string> Site::services(const std::string& release) const {
  const auto& spec = releases.at(release);
  std::vector<std::string> order;
  std::set<std::string> seen;
  for (const auto& placed : env().services) add_with_needs(spec, placed.service, seen, order);
  std::erase_if(order, [&](const auto& name) { return placement(name) == nullptr; });
  return order;
}

const pipeline::Service& Site::service(const std::string& release, const std::string& name) const {
  const auto* found = releases.at(release).service(name);
  ASSERT(found != nullptr);
  return *found;
}

const pipeline::Migration* Site::migration(const std::string& release) const {
  const auto found = releases.find(release);
  return found == releases.end() ? nullptr : pipeline::migration_of(found->second, environment);
}

const pipeline::Placement* Site::placement(const std::string& service) const {
  for (const auto& placed : env().services) {
    if (placed.service == service) return &placed;
  }
  return nullptr;
}

std::string Site::user_of(const std::string& release, const std::string& name) const {
  const auto* placed = placement(name);
  return placed != nullptr ? pipeline::user_of(releases.at(release), *placed)
                           : service(release, name).user;
}

bool Site::proxied(const std::string& service) const {
  const auto* placed = placement(service);
  return traffic != nullptr && placed != nullptr && !placed->listen.empty() &&
         targets.at(service)->behind_proxy();
}

std::vector<std::string> Site::proxied_services() const {
  std::vector<std::string> names;
  for (const auto& placed : env().services) {
    if (proxied(placed.service)) names.push_back(placed.service);
  }
  return names;
}

std::vector<traffic::Route> Site::routes() const {
  std::vector<traffic::Route> routes;
  for (const auto& placed : env().services) {
    if (!proxied(placed.service)) continue;
    routes.push_back({placed.service, placed.listen, placed.domains, placed.certificate});
  }
  return routes;
}

void Site::let_finish(const std::string& service, const std::string& release, Millis limit,
                      std::stop_token stop) const {
  if (!proxied(service)) return;
  const auto state = traffic->look(service);
  if (!state || (state->active && state->active->release == release)) return;
  static_cast<void>(traffic->drain(service, release, limit, std::move(stop)).ok());
}

std::string Site::url_of(const std::string& service) const {
  const auto* placed = placement(service);
  if (placed == nullptr) return {};
  if (is_hosted(*placed))
    return placed->domains.empty() ? "" : "https://" + placed->domains.front();
  if (placed->listen.empty()) return {};
  const std::string scheme = placed->certificate.empty() ? "http://" : "https://";
  std::string address = placed->listen;
  if (address.starts_with(":"))
    address = (placed->domains.empty() ? "127.0.0.1" : placed->domains.front()) + address;
  return scheme + address;
}

}  // namespace belay::engine
