// SPDX-License-Identifier: Apache-2.0
#include "storage/s3_bucket.hpp"

#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/md5.hpp"
#include "base/text.hpp"
#include "storage/s3_answers.hpp"

namespace belay::storage {

S3Bucket::S3Bucket(S3Config config, net::Url base, Clock& clock, Random& random)
    : config_(std::move(config)),
      base_(std::move(base)),
      remote_(config_.patience, config_.trust, clock, random) {
  if (config_.role.identity.from == Identity::From::nobody) return;
  role_.emplace(config_.role, config_.patience, clock, random);
  remote_.on_stale([this](const net::Response& response) {
    return s3_said(response, "ExpiredToken") && role_->forget();
  });
}

Result<net::Request> S3Bucket::request_of(const Ask& wanted, TimePoint now) {
  net::Request request;
  auto url = base_;
  url.path += net::percent_encoded(wanted.key, "/");
  url.query = net::query_text(wanted.query);
  request.url = net::to_text(url);
  request.method = wanted.method;
  request.headers = wanted.headers;
  request.body = wanted.body;
  request.large_body = wanted.content;
  request.timeout = config_.timeout;
  request.largest_body = largest_object;
  if (wanted.method == "PUT" || wanted.method == "POST")
    request.headers.try_emplace("content-type", "application/octet-stream");
  if (wanted.locked) {
    request.headers["x-amz-object-lock-mode"] = "COMPLIANCE";
    request.headers["x-amz-object-lock-retain-until-date"] = s3_date(config_.lock.until(now));
  }
  // Amazon wants it with all that is locked, parts too.
  if (config_.lock.time > Millis(0) && !request.bytes().empty())
    request.headers["content-md5"] = base64_md5_of(request.bytes());
  TRY_LET(const auto key, role_ ? role_->get() : Result<AwsKey>(config_.key));
  request.secrets = {Secret(key.id), key.secret, key.session};
  TRY(sign_for_aws(request, key, config_.region, now));
  return request;
}

Result<net::Sent> S3Bucket::ask(const Ask& wanted) {
  return remote_.ask([&](TimePoint now) { return request_of(wanted, now); }).in(where());
}

Error S3Bucket::refusal(const net::Response& response, const std::string& key) const {
  const auto [code, message] = s3_refusal(response.body);
  const auto region = response.header("x-amz-bucket-region");
  if (!region.empty() && region != config_.region) {
    return fail(Fault::invalid, fmt::format("the bucket {} is in the region {}, not in {}",
                                            config_.bucket, printable(region), config_.region));
  }
  const auto text =
      fmt::format("s3:{}/{}: {} {}{}{}", config_.bucket, key, response.status, printable(code),
                  message.empty() ? "" : ": ", printable(message.substr(0, 300)));
  if (code == "NoSuchBucket") return fail(Fault::missing, "there is no bucket " + config_.bucket);
  switch (response.status) {
    case 403: return fail(Fault::denied, text);
    case 404:
      return fail(Fault::missing,
                  fmt::format("there is no {}{}", where(),
                              key.substr(std::min(key.size(), config_.prefix.size()))));
    case 409:
    case 412: return fail(Fault::conflict, text);
    case 501: return fail(Fault::refused, text + " (conditional writes are needed)");
    default: break;
  }
  return response.status < 500 ? fail(Fault::refused, text)
                               : unknown_effect(Fault::unreachable, text);
}

std::string s3_date(TimePoint at) {
  return to_text(at).substr(0, 19) + "Z";
}

bool s3_said(const net::Response& response, std::string_view code) {
  return s3_refusal(response.body).code == code;
}

}  // namespace belay::storage
