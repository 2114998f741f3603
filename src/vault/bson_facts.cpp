// SPDX-License-Identifier: Apache-2.0
#include "vault/bson_facts.hpp"

#include <algorithm>
#include <cstring>

namespace belay::vault {

namespace {

template <class T>
std::string little_endian(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);  // BSON and every host we run on agree
  return bytes;
}

std::optional<std::size_t> length_at(std::string_view bytes) {
  if (bytes.size() < 4) return std::nullopt;
  std::int32_t length = 0;
  std::memcpy(&length, bytes.data(), 4);
  if (length < 0) return std::nullopt;
  return static_cast<std::size_t>(length);
}

std::optional<std::size_t> regex_size(std::string_view bytes) {
  auto pattern = bytes.find('\0');
  if (pattern == bytes.npos) return std::nullopt;
  auto flags = bytes.find('\0', pattern + 1);
  if (flags == bytes.npos) return std::nullopt;
  return flags + 1;
}

std::optional<std::size_t> prefixed(std::string_view bytes, std::size_t more) {
  auto length = length_at(bytes);
  if (!length) return std::nullopt;
  return *length + more;
}

std::optional<std::size_t> value_size(std::uint8_t type, std::string_view bytes) {
  switch (type) {
    case 0x01:
    case 0x09:
    case 0x11:
    case 0x12: return 8;
    case 0x02:
    case 0x0d:
    case 0x0e: return prefixed(bytes, 4);
    case 0x03:
    case 0x04:
    case 0x0f: return prefixed(bytes, 0);
    case 0x05: return prefixed(bytes, 5);
    case 0x06:
    case 0x0a:
    case 0xff:
    case 0x7f: return 0;
    case 0x07: return 12;
    case 0x08: return 1;
    case 0x0b: return regex_size(bytes);
    case 0x0c: return prefixed(bytes, 16);
    case 0x10: return 4;
    case 0x13: return 16;
    default: return std::nullopt;
  }
}

}  // namespace

std::vector<Field> fields(std::string_view document) {
  std::vector<Field> found;
  if (document.size() < 5) return found;
  std::string_view rest = document.substr(4, document.size() - 5);
  while (!rest.empty()) {
    auto end = rest.find('\0', 1);
    if (end == rest.npos) return {};
    Field next{rest.substr(1, end - 1), static_cast<std::uint8_t>(rest[0]), {}};
    rest.remove_prefix(end + 1);
    auto size = value_size(next.type, rest);
    if (!size || *size > rest.size()) return {};
    next.value = rest.substr(0, *size);
    rest.remove_prefix(*size);
    found.push_back(next);
  }
  return found;
}

std::optional<Field> field(std::string_view document, std::string_view name) {
  for (const auto& member : fields(document))
    if (member.name == name) return member;
  return std::nullopt;
}

std::string_view text_of(std::string_view document, std::string_view name) {
  auto member = field(document, name);
  if (!member || member->type != 0x02 || member->value.size() < 5) return {};
  return member->value.substr(4, member->value.size() - 5);
}

bool is_true(const std::optional<Field>& member) {
  if (!member) return false;
  return std::any_of(member->value.begin(), member->value.end(), [](char c) { return c != '\0'; });
}

bool equal_values(const Field& a, const Field& b) {
  if (a.type == b.type && a.value == b.value) return true;
  auto alone = [](const Field& member) {
    return BsonBuilder().add("_id", member.type, member.value).finish();
  };
  return database::compare_ids(alone(a), alone(b)) == 0;
}

bool equal_facts(std::string_view a, std::string_view b, bool (*ignored)(const Field&)) {
  auto missing_in = [ignored](std::string_view other) {
    return [ignored, other](const Field& member) {
      if (ignored(member)) return false;
      auto twin = field(other, member.name);
      return !twin || !equal_values(member, *twin);
    };
  };
  auto of_a = fields(a);
  auto of_b = fields(b);
  return std::none_of(of_a.begin(), of_a.end(), missing_in(b)) &&
         std::none_of(of_b.begin(), of_b.end(), missing_in(a));
}

BsonBuilder& BsonBuilder::add(std::string_view name, std::uint8_t type, std::string_view value) {
  body_ += static_cast<char>(type);
  body_.append(name);
  body_ += '\0';
  body_.append(value);
  return *this;
}

BsonBuilder& BsonBuilder::text(std::string_view name, std::string_view value) {
  auto length = little_endian(static_cast<std::int32_t>(value.size() + 1));
  return add(name, 0x02, length.append(value).append(1, '\0'));
}

BsonBuilder& BsonBuilder::int32(std::string_view name, std::int32_t value) {
  return add(name, 0x10, little_endian(value));
}

BsonBuilder& BsonBuilder::date(std::string_view name, std::int64_t milliseconds) {
  return add(name, 0x09, little_endian(milliseconds));
}

BsonBuilder& BsonBuilder::document(std::string_view name, std::string_view value) {
  return add(name, 0x03, value);
}

database::Bson BsonBuilder::finish() const {
  auto length = static_cast<std::int32_t>(body_.size() + 5);
  return little_endian(length) + body_ + '\0';
}

}  // namespace belay::vault
