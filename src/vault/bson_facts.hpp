// SPDX-License-Identifier: Apache-2.0
// Options and indexes as the server lists them: small documents whose top-level order means
// nothing. Reading, comparing and writing them; documents of users are never taken apart here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "database/database.hpp"

namespace belay::vault {

struct Field {
  std::string_view name;
  std::uint8_t type = 0;
  std::string_view value;  // its raw bytes
};

// The top-level members, as views into `document`; empty when it is malformed.
std::vector<Field> fields(std::string_view document);
std::optional<Field> field(std::string_view document, std::string_view name);
// A string member's text, or "".
std::string_view text_of(std::string_view document, std::string_view name);
bool is_true(const std::optional<Field>& member);

// 1 = 1.0 = Long 1, as the server compares.
bool equal_values(const Field& a, const Field& b);
// The same members with equal values, in any order; members for which `ignored` holds do not count.
bool equal_facts(std::string_view a, std::string_view b, bool (*ignored)(const Field&));

class BsonBuilder {
 public:
  BsonBuilder& add(std::string_view name, std::uint8_t type, std::string_view value);
  BsonBuilder& add(const Field& member) { return add(member.name, member.type, member.value); }
  BsonBuilder& text(std::string_view name, std::string_view value);
  BsonBuilder& int32(std::string_view name, std::int32_t value);
  BsonBuilder& date(std::string_view name, std::int64_t milliseconds);
  BsonBuilder& document(std::string_view name, std::string_view value);
  bool empty() const { return body_.empty(); }
  database::Bson finish() const;

 private:
  std::string body_;
};

}  // namespace belay::vault
