// SPDX-License-Identifier: Apache-2.0
// Looking into small BSON documents, for fakes.
#pragma once

#include <string>

#include "database/database.hpp"

namespace belay::fake {

using database::Bson;

// The value of a member as a document {"": value}, so that its bytes can be compared; empty: none.
Bson member(const Bson& document, const char* key);
bool truth(const Bson& document, const char* key);
std::string text(const Bson& document, const char* key);
// The only field of an index's key; empty when there are several.
std::string only_field(const Bson& index);
// `to` with the members of `changes` set; "index" is left out.
Bson merged(const Bson& to, const Bson& changes);
// A member that is a document; empty: none.
Bson inner(const Bson& document, const char* key);

}  // namespace belay::fake
