// SPDX-License-Identifier: Apache-2.0
// Microsoft Entra's access tokens for Azure Storage, against a token of a workload (OAuth 2.0
// client credentials with a federated assertion).
#pragma once

#include "storage/azure.hpp"
#include "storage/identity.hpp"

namespace belay::storage {

class AzureToken {
 public:
  AzureToken(AzureRole role, const net::Patience& patience, Clock& clock, Random& random);

  // For the authorization header. denied: says what Entra said.
  Result<Secret> get();
  bool forget() { return token_.forget(); }

 private:
  Result<Fleeting<Secret>::Fresh> renew();

  AzureRole role_;
  TokenDesk desk_;
  Fleeting<Secret> token_;
};

}  // namespace belay::storage
