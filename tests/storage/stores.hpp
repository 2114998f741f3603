// SPDX-License-Identifier: Apache-2.0
// Stores over HTTP for tests: the real programs where they are, else their emulators, started once
// a test program. Each store has a prefix of its own. Behind a proxy, to be troubled.
#pragma once

#include <memory>

#include "storage/azure.hpp"
#include "storage/s3.hpp"

namespace belay::testing {

// moto (the tools folder's Python has it): checks signatures and rights.
struct S3Server {
  int port = 0;
  storage::S3Config config;  // of its bucket, with a fresh prefix
  // moto's: a role whose keys may do the same. Its STS gives none to who does not sign.
  std::string role = {};
  storage::AwsKey role_key = {};
};
S3Server s3_server();

// What STS answers to who may have these keys.
std::string sts_answer(const storage::AwsKey& key, TimePoint until);

// The server's other bucket, which has object lock.
storage::S3Config with_lock(storage::S3Config config, Millis time = std::chrono::hours(1));

// A MinIO is used as well where $BELAY_MINIO names one, or PATH has it.
bool has_minio();
S3Server minio_server();

// Azurite (from the tools folder): checks signatures.
struct AzureServer {
  int port = 0;
  storage::AzureConfig config;
};
AzureServer azure_server();

// The same over TLS, for access tokens. Its authority is trusted in this process from then on.
AzureServer azure_oauth_server();

// Does not wait long for anything.
net::Patience impatience();

}  // namespace belay::testing
