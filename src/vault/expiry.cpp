// SPDX-License-Identifier: Apache-2.0
#include "vault/expiry.hpp"

#include <limits>

#include "vault/rewind_facts.hpp"

namespace belay::vault {

namespace {

using database::Bson;

std::int64_t seconds_of(const Bson& index) {
  // Any number type: search for the value by comparison would be longer than reading its bytes.
  const auto member = *field(index, "expireAfterSeconds");
  std::int64_t whole = 0;
  double real = 0;
  if (member.type == 0x01 && member.value.copy(reinterpret_cast<char*>(&real), 8) == 8)
    return real > 0 && real < 4e9 ? static_cast<std::int64_t>(real) : 0;
  std::int32_t small = 0;
  if (member.type == 0x10 && member.value.copy(reinterpret_cast<char*>(&small), 4) == 4)
    return small;
  if (member.type == 0x12 && member.value.copy(reinterpret_cast<char*>(&whole), 8) == 8)
    return whole;
  return 0;
}

}  // namespace

std::optional<std::uint64_t> about_to_expire(database::Database& database,
                                             const database::Namespace& ns, const Bson& index,
                                             TimePoint now) {
  const auto key = field(index, "key");
  if (!is_ttl(index) || !key || fields(key->value).empty()) return std::nullopt;
  const auto before = now - std::chrono::seconds(seconds_of(index));
  const auto limit = BsonBuilder().date("$lt", before.time_since_epoch().count()).finish();
  const auto filter = BsonBuilder().document(fields(key->value)[0].name, limit).finish();
  const auto count = database.matching(ns, filter, std::numeric_limits<std::int32_t>::max());
  return count ? std::optional(*count) : std::nullopt;
}

}  // namespace belay::vault
