// SPDX-License-Identifier: Apache-2.0
// JSON values. The library's header is heavy: it is part of the precompiled header.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace belay {

using Json = nlohmann::json;

// A parse error names the byte and what was expected there.
Result<Json> parse_json(std::string_view text);

// One text for one value: keys sorted by byte, no spaces, UTF-8 kept, invalid UTF-8 replaced.
// Digests and signatures are made over it.
std::string canonical(const Json& value);

}  // namespace belay
