// SPDX-License-Identifier: Apache-2.0
// The ports that an environment's versions get, one after the other from its range. Several
// projects of a machine may have the same range: each begins at a place of its own in it.
#pragma once

#include <cstdint>
#include <set>

#include "base/file.hpp"
#include "base/result.hpp"

namespace belay::target {

class Ports {
 public:
  // `folder`: of the environment; it keeps last_port and ports.lock beside services/.
  Ports(Path folder, int first, int last)
      : folder_(std::move(folder)), first_(first), last_(last) {}

  // A port on which nobody listens and that no version of this environment has, written into
  // `service` before it is given. refused when there is none.
  Result<std::uint16_t> assign(const Path& service) const;
  // What assign() wrote; 0: none.
  static std::uint16_t of(const Path& service);

 private:
  int begin() const;
  std::set<std::uint16_t> assigned() const;

  Path folder_;
  int first_, last_;
};

}  // namespace belay::target
