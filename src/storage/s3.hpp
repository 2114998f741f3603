// SPDX-License-Identifier: Apache-2.0
// A bucket of Amazon S3, or of what speaks its language (MinIO, R2, B2, ...).
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "net/patience.hpp"
#include "storage/aws_signature.hpp"
#include "storage/identity.hpp"
#include "storage/lock.hpp"
#include "storage/storage.hpp"

namespace belay::storage {

// A role whose keys are given to whoever has the right identity.
struct AwsRole {
  std::string arn;
  std::string sts;  // "https://host/", the service that gives them; empty: Amazon's of the region
  Identity identity;
};

struct S3Config {
  std::string bucket;
  std::string prefix;  // "shop/production/": before the name of each object; or empty
  std::string region = "us-east-1";
  std::string endpoint;     // "https://host"; empty: Amazon's of the region
  bool path_style = false;  // https://host/bucket/... instead of https://bucket.host/...
  AwsKey key;
  AwsRole role = {};  // with an identity: its keys are used instead, and renewed in time
  Lock lock = {};
  std::size_t part_bytes = std::size_t{16} << 20;  // larger objects go up in parts; at least 5 MiB
  std::size_t lanes = 2;                           // parts on their way at once
  Millis timeout{120'000};                         // of one request
  net::Patience patience = {};
  net::Trust trust = {};
};

// Connects to nothing yet. What must be in the account: the bucket, and for the key the rights to
// list it and to get, put and delete objects (with those of multipart uploads). Writes need
// conditional ones (If-None-Match), which Amazon, MinIO and R2 have. All parts of a large object
// that an earlier, interrupted put has left are used again. With a lock (compliance mode) the
// bucket must have object lock, and the key the rights to list, read and delete versions, and to
// read and put retention; what is removed is then gone in all its versions above. invalid when the
// endpoint is no URL, or there is no bucket.
Result<std::unique_ptr<Storage>> make_s3(S3Config config, Clock& clock, Random& random);

}  // namespace belay::storage
