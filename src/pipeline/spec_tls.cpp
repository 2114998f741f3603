// SPDX-License-Identifier: Apache-2.0
// Whose certificates hold, and whose are not looked at: one endpoint each, and why.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "pipeline/spec_parts.hpp"

namespace belay::pipeline {

namespace {

constexpr std::array schemes{"https://", "mongodb://", "mongodb+srv://"};

// "host" or "host:port", "[::1]:port"; in lower case, as all ends of Belay spell it.
bool is_host(std::string_view text) {
  const auto end = text.starts_with('[') ? text.find(']') : text.find(':');
  const auto host = text.substr(0, text.starts_with('[') && end != text.npos ? end + 1 : end);
  const auto port = text.substr(host.size());
  const bool fits =
      !host.empty() && host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_[]:") ==
                           std::string_view::npos;
  if (!fits || port.empty()) return fits;
  return port.size() > 1 && port.size() < 7 && port.front() == ':' &&
         port.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

void read_unchecked_endpoint(const Field& field, std::string& endpoint) {
  std::string text;
  field.text(text);
  if (text.empty()) return;
  const auto scheme = std::find_if(schemes.begin(), schemes.end(),
                                   [&](const char* each) { return text.starts_with(each); });
  if (text.starts_with("http://"))
    return field.complain("http:// has no certificate to look at; leave it out");
  if (text.find('*') != std::string::npos)
    return field.complain("expected one endpoint, not a pattern: each needs its own reason");
  if (scheme == schemes.end() || !is_host(std::string_view(text).substr(std::strlen(*scheme))))
    return field.complain(
        fmt::format("expected https://HOST, https://HOST:PORT or mongodb://HOST:PORT in lower "
                    "case, and nothing behind it; found \"{}\"",
                    text));
  endpoint = text;
}

void read_unchecked(const Field& field, Tls& tls) {
  Keys keys(field);
  Tls::Unchecked read;
  const auto endpoint =
      keys.required("endpoint", "whose it is, as in: endpoint: https://minio.internal:9000");
  read_unchecked_endpoint(endpoint, read.endpoint);
  keys.required("because", "say why; each command that connects there tells it").text(read.because);
  keys.also_called("url", "endpoint");
  keys.also_called("host", "endpoint");
  keys.also_called("reason", "because");
  keys.finish();
  if (read.endpoint.empty() || read.because.empty()) return;
  const bool twice = std::any_of(tls.unchecked.begin(), tls.unchecked.end(),
                                 [&](const auto& each) { return each.endpoint == read.endpoint; });
  if (twice) return endpoint.complain("written twice");
  tls.unchecked.push_back(std::move(read));
}

}  // namespace

void read_tls(const Field& field, Tls& tls) {
  if (!field) return;
  Keys keys(field);
  keys["ca"].text(tls.ca);
  for (const auto& each : keys["unchecked"].items()) read_unchecked(each, tls);
  for (const auto* word : {"ca_file", "cafile", "authorities"}) keys.also_called(word, "ca");
  for (const auto* word : {"insecure", "skip_verify", "verify"})
    keys.also_called(word, "unchecked");
  keys.finish();
}

}  // namespace belay::pipeline
