// SPDX-License-Identifier: Apache-2.0
// A container of Azure Blob Storage.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "net/patience.hpp"
#include "storage/identity.hpp"
#include "storage/lock.hpp"
#include "storage/storage.hpp"

namespace belay::storage {

// An application in Microsoft Entra that takes the right identity for itself.
struct AzureRole {
  std::string tenant, client;
  std::string authority = "https://login.microsoftonline.com";
  Identity identity;
};

struct AzureConfig {
  std::string account, container;
  std::string prefix;    // "shop/production/": before the name of each object; or empty
  std::string endpoint;  // "https://host[/account]"; empty: Azure's of the account
  Secret key;            // the account's (base64) ...
  Secret sas;            // ... or a shared access signature: "sv=...&sig=..."
  AzureRole role = {};   // ... or, with an identity, its token, renewed in time
  Lock lock = {};
  std::size_t part_bytes = std::size_t{16} << 20;  // larger objects go up in blocks
  std::size_t lanes = 2;                           // parts on their way at once
  Millis timeout{120'000};                         // of one request
  net::Patience patience = {};
  net::Trust trust = {};
};

// Connects to nothing yet. The container must be there; the key or the signature must let list,
// read, create, write and delete. All blocks of a large object that an earlier, interrupted put has
// left are used again. invalid: no account or container, an endpoint that is no URL, a key that is
// not base64, no key, signature or identity.
Result<std::unique_ptr<Storage>> make_azure(AzureConfig config, Clock& clock, Random& random);

}  // namespace belay::storage
