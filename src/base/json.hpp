// SPDX-License-Identifier: Apache-2.0
// JSON values. The library's header is heavy: it is part of the precompiled header.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
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

// What others answer is looked at with these only: nothing that is missing, or of another kind,
// throws. Null when it is not there.
const Json& member_in(const Json& json, const char* member);
// "" when it is not there, or no text; false when it is not true.
std::string text_in(const Json& json, const char* member);
bool flag_in(const Json& json, const char* member);
// Nothing when it is not there, or no whole number.
std::optional<std::int64_t> number_in(const Json& json, const char* member);

}  // namespace belay
