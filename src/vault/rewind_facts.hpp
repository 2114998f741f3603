// SPDX-License-Identifier: Apache-2.0
// What differs between two catalogue entries, and which way leads from one to the other.
#pragma once

#include "vault/bson_facts.hpp"

namespace belay::vault {

// Far enough for a TTL index to remove nothing.
constexpr std::int32_t never_expires = 2147483647;

const database::Bson* index_named(const database::Collection& facts, std::string_view name);
bool same_index(const database::Bson& a, const database::Bson& b);
bool same_index_but_expiry(const database::Bson& a, const database::Bson& b);
bool is_ttl(const database::Bson& index);
// All of the two entries, but for how long documents live.
bool same_but_expiry(const database::Collection& live, const database::Collection& wanted);
bool has_unique_index(const database::Collection& facts);
bool same_options(const database::Collection& a, const database::Collection& b);
// Some option differs that the server cannot change in place.
bool must_be_made_anew(const database::Collection& live, const database::Collection& wanted);
// collMod's members that lead from `live` to `wanted`; none when there is nothing to change.
std::optional<database::Bson> option_changes(const database::Collection& live,
                                             const database::Collection& wanted);
// Sorted by something other than compare_ids, or not at all.
bool is_ordered(const database::Collection& facts);
bool holds_documents(const database::Collection& facts);  // not a view
// "index price_1 is dropped": for people.
std::vector<std::string> catalogue_notes(const database::Collection& live,
                                         const database::Collection& wanted);

}  // namespace belay::vault
