// SPDX-License-Identifier: Apache-2.0
// An object, or a part of it, on its way here over connections that may be cut: what has come is
// kept, the rest is asked for, and all of it is of one version.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "net/http.hpp"

namespace belay::storage {

class Download {
 public:
  Download() = default;
  // `count` bytes from `from` on.
  Download(std::uint64_t from, std::uint64_t count);

  // Of the next request: which bytes, and of which version.
  std::map<std::string, std::string> headers() const;

  // From an answer that was cut: what can be gone on from.
  void keep(net::Response&& unfinished);
  // From one that came whole. done: it is all here; again: ask by the new headers(), because a part
  // is missing, or because the object is another one than before and all begins anew; no: the
  // answer, untouched, says why not.
  enum class Step { done, again, no };
  Step take(net::Response& whole);

  std::size_t here() const { return bytes_.size(); }
  std::string bytes() &&;

 private:
  bool add(net::Response&& response);
  bool fits(const net::Response& response, std::uint64_t at) const;
  bool is_all() const;
  void begin_anew();
  Step anew();

  std::uint64_t from_ = 0;
  std::optional<std::uint64_t> count_;
  bool only_look_ = false;  // no bytes are wanted, but whether it is there
  std::string bytes_;
  std::string version_;                 // its ETag
  std::optional<std::uint64_t> whole_;  // bytes of the object, once it is known
};

}  // namespace belay::storage
