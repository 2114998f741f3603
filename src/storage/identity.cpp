// SPDX-License-Identifier: Apache-2.0
#include "storage/identity.hpp"

#include "base/json.hpp"
#include "base/text.hpp"
#include "net/url.hpp"

namespace belay::storage {

namespace {

constexpr Millis token_timeout = std::chrono::seconds(30);

Status is_closed(const std::string& url) {
  TRY(net::parse_url(url));
  if (url.starts_with("https://") || net::is_near(url)) return {};
  return fail(Fault::invalid, "\"" + printable(url) + "\": a token goes over https:// only");
}

Result<Secret> token_in(const Path& file) {
  TRY_LET(const auto text, read_file(file));
  const auto token = std::string(trim(text));
  if (token.empty()) return fail(Fault::missing, file.string() + " holds no token");
  return Secret(token);
}

}  // namespace

TokenDesk::TokenDesk(Identity identity, const net::Patience& patience, Clock& clock, Random& random)
    : identity_(std::move(identity)),
      patience_(patience),
      clock_(clock),
      random_(random),
      client_(net::make_client(clock, identity_.trust)) {}

Result<net::Response> TokenDesk::send(const net::Request& request) {
  TRY(is_closed(request.url));
  // A token more than is needed does no harm.
  TRY_LET(auto sent, net::send_patiently(*client_, [&] { return Result<net::Request>(request); },
                                         patience_, clock_, random_, {}));
  return std::move(sent.response);
}

Result<Secret> TokenDesk::token_for(const std::string& audience) {
  if (identity_.from == Identity::From::file) return token_in(identity_.file);
  net::Request request;
  request.url = identity_.url +
                (identity_.url.find('?') == std::string::npos ? "?audience=" : "&audience=") +
                net::percent_encoded(audience);
  request.headers = {{"authorization", "Bearer " + identity_.with.reveal()},
                     {"accept", "application/json"}};
  request.secrets = {identity_.with};
  request.timeout = token_timeout;
  TRY_LET(const auto response, send(request).in("asking GitHub for the job's token"));
  const auto json = parse_json(response.body);
  const auto* value =
      json && json->is_object() && json->contains("value") ? &json->at("value") : nullptr;
  if (response.status == 200 && value != nullptr && value->is_string())
    return Secret(value->get<std::string>());
  return fail(Fault::denied,
              fmt::format("GitHub gives this job no token ({}): it needs permissions: "
                          "{{ id-token: write }}",
                          response.status));
}

Result<net::Response> TokenDesk::exchange(const std::string& url,
                                          const std::map<std::string, Secret>& form) {
  net::Query fields;
  for (const auto& [name, value] : form) fields[name] = value.reveal();
  net::Request request;
  request.url = url;
  request.method = "POST";
  request.body = net::query_text(fields);
  request.headers = {{"content-type", "application/x-www-form-urlencoded"},
                     {"accept", "application/json"}};
  // Not the words that an answer is read by.
  for (const auto* name : {"WebIdentityToken", "client_assertion"}) {
    const auto token = form.find(name);
    if (token != form.end()) request.secrets.push_back(token->second);
  }
  request.timeout = token_timeout;
  return send(request);
}

}  // namespace belay::storage
