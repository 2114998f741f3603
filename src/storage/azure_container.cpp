// SPDX-License-Identifier: Apache-2.0
#include "storage/azure_container.hpp"

#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/md5.hpp"
#include "base/text.hpp"
#include "net/date.hpp"
#include "storage/azure_answers.hpp"
#include "storage/azure_signature.hpp"

namespace belay::storage {

namespace {

// What of a shared access signature makes it one.
Secret signature_in(const Secret& sas) {
  const auto& text = sas.reveal();
  const auto at = text.find("sig=");
  if (at == std::string::npos) return Secret();
  return Secret(net::percent_decoded(text.substr(at + 4, text.find('&', at) - at - 4)));
}

constexpr const char* api_version = "2021-12-02";

}  // namespace

AzureContainer::AzureContainer(AzureConfig config, net::Url base, std::string key, Clock& clock,
                               Random& random)
    : config_(std::move(config)),
      base_(std::move(base)),
      key_(std::move(key)),
      remote_(config_.patience, config_.trust, clock, random) {
  if (config_.role.identity.from == Identity::From::nobody) return;
  token_.emplace(config_.role, config_.patience, clock, random);
  remote_.on_stale([this](const net::Response& response) {
    const bool stale = response.status == 401 || azure_code(response) == "AuthenticationFailed";
    return stale && token_->forget();
  });
}

Result<net::Request> AzureContainer::request_of(const Ask& wanted, TimePoint now) {
  net::Request request;
  auto url = base_;
  if (!wanted.key.empty()) url.path += "/" + net::percent_encoded(wanted.key, "/");
  url.query = net::query_text(wanted.query);
  if (!config_.sas.empty()) {
    url.query += (url.query.empty() ? "" : "&") + config_.sas.reveal();
  }
  request.url = net::to_text(url);
  request.method = wanted.method;
  request.headers = wanted.headers;
  request.headers["x-ms-version"] = api_version;
  request.headers["x-ms-date"] = net::http_date(now);
  request.body = wanted.body;
  request.large_body = wanted.content;
  request.timeout = config_.timeout;
  request.largest_body = largest_object;
  request.secrets = {config_.key, config_.sas, signature_in(config_.sas)};
  if (wanted.locked) request.headers.merge(azure_lock(config_.lock.until(now)));
  if (wanted.method == "PUT") {
    request.headers.try_emplace("content-type", "application/octet-stream");
    request.headers["content-md5"] = base64_md5_of(request.bytes());
  }
  if (token_) {
    TRY_LET(const auto token, token_->get());
    request.secrets.push_back(token);
    request.headers["authorization"] = "Bearer " + token.reveal();
  } else if (config_.sas.empty()) {
    TRY(sign_for_azure(request, wanted.query, config_.account, key_));
  }
  return request;
}

Result<net::Sent> AzureContainer::ask(const Ask& wanted) {
  return remote_.ask([&](TimePoint now) { return request_of(wanted, now); }).in(where());
}

Error AzureContainer::refusal(const net::Response& response, const std::string& name) const {
  const auto code = azure_code(response);
  const auto text = fmt::format("{}{}: {} {}{}", where(), name, response.status, printable(code),
                                printable(azure_refusal(response.body)));
  if (code == "ContainerNotFound")
    return fail(Fault::missing, "there is no container " + config_.container);
  switch (response.status) {
    case 401:
    case 403: return fail(Fault::denied, text);
    case 404: return fail(Fault::missing, "there is no " + where() + name);
    case 409:
    case 412: return fail(Fault::conflict, text);
    default: break;
  }
  return response.status < 500 ? fail(Fault::refused, text)
                               : unknown_effect(Fault::unreachable, text);
}

std::string azure_code(const net::Response& response) {
  return response.header("x-ms-error-code");
}

}  // namespace belay::storage
