// SPDX-License-Identifier: Apache-2.0
// A store in memory, with trouble by plan: the Nth call fails, loses its reply, or is the last
// before the process dies; stored bytes flip, are cut off, vanish. Safe from many threads.
#pragma once

#include <map>
#include <mutex>
#include <set>

#include "storage/storage.hpp"

namespace belay::fake {

class FakeStorage final : public storage::Storage {
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

  Status put(const std::string& name, std::string_view content) override;
  Result<std::string> get(const std::string& name) override;
  Result<std::vector<storage::Object>> list(const std::string& prefix) override;
  Status remove(const std::string& name) override;
  Result<bool> exists(const std::string& name) override;
  std::string where() const override { return "fake:store"; }

 private:
  enum class Turn { fine, fail, lost };
  Turn turn();

  mutable std::mutex mutex_;
  std::map<std::string, std::string> objects_;
  std::set<int> failing_, losing_;
  int calls_ = 0, death_ = 0;
  bool half_ = false;
  std::size_t largest_put_ = 0;
};

}  // namespace belay::fake
