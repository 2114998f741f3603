// SPDX-License-Identifier: Apache-2.0
// Requests to a container: made, signed, sent, refused.
#pragma once

#include "storage/azure.hpp"
#include "storage/azure_token.hpp"
#include "storage/remote.hpp"

namespace belay::storage {

class AzureContainer {
 public:
  // `base`: the container's own URL; `key`: the account's bytes, where they are what signs.
  AzureContainer(AzureConfig config, net::Url base, std::string key, Clock& clock, Random& random);

  const AzureConfig& config() const { return config_; }
  Remote& remote() { return remote_; }
  std::string key_of(const std::string& name) const { return config_.prefix + name; }
  std::string where() const { return "azblob:" + config_.container + "/" + config_.prefix; }

  Result<net::Request> request_of(const Ask& wanted, TimePoint now);
  Result<net::Sent> ask(const Ask& wanted);
  Error refusal(const net::Response& response, const std::string& name) const;

 private:
  AzureConfig config_;
  net::Url base_;
  std::string key_;
  Remote remote_;
  std::optional<AzureToken> token_;
};

// "BlobNotFound"; "" when it says none.
std::string azure_code(const net::Response& response);

}  // namespace belay::storage
