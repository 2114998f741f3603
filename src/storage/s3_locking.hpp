// SPDX-License-Identifier: Apache-2.0
// Object lock of a bucket: dates, versions, and what hides them.
#pragma once

#include "storage/locking.hpp"
#include "storage/s3_answers.hpp"
#include "storage/s3_bucket.hpp"

namespace belay::storage {

class S3Locking final : public DatedLocking {
 public:
  explicit S3Locking(S3Bucket& bucket)
      : DatedLocking(bucket.where(), bucket.config().lock, bucket.remote()), bucket_(bucket) {}

  Result<std::vector<std::string>> hidden() override;
  Status uncover(const std::string& name) override;
  Status check() override;

 private:
  Result<std::optional<Shown>> look(const std::string& name) override;
  Status extend(const std::string& name, const Shown& shown, TimePoint until) override;
  Status erase(const std::string& name, const Shown& shown) override;
  Status mark_removed(const std::string& name) override;

  // Of that version; none: what readers are shown.
  Result<std::optional<Shown>> look_at(const std::string& key, const std::string& version);
  Status erase_version(const std::string& key, const std::string& version);
  // By key, and newest first within each.
  Result<std::vector<S3Version>> versions(const std::string& prefix);
  // How many of one key's versions lie over the newest that is locked; none: none is locked.
  using From = std::vector<S3Version>::const_iterator;
  Result<std::optional<std::ptrdiff_t>> depth(From begin, From end);

  S3Bucket& bucket_;
};

}  // namespace belay::storage
