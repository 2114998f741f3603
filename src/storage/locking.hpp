// SPDX-License-Identifier: Apache-2.0
// What the locks of S3 and of Azure have in common: each version of an object has a date.
#pragma once

#include <atomic>

#include "storage/lock.hpp"
#include "storage/remote.hpp"

namespace belay::storage {

class DatedLocking : public Locking {
 public:
  DatedLocking(std::string where, Lock lock, Remote& remote)
      : where_(std::move(where)), lock_(std::move(lock)), remote_(remote) {}

  Result<std::optional<TimePoint>> until(const std::string& name) final;
  Status keep(const std::string& name) final;
  // As Storage::remove(); the version itself goes, and nothing is left of it.
  Status remove(const std::string& name);
  // After the first object that was put: whether the store took its date. refused: it did not.
  Status see_once(const std::string& name);

 protected:
  struct Shown {
    std::string version;
    std::optional<TimePoint> until;  // also one that is past
    bool for_good = false;           // nobody may shorten it
  };
  // What readers are shown; nothing: there is none.
  virtual Result<std::optional<Shown>> look(const std::string& name) = 0;
  virtual Status extend(const std::string& name, const Shown& shown, TimePoint until) = 0;
  virtual Status erase(const std::string& name, const Shown& shown) = 0;
  virtual Status mark_removed(const std::string& name) = 0;

  bool holds(const std::optional<TimePoint>& until) const {
    return until && *until > remote_.server_time();
  }
  bool covers(const std::string& name) const { return lock_.holds(name); }

 private:
  std::string where_;
  Lock lock_;
  Remote& remote_;
  std::atomic<bool> seen_{false};
};

}  // namespace belay::storage
