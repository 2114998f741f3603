// SPDX-License-Identifier: Apache-2.0
// A store in memory, with trouble by plan: the Nth call fails, loses its reply, or is the last
// before the process dies; stored bytes flip, are cut off, vanish. Safe from many threads.
#pragma once

#include <map>
#include <mutex>
#include <set>

#include "base/clock.hpp"
#include "storage/storage.hpp"

namespace belay::fake {

class FakeStorage final : public storage::Storage, public storage::Locking {
 public:
  // Calls are counted from 1, all kinds together.
  void fail_call(int nth) { failing_.insert(nth); }
  void lose_reply(int nth) { losing_.insert(nth); }
  // The nth call and all later ones fail; `half`: the nth is done, and then nobody is told.
  void die_at(int nth, bool half = false) {
    death_ = nth;
    half_ = half;
  }
  // All trouble ends, and counting begins anew.
  void revive();
  int calls() const;

  // To stored objects, behind everybody's back.
  void flip(const std::string& name, std::size_t byte, int bit = 0);
  void cut(const std::string& name, std::size_t bytes_left);
  void drop(const std::string& name);
  std::string content(const std::string& name) const;
  std::vector<std::string> names(const std::string& prefix = "") const;
  std::map<std::string, std::string> objects() const;
  void set_objects(std::map<std::string, std::string> objects);
  // The largest number of bytes that were handed over in one put.
  std::size_t largest_put() const { return largest_put_; }

  // What is put from now on, and kept, is locked for so long; leases are not.
  void lock(const Clock& clock, Millis time);
  std::optional<TimePoint> locked_until(const std::string& name) const;

  Status put(const std::string& name, std::string_view content) override;
  Result<std::string> get(const std::string& name) override;
  Result<std::vector<storage::Object>> list(const std::string& prefix) override;
  Status remove(const std::string& name) override;
  Result<bool> exists(const std::string& name) override;
  std::string where() const override { return "fake:store"; }
  storage::Locking* locking() override { return clock_ == nullptr ? nullptr : this; }

  Result<std::optional<TimePoint>> until(const std::string& name) override;
  Status keep(const std::string& name) override;
  Result<std::vector<std::string>> hidden() override { return std::vector<std::string>{}; }
  Status uncover(const std::string&) override { return {}; }
  Status check() override { return {}; }

 private:
  enum class Turn { fine, fail, lost };
  Turn turn();
  bool is_locked(const std::string& name) const;

  mutable std::mutex mutex_;
  std::map<std::string, std::string> objects_;
  std::set<int> failing_, losing_;
  int calls_ = 0, death_ = 0;
  bool half_ = false;
  std::size_t largest_put_ = 0;
  const Clock* clock_ = nullptr;
  Millis lock_{0};
  std::map<std::string, TimePoint> locked_;
};

}  // namespace belay::fake
