// SPDX-License-Identifier: Apache-2.0
// What a rewind discarded and a run puts back: as a plan's arguments say it, as a result tells it.
#pragma once

#include "base/json.hpp"
#include "vault/rewind.hpp"

namespace belay::engine {

// {"apply": salvage, "added": bool, "collection": "shop.orders", "id": Extended JSON}; a choice
// that is not made is left out. invalid: the id is no value.
Result<vault::ApplyChoice> apply_choice(const Json& args);

// The counts, and some of what is left alone.
Json to_json(const vault::ApplyReport& report);
// "3 documents put back, 1 replaced, 0 removed; 2 were there already; 1 left alone"; of to_json's.
std::string put_back_text(const Json& report);

}  // namespace belay::engine
