// SPDX-License-Identifier: Apache-2.0
#include "storage/azure_token.hpp"

#include "base/json.hpp"
#include "base/text.hpp"

namespace belay::storage {

namespace {

constexpr const char* entra_audience = "api://AzureADTokenExchange";
constexpr const char* scope = "https://storage.azure.com/.default";
constexpr const char* assertion_type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

std::string entra_text(const Result<Json>& json, const char* member) {
  if (!json || !json->is_object()) return "";
  const auto found = json->find(member);
  return found != json->end() && found->is_string() ? found->get<std::string>() : "";
}

// A number, or (as some clouds say it) one as text.
std::optional<Millis> seconds_of(const Json& json) {
  const auto found = json.find("expires_in");
  if (found == json.end()) return std::nullopt;
  const auto text = found->is_string() ? found->get<std::string>() : found->dump();
  const bool number = !text.empty() && text.size() < 10 &&
                      text.find_first_not_of("0123456789") == std::string::npos;
  if (!number) return std::nullopt;
  return Millis(std::chrono::seconds(std::stol(text)));
}

}  // namespace

AzureToken::AzureToken(AzureRole role, const net::Patience& patience, Clock& clock, Random& random)
    : role_(std::move(role)), desk_(role_.identity, patience, clock, random) {}

Result<Secret> AzureToken::get() {
  return token_.get(desk_.clock(), [this] { return renew(); });
}

Result<Fleeting<Secret>::Fresh> AzureToken::renew() {
  TRY_LET(const auto assertion, desk_.token_for(entra_audience));
  auto authority = role_.authority;
  while (authority.ends_with('/')) authority.pop_back();
  TRY_LET(const auto response, desk_
                                   .exchange(authority + "/" + role_.tenant + "/oauth2/v2.0/token",
                                             {{"client_id", Secret(role_.client)},
                                              {"scope", Secret(scope)},
                                              {"grant_type", Secret("client_credentials")},
                                              {"client_assertion_type", Secret(assertion_type)},
                                              {"client_assertion", assertion}})
                                   .in("signing in at " + authority));
  const auto json = parse_json(response.body);
  const auto token = entra_text(json, "access_token");
  if (response.status == 200 && !token.empty()) {
    const auto holds = seconds_of(*json);
    if (!holds) return fail(Fault::corrupt, authority + " does not say how long its token holds");
    return Fleeting<Secret>::Fresh{Secret(token), *holds};
  }
  const auto why = split(entra_text(json, "error_description"), '\n').front().substr(0, 300);
  return fail(Fault::denied,
              fmt::format("{} gives no token for the client {} of the tenant {}: {} {}: {}",
                          authority, role_.client, role_.tenant, response.status,
                          printable(entra_text(json, "error")), printable(std::string(trim(why)))));
}

}  // namespace belay::storage
