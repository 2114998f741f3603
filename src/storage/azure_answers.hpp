// SPDX-License-Identifier: Apache-2.0
// What Azure Blob Storage answers, read from its XML. corrupt when it is not what the reference
// says.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "storage/storage.hpp"

namespace belay::storage {

// ": why", the first line of an answer that says no; "" when the text is not Azure's.
std::string azure_refusal(const std::string& xml);

struct AzurePage {
  std::vector<Object> objects;  // whole names
  std::string next;             // the marker of the next page; empty: this was the last
};
Result<AzurePage> azure_page(const std::string& xml);

// What stands under a name, or stood.
struct AzureVersion {
  std::string name, id;  // later text is later
  bool current = false;  // what readers are shown
  std::optional<TimePoint> until;
};
struct AzureVersions {
  std::vector<AzureVersion> versions;
  std::string next;  // as above
};
Result<AzureVersions> azure_versions(const std::string& xml);

Result<std::vector<std::string>> azure_blocks(const std::string& xml);  // those not yet committed
// Headers of a request that puts a date, for good.
std::map<std::string, std::string> azure_lock(TimePoint until);
std::string azure_commit(const std::vector<std::string>& blocks);  // the request's body

}  // namespace belay::storage
