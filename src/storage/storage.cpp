// SPDX-License-Identifier: Apache-2.0
#include "storage/storage.hpp"

#include <algorithm>

namespace belay::storage {

Result<std::string> Storage::get_part(const std::string& name, std::uint64_t from,
                                      std::uint64_t count) {
  TRY_LET(const auto whole, get(name));
  return whole.substr(std::min<std::uint64_t>(from, whole.size()), count);
}

}  // namespace belay::storage
