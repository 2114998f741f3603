// SPDX-License-Identifier: Apache-2.0
// Azure's Shared Key in a request's headers. Source: "Authorize with Shared Key" of the Azure
// Storage REST reference (Blob service, versions from 2015-02-21 on).
#pragma once

#include "net/http.hpp"
#include "net/url.hpp"

namespace belay::storage {

// Adds authorization to a request that has x-ms-date, x-ms-version and whatever else it sends;
// names of headers are in lower case. `query` is what the URL's query was made of, `key` the
// account's bytes. invalid when the URL is none.
Status sign_for_azure(net::Request& request, const net::Query& query, const std::string& account,
                      std::string_view key);

}  // namespace belay::storage
