// SPDX-License-Identifier: Apache-2.0
// An XML answer, strictly.
#pragma once

#include <cstdint>
#include <pugixml.hpp>
#include <string>

#include "base/result.hpp"

namespace belay::storage {

// The element that the whole answer is, by the beginning of its name (not all providers end it
// alike); corrupt when it is another. Lives as long as `document`.
Result<pugi::xml_node> root_of(pugi::xml_document& document, const std::string& xml,
                               const char* name);

// The number in that child; corrupt when there is none.
Result<std::uint64_t> number_in(const pugi::xml_node& node, const char* name);

}  // namespace belay::storage
