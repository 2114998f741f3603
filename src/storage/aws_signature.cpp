// SPDX-License-Identifier: Apache-2.0
#include "storage/aws_signature.hpp"

#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "net/url.hpp"

namespace belay::storage {

namespace {

std::string bytes_of(const Sha256& digest) {
  return {digest.begin(), digest.end()};
}

// "20260105T101500Z"
std::string stamp_of(TimePoint now) {
  std::string stamp = to_tag_stamp(now);
  stamp[8] = 'T';
  return stamp + "Z";
}

struct Signed {
  std::string canonical, names;
};

Signed signed_headers(const std::map<std::string, std::string>& headers) {
  Signed all;
  for (const auto& [name, value] : headers) {
    all.canonical += fmt::format("{}:{}\n", name, trim(value));
    all.names += (all.names.empty() ? "" : ";") + name;
  }
  return all;
}

std::string signing_key(const AwsKey& key, std::string_view day, std::string_view region) {
  auto bytes = bytes_of(hmac_sha256("AWS4" + key.secret.reveal(), day));
  for (const auto part : {region, std::string_view("s3"), std::string_view("aws4_request")})
    bytes = bytes_of(hmac_sha256(bytes, part));
  return bytes;
}

}  // namespace

Status sign_for_aws(net::Request& request, const AwsKey& key, const std::string& region,
                    TimePoint now) {
  TRY_LET(const auto url, net::parse_url(request.url));
  const auto stamp = stamp_of(now), day = stamp.substr(0, 8);
  auto& headers = request.headers;
  headers["x-amz-date"] = stamp;
  if (!headers.contains("x-amz-content-sha256"))
    headers["x-amz-content-sha256"] = sha256_hex(request.bytes());
  if (!key.session.empty()) headers["x-amz-security-token"] = key.session.reveal();
  auto with_host = headers;
  with_host["host"] = url.authority;
  const auto all = signed_headers(with_host);
  const auto canonical = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, url.path, url.query,
                                     all.canonical, all.names, headers["x-amz-content-sha256"]);
  const auto scope = fmt::format("{}/{}/s3/aws4_request", day, region);
  const auto to_sign =
      fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", stamp, scope, sha256_hex(canonical));
  headers["authorization"] =
      fmt::format("AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={},Signature={}", key.id, scope,
                  all.names, hex(hmac_sha256(signing_key(key, day, region), to_sign)));
  return {};
}

}  // namespace belay::storage
