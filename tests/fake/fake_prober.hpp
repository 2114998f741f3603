// SPDX-License-Identifier: Apache-2.0
// A prober that answers by script: by URL, address or command, one sample a call, the last one
// repeated. What has no script is refused. `took` moves the clock when one is given.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "probe/probe.hpp"
#include "tests/support/fake_world.hpp"

namespace belay::probe {

class FakeProber final : public Prober {
 public:
  explicit FakeProber(FakeClock* clock = nullptr) : clock_(clock) {}

  static Sample good(Millis took = Millis(10)) { return made(true, "200", took); }
  static Sample bad(std::string text = "connection refused") {
    return made(false, std::move(text), Millis(1));
  }
  // The key is the whole URL, the address or the shell command.
  void script(const std::string& key, std::vector<Sample> samples);
  int asked(const std::string& key) const;

  Sample http(const HttpRequest& request, const Expectation& expected,
              std::stop_token stop) override;
  Sample tcp(const std::string& address, Millis timeout, std::stop_token stop) override;
  Sample tls(const std::string& address, int days_left, Millis timeout,
             std::stop_token stop) override;
  Sample command(const std::string& shell_command, const std::map<std::string, std::string>& env,
                 Millis timeout, std::stop_token stop) override;

 private:
  static Sample made(bool good, std::string text, Millis took);
  Sample next(const std::string& key, const std::stop_token& stop);

  FakeClock* clock_;
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<Sample>> scripts_;
  std::map<std::string, int> asked_;
};

}  // namespace belay::probe
