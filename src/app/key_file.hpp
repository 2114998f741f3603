// SPDX-License-Identifier: Apache-2.0
// Keys of our own, each in a file of the state folder, 0600.
#pragma once

#include <optional>

#include "base/file.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"

namespace belay::app {

// None when there is no such file.
Result<std::optional<Secret>> key_in(const Path& path);

// Whoever is second takes what is there: a key that was used is never written over. False for him.
Result<bool> put_key(const Path& path, const Secret& key, Random& random);

}  // namespace belay::app
