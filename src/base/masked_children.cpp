// SPDX-License-Identifier: Apache-2.0
#include "base/masked_children.hpp"

namespace belay {

namespace {

// One stream after the other: what the first lets through goes to the next.
class Chain {
 public:
  explicit Chain(const std::vector<Masker>& maskers) {
    for (const auto& masker : maskers) streams_.emplace_back(masker);
  }

  std::string feed(std::string_view chunk) {
    std::string text(chunk);
    for (auto& stream : streams_) text = stream.feed(text);
    return text;
  }

  std::string finish() {
    std::string text;
    for (auto& stream : streams_) {
      text = stream.feed(text);
      text += stream.finish();
    }
    return text;
  }

 private:
  std::vector<MaskedStream> streams_;
};

std::string masked(const std::vector<Masker>& maskers, std::string text) {
  for (const auto& masker : maskers) text = masker.mask(text);
  return text;
}

}  // namespace

void MaskedChildren::hide(std::function<Masker()> known) {
  std::lock_guard guard(mutex_);
  known_.push_back(std::move(known));
}

std::vector<Masker> MaskedChildren::maskers() const {
  std::lock_guard guard(mutex_);
  std::vector<Masker> all;
  for (const auto& known : known_) {
    Masker masker = known();
    if (masker.longest() > 0) all.push_back(std::move(masker));
  }
  return all;
}

Result<ChildStatus> MaskedChildren::wait(const std::string& key,
                                         const std::function<void(std::string_view)>& output,
                                         std::stop_token stop) {
  const auto all = maskers();
  Chain chain(all);
  const auto hear = [&](std::string_view chunk) {
    const auto text = chain.feed(chunk);
    if (!text.empty()) output(text);
  };
  auto status = output ? inner_->wait(key, hear, stop) : inner_->wait(key, {}, stop);
  if (const auto rest = chain.finish(); !rest.empty()) output(rest);
  if (!status || status->state != ChildState::ended) return status;
  TRY_LET(auto said, inner_->output(key));
  if (auto hidden = masked(all, said); hidden != said) TRY(inner_->keep(key, hidden));
  return status;
}

Result<std::string> MaskedChildren::output(const std::string& key) {
  TRY_LET(auto said, inner_->output(key));
  return masked(maskers(), std::move(said));
}

}  // namespace belay
