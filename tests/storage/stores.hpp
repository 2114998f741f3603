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
};
S3Server s3_server();

// A MinIO is used as well where $BELAY_MINIO names one, or PATH has it.
bool has_minio();
S3Server minio_server();

// Azurite (from the tools folder): checks signatures.
struct AzureServer {
  int port = 0;
  storage::AzureConfig config;
};
AzureServer azure_server();

// Does not wait long for anything.
net::Patience impatience();

}  // namespace belay::testing
