// SPDX-License-Identifier: Apache-2.0
// Version-level immutability of a container: dates, versions, and what hides them.
#pragma once

#include "storage/azure_answers.hpp"
#include "storage/azure_container.hpp"
#include "storage/locking.hpp"

namespace belay::storage {

class AzureLocking final : public DatedLocking {
 public:
  using Put = std::function<Status(const std::string& name, std::string_view content)>;
  AzureLocking(AzureContainer& container, Put put)
      : DatedLocking(container.where(), container.config().lock, container.remote()),
        container_(container),
        put_(std::move(put)) {}

  Result<std::vector<std::string>> hidden() override;
  // Another version cannot be made the current one: its bytes are put again.
  Status uncover(const std::string& name) override;
  Status check() override;

 private:
  Result<std::optional<Shown>> look(const std::string& name) override;
  Status extend(const std::string& name, const Shown& shown, TimePoint until) override;
  Status erase(const std::string& name, const Shown& shown) override;
  Status mark_removed(const std::string& name) override;

  // By name, and newest first within each.
  Result<std::vector<AzureVersion>> versions(const std::string& prefix);
  // The newest that is locked, when it is not what readers are shown; else `end`.
  using From = std::vector<AzureVersion>::const_iterator;
  From below(From begin, From end) const;

  AzureContainer& container_;
  Put put_;
};

}  // namespace belay::storage
