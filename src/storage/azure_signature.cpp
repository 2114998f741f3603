// SPDX-License-Identifier: Apache-2.0
#include "storage/azure_signature.hpp"

#include <algorithm>
#include <array>

#include "base/hash.hpp"
#include "base/lower_case.hpp"
#include "base/text.hpp"

namespace belay::storage {

namespace {

std::string header_of(const net::Request& request, const char* name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? "" : found->second;
}

std::string plain_headers(const net::Request& request) {
  // The date is in x-ms-date.
  constexpr std::array names{"content-encoding",
                             "content-language",
                             "content-length",
                             "content-md5",
                             "content-type",
                             "date",
                             "if-modified-since",
                             "if-match",
                             "if-none-match",
                             "if-unmodified-since",
                             "range"};
  std::string text;
  for (const auto* name : names) {
    const bool length = std::string_view(name) == "content-length" && !request.bytes().empty();
    text += (length ? std::to_string(request.bytes().size()) : header_of(request, name)) + "\n";
  }
  return text;
}

}  // namespace

Status sign_for_azure(net::Request& request, const net::Query& query, const std::string& account,
                      std::string_view key) {
  TRY_LET(const auto url, net::parse_url(request.url));
  std::string text = request.method + "\n" + plain_headers(request);
  for (const auto& [name, value] : request.headers) {
    if (name.starts_with("x-ms-")) text += name + ":" + std::string(trim(value)) + "\n";
  }
  text += "/" + account + url.path;
  std::map<std::string, std::string> named;
  for (const auto& [name, value] : query) named[lower_case(name)] = value;
  for (const auto& [name, value] : named) text += "\n" + name + ":" + value;
  const auto mac = hmac_sha256(key, text);
  request.headers["authorization"] =
      "SharedKey " + account + ":" +
      base64({reinterpret_cast<const char*>(mac.data()), mac.size()});
  return {};
}

}  // namespace belay::storage
