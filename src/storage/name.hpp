// SPDX-License-Identifier: Apache-2.0
// What every provider takes as an object's name.
#pragma once

#include <string>

#include "base/result.hpp"

namespace belay::storage {

// "a/b/c" of letters, digits, '-', '_', '.'; no part is empty or begins with a dot. invalid
// otherwise.
Status check_name(const std::string& name);

}  // namespace belay::storage
