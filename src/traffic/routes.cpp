// SPDX-License-Identifier: Apache-2.0
#include "traffic/routes.hpp"

#include <fmt/format.h>

#include <charconv>
#include <set>

namespace belay::traffic {

namespace {

bool is_name(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), fits);
}

// Quotes and blanks end a word of the configuration, a line break begins a new directive.
bool is_plain_path(std::string_view text) {
  return text.find_first_of(" \t\r\n\"'\\#") == std::string_view::npos;
}

bool is_host(std::string_view text) {
  return text.find_first_not_of("0123456789abcdefABCDEF.:*") == std::string_view::npos ||
         text == "localhost";
}

Status check_route(const Route& route) {
  if (!is_name(route.service)) {
    return fail(Fault::invalid, fmt::format("\"{}\" cannot be a service's name: letters, digits, "
                                            "'-', '_' and '.' only",
                                            route.service));
  }
  if (auto address = parse_address(route.listen); !address) return std::move(address).error();
  for (const auto& domain : route.domains) {
    const std::string_view bare =
        domain.starts_with("*.") ? std::string_view(domain).substr(2) : std::string_view(domain);
    if (!is_name(bare)) {
      return fail(Fault::invalid, fmt::format("\"{}\" is not a domain", domain));
    }
  }
  if (!is_plain_path(route.certificate)) {
    return fail(Fault::invalid, fmt::format("the certificate's path of {} must not hold blanks or "
                                            "quotes: {}",
                                            route.service, route.certificate));
  }
  return {};
}

}  // namespace

Result<Address> parse_address(const std::string& listen) {
  const auto wrong = [&] {
    return fail(Fault::invalid,
                fmt::format("\"{}\" is no address to listen on; write HOST:PORT, such as "
                            "127.0.0.1:8080, or :443",
                            listen));
  };
  const auto colon = listen.rfind(':');
  if (colon == std::string::npos) return wrong();
  Address address;
  address.host = listen.substr(0, colon);
  if (address.host.starts_with('[') && address.host.ends_with(']')) {
    address.host = address.host.substr(1, address.host.size() - 2);
  }
  if (!is_host(address.host)) return wrong();
  const char* first = listen.data() + colon + 1;
  const char* last = listen.data() + listen.size();
  const auto [end, code] = std::from_chars(first, last, address.port);
  if (code != std::errc() || end != last || address.port == 0) return wrong();
  return address;
}

Status check_routes(const std::vector<Route>& routes) {
  std::set<std::string> services;
  std::map<std::string, const Route*> listens;
  std::set<std::string> domains;
  for (const auto& route : routes) {
    TRY(check_route(route));
    if (!services.insert(route.service).second) {
      return fail(Fault::invalid, "the service " + route.service + " has two routes");
    }
    const auto [found, first] = listens.emplace(route.listen, &route);
    if (!first && (route.domains.empty() || found->second->domains.empty())) {
      return fail(Fault::invalid, fmt::format("{} and {} both want {}; give each its `domains:`",
                                              found->second->service, route.service, route.listen));
    }
    if (!first && route.certificate.empty() != found->second->certificate.empty()) {
      return fail(Fault::invalid,
                  fmt::format("{} and {} share {}; both need a certificate, or none",
                              found->second->service, route.service, route.listen));
    }
    for (const auto& domain : route.domains) {
      if (!domains.insert(route.listen + " " + domain).second) {
        return fail(Fault::invalid, fmt::format("{} stands twice at {}", domain, route.listen));
      }
    }
  }
  return {};
}

}  // namespace belay::traffic
