// SPDX-License-Identifier: Apache-2.0
// AWS Signature Version 4 in a request's headers, as S3 wants it: the path encoded once and taken
// as it stands. Source: "Authenticating Requests: Using the Authorization Header" of the Amazon S3
// API reference.
#pragma once

#include <string>
#include <string_view>

#include "base/secret.hpp"
#include "net/http.hpp"

namespace belay::storage {

struct AwsKey {
  std::string id;
  Secret secret;
  Secret session;  // of temporary keys; else empty
};

// Adds x-amz-date, x-amz-content-sha256 (unless it is there), x-amz-security-token and
// authorization; signs these, the host and every header that is there. Names of headers are in
// lower case. The URL's query is one of net::query_text. `now` is the server's time, to about 15
// minutes. invalid when the URL is none.
Status sign_for_aws(net::Request& request, const AwsKey& key, const std::string& region,
                    TimePoint now);

}  // namespace belay::storage
