// SPDX-License-Identifier: Apache-2.0
// Requests to a bucket: made, signed, sent, refused.
#pragma once

#include "storage/aws_role.hpp"
#include "storage/remote.hpp"
#include "storage/s3.hpp"

namespace belay::storage {

class S3Bucket {
 public:
  // `base`: the bucket's own URL, ending with a slash.
  S3Bucket(S3Config config, net::Url base, Clock& clock, Random& random);

  const S3Config& config() const { return config_; }
  Remote& remote() { return remote_; }
  std::string key_of(const std::string& name) const { return config_.prefix + name; }
  std::string where() const { return "s3:" + config_.bucket + "/" + config_.prefix; }

  Result<net::Request> request_of(const Ask& wanted, TimePoint now);
  Result<net::Sent> ask(const Ask& wanted);
  Error refusal(const net::Response& response, const std::string& key) const;

 private:
  S3Config config_;
  net::Url base_;
  Remote remote_;
  std::optional<AwsRoleKeys> role_;
};

std::string s3_date(TimePoint at);  // to the second
bool s3_said(const net::Response& response, std::string_view code);

}  // namespace belay::storage
