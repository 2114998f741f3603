// SPDX-License-Identifier: Apache-2.0
// Children whose words are masked before anybody hears or keeps them: a program that prints what it
// was given tells it to nobody.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/children.hpp"
#include "base/secret.hpp"

namespace belay {

class MaskedChildren final : public Children {
 public:
  explicit MaskedChildren(std::unique_ptr<Children> inner) : inner_(std::move(inner)) {}

  // What `known` holds when a child is listened to is hidden from then on. Safe from many threads.
  void hide(std::function<Masker()> known);

  Status start(const ChildSpec& spec) override { return inner_->start(spec); }
  Result<ChildStatus> look(const std::string& key) override { return inner_->look(key); }
  // When the child has ended, what is kept of its output is masked as well.
  Result<ChildStatus> wait(const std::string& key,
                           const std::function<void(std::string_view)>& output,
                           std::stop_token stop) override;
  Status end(const std::string& key, Millis grace) override { return inner_->end(key, grace); }
  Result<std::string> output(const std::string& key) override;
  Status keep(const std::string& key, std::string_view output) override {
    return inner_->keep(key, output);
  }
  Status forget(const std::string& key) override { return inner_->forget(key); }

 private:
  std::vector<Masker> maskers() const;

  std::unique_ptr<Children> inner_;
  mutable std::mutex mutex_;
  std::vector<std::function<Masker()>> known_;
};

}  // namespace belay
