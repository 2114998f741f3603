// SPDX-License-Identifier: Apache-2.0
// Keys of a role that hold for an hour, against a token of a workload (STS,
// AssumeRoleWithWebIdentity).
#pragma once

#include "storage/identity.hpp"
#include "storage/s3.hpp"

namespace belay::storage {

class AwsRoleKeys {
 public:
  AwsRoleKeys(AwsRole role, const net::Patience& patience, Clock& clock, Random& random);

  // denied: says what STS said.
  Result<AwsKey> get();
  bool forget() { return key_.forget(); }

 private:
  Result<Fleeting<AwsKey>::Fresh> renew();

  AwsRole role_;
  TokenDesk desk_;
  Fleeting<AwsKey> key_;
};

}  // namespace belay::storage
