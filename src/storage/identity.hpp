// SPDX-License-Identifier: Apache-2.0
// Who runs us, said by somebody whom a cloud trusts: for keys that hold for an hour, so that none
// has to be kept.
#pragma once

#include <functional>
#include <mutex>
#include <optional>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "net/patience.hpp"
#include "net/trust.hpp"

namespace belay::storage {

struct Identity {
  enum class From { nobody, github, file } from = From::nobody;
  std::string url;  // github: where a job asks for its token (ACTIONS_ID_TOKEN_REQUEST_URL) ...
  Secret with;      // ... and with what (ACTIONS_ID_TOKEN_REQUEST_TOKEN)
  Path file;        // file: others keep it fresh there
  net::Trust trust = {};
};

// Asks the places that give tokens. Safe from many threads.
class TokenDesk {
 public:
  TokenDesk(Identity identity, const net::Patience& patience, Clock& clock, Random& random);

  // Our token for that audience; a file has it as it is. denied, missing.
  Result<Secret> token_for(const std::string& audience);
  // Sends a form (its fields are secret) and takes any whole answer. invalid: the way there is
  // open.
  Result<net::Response> exchange(const std::string& url, const std::map<std::string, Secret>& form);
  Clock& clock() { return clock_; }

 private:
  Result<net::Response> send(const net::Request& request);

  Identity identity_;
  net::Patience patience_;
  Clock& clock_;
  Random& random_;
  std::unique_ptr<net::Client> client_;
};

// Something that holds for a while only. Safe from many threads.
template <class T>
class Fleeting {
 public:
  struct Fresh {
    T value;
    Millis holds{0};
  };

  // A new one when a fifth of its time is left, or less. As long as the old one holds, it is used
  // where there is no new one to be had.
  Result<T> get(Clock& clock, const std::function<Result<Fresh>()>& renew) {
    const std::lock_guard lock(mutex_);
    const Millis left = ends_ - clock.steady();
    if (value_ && left > time_ / 5) return *value_;
    const auto asked = clock.steady();
    auto fresh = renew();
    if (!fresh && value_ && left > Millis(0)) return *value_;
    if (!fresh) return std::move(fresh).error();
    value_ = std::move(fresh->value);
    time_ = fresh->holds;
    ends_ = asked + time_;
    return *value_;
  }
  // It is not taken any more, whatever its time. False: there was none.
  bool forget() {
    const std::lock_guard lock(mutex_);
    const bool had = value_.has_value();
    value_.reset();
    return had;
  }

 private:
  std::mutex mutex_;
  std::optional<T> value_;
  Millis time_{0}, ends_{0};
};

}  // namespace belay::storage
