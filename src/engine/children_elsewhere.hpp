// SPDX-License-Identifier: Apache-2.0
// The children of this machine, and what is known of those that an attempt began on another one:
// nothing. They are `unknown`, not absent.
#pragma once

#include <mutex>
#include <set>

#include "base/children.hpp"

namespace belay::engine {

class ChildrenElsewhere final : public Children {
 public:
  explicit ChildrenElsewhere(Children& here) : here_(here) {}

  // The attempt with this key was begun on another machine. Safe from many threads.
  void begun_elsewhere(const std::string& attempt_key);

  Status start(const ChildSpec& spec) override { return here_.start(spec); }
  Result<ChildStatus> look(const std::string& key) override;
  Result<ChildStatus> wait(const std::string& key,
                           const std::function<void(std::string_view)>& output,
                           std::stop_token stop) override {
    return here_.wait(key, output, stop);
  }
  Status end(const std::string& key, Millis grace) override { return here_.end(key, grace); }
  Result<std::string> output(const std::string& key) override { return here_.output(key); }
  Status keep(const std::string& key, std::string_view output) override {
    return here_.keep(key, output);
  }
  Status forget(const std::string& key) override { return here_.forget(key); }

 private:
  bool is_elsewhere(const std::string& key) const;

  Children& here_;
  mutable std::mutex mutex_;
  std::set<std::string> attempts_;
};

}  // namespace belay::engine
