// SPDX-License-Identifier: Apache-2.0
#include "tests/fake/fake_prober.hpp"

namespace belay::probe {

Sample FakeProber::made(bool good, std::string text, Millis took) {
  Sample sample;
  sample.good = good;
  sample.text = std::move(text);
  sample.took = took;
  return sample;
}

void FakeProber::script(const std::string& key, std::vector<Sample> samples) {
  const std::lock_guard lock(mutex_);
  scripts_[key] = std::move(samples);
}

int FakeProber::asked(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = asked_.find(key);
  return found == asked_.end() ? 0 : found->second;
}

Sample FakeProber::next(const std::string& key, const std::stop_token& stop) {
  const std::lock_guard lock(mutex_);
  ++asked_[key];
  Sample sample = bad();
  if (const auto found = scripts_.find(key); found != scripts_.end() && !found->second.empty()) {
    sample = found->second.front();
    if (found->second.size() > 1) found->second.erase(found->second.begin());
  }
  if (clock_ != nullptr) clock_->advance(sample.took);
  if (stop.stop_requested()) sample.stopped = true;
  return sample;
}

Sample FakeProber::http(const HttpRequest& request, const Expectation&, std::stop_token stop) {
  return next(request.url, stop);
}

Sample FakeProber::tcp(const std::string& address, Millis, std::stop_token stop) {
  return next(address, stop);
}

Sample FakeProber::tls(const std::string& address, int, Millis, std::stop_token stop) {
  return next(address, stop);
}

Sample FakeProber::command(const std::string& shell_command,
                           const std::map<std::string, std::string>&, Millis,
                           std::stop_token stop) {
  return next(shell_command, stop);
}

}  // namespace belay::probe
