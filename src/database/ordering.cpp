// SPDX-License-Identifier: Apache-2.0
// The server's order of ids: by canonical type, then by value; members of a document by type, then
// name, then value.
#include <cstring>

#include "database/mongodb/document.hpp"
#include "database/number.hpp"

namespace belay::database {
namespace {

template <class T>
int three_way(T a, T b) {
  return a < b ? -1 : (b < a ? 1 : 0);
}

int compare_bytes(std::string_view a, std::string_view b) {
  return three_way(a.compare(b), 0);
}

int rank(bson_type_t type) {
  switch (type) {
    case BSON_TYPE_MINKEY: return -1;
    case BSON_TYPE_EOD:
    case BSON_TYPE_UNDEFINED: return 0;
    case BSON_TYPE_NULL: return 5;
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DECIMAL128: return 10;
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL: return 15;
    case BSON_TYPE_DOCUMENT: return 20;
    case BSON_TYPE_ARRAY: return 25;
    case BSON_TYPE_BINARY: return 30;
    case BSON_TYPE_OID: return 35;
    case BSON_TYPE_BOOL: return 40;
    case BSON_TYPE_DATE_TIME: return 45;
    case BSON_TYPE_TIMESTAMP: return 47;
    case BSON_TYPE_REGEX: return 50;
    case BSON_TYPE_DBPOINTER: return 55;
    case BSON_TYPE_CODE: return 60;
    case BSON_TYPE_CODEWSCOPE: return 65;
    case BSON_TYPE_MAXKEY: return 127;
  }
  return 126;
}

Number number_at(const bson_iter_t& at) {
  if (BSON_ITER_HOLDS_DOUBLE(&at)) return number_of(bson_iter_double(&at));
  if (!BSON_ITER_HOLDS_DECIMAL128(&at)) return number_of(bson_iter_as_int64(&at));
  bson_decimal128_t decimal;
  bson_iter_decimal128(&at, &decimal);
  return number_of_decimal(decimal.high, decimal.low);
}

int compare_numbers(const bson_iter_t& a, const bson_iter_t& b) {
  if (BSON_ITER_HOLDS_INT(&a) && BSON_ITER_HOLDS_INT(&b))
    return three_way(bson_iter_as_int64(&a), bson_iter_as_int64(&b));
  return compare(number_at(a), number_at(b));
}

std::string_view text_of(const bson_iter_t& at) {
  std::uint32_t size = 0;
  const char* text = nullptr;
  if (BSON_ITER_HOLDS_UTF8(&at)) text = bson_iter_utf8(&at, &size);
  if (BSON_ITER_HOLDS_SYMBOL(&at)) text = bson_iter_symbol(&at, &size);
  if (BSON_ITER_HOLDS_CODE(&at)) text = bson_iter_code(&at, &size);
  return {text, size};
}

struct Binary {
  std::uint32_t size = 0;
  bson_subtype_t subtype{};
  std::string_view bytes;
};

Binary binary_of(const bson_iter_t& at) {
  Binary out;
  const std::uint8_t* bytes = nullptr;
  bson_iter_binary(&at, &out.subtype, &out.size, &bytes);
  out.bytes = {reinterpret_cast<const char*>(bytes), out.size};
  // The old kind carries its length a second time, and that counts.
  if (out.subtype == BSON_SUBTYPE_BINARY_DEPRECATED) out.size += 4;
  return out;
}

int compare_binaries(const bson_iter_t& a, const bson_iter_t& b) {
  const Binary left = binary_of(a), right = binary_of(b);
  if (const int by_size = three_way(left.size, right.size)) return by_size;
  if (const int by_kind = three_way<int>(left.subtype, right.subtype)) return by_kind;
  return compare_bytes(left.bytes, right.bytes);
}

std::uint64_t stamp_of(const bson_iter_t& at) {
  std::uint32_t seconds = 0, ordinal = 0;
  bson_iter_timestamp(&at, &seconds, &ordinal);
  return std::uint64_t{seconds} << 32 | ordinal;
}

int compare_regexes(const bson_iter_t& a, const bson_iter_t& b) {
  const char *flags_a = nullptr, *flags_b = nullptr;
  const std::string_view left = bson_iter_regex(&a, &flags_a),
                         right = bson_iter_regex(&b, &flags_b);
  if (const int by_pattern = compare_bytes(left, right)) return by_pattern;
  return compare_bytes(flags_a, flags_b);
}

int compare_pointers(const bson_iter_t& a, const bson_iter_t& b) {
  std::uint32_t size_a = 0, size_b = 0;
  const char *name_a = nullptr, *name_b = nullptr;
  const bson_oid_t *oid_a = nullptr, *oid_b = nullptr;
  bson_iter_dbpointer(&a, &size_a, &name_a, &oid_a);
  bson_iter_dbpointer(&b, &size_b, &name_b, &oid_b);
  if (const int by_size = three_way(size_a, size_b)) return by_size;
  if (const int by_name = compare_bytes({name_a, size_a}, {name_b, size_b})) return by_name;
  return three_way(bson_oid_compare(oid_a, oid_b), 0);
}

int compare_members(std::string_view a, std::string_view b, bool names);

int compare_scopes(const bson_iter_t& a, const bson_iter_t& b) {
  std::uint32_t size_a = 0, size_b = 0, scope_a = 0, scope_b = 0;
  const std::uint8_t *bytes_a = nullptr, *bytes_b = nullptr;
  const char* code_a = bson_iter_codewscope(&a, &size_a, &scope_a, &bytes_a);
  const char* code_b = bson_iter_codewscope(&b, &size_b, &scope_b, &bytes_b);
  if (const int by_code = compare_bytes({code_a, size_a}, {code_b, size_b})) return by_code;
  return compare_members({reinterpret_cast<const char*>(bytes_a), scope_a},
                         {reinterpret_cast<const char*>(bytes_b), scope_b}, true);
}

// Both have the same rank.
int compare_values(const bson_iter_t& a, const bson_iter_t& b) {
  switch (rank(bson_iter_type(&a))) {
    case 10: return compare_numbers(a, b);
    case 15:
    case 60: return compare_bytes(text_of(a), text_of(b));
    case 20: return compare_members(bytes_of_document(a), bytes_of_document(b), true);
    case 25: return compare_members(bytes_of_document(a), bytes_of_document(b), false);
    case 30: return compare_binaries(a, b);
    case 35: return three_way(bson_oid_compare(bson_iter_oid(&a), bson_iter_oid(&b)), 0);
    case 40: return three_way<int>(bson_iter_bool(&a), bson_iter_bool(&b));
    case 45: return three_way(bson_iter_date_time(&a), bson_iter_date_time(&b));
    case 47: return three_way(stamp_of(a), stamp_of(b));
    case 50: return compare_regexes(a, b);
    case 55: return compare_pointers(a, b);
    case 65: return compare_scopes(a, b);
    default: return 0;
  }
}

int compare_elements(const bson_iter_t& a, const bson_iter_t& b, bool names) {
  if (const int by_type = three_way(rank(bson_iter_type(&a)), rank(bson_iter_type(&b))))
    return by_type;
  if (names)
    if (const int by_name = compare_bytes({bson_iter_key(&a), bson_iter_key_len(&a)},
                                          {bson_iter_key(&b), bson_iter_key_len(&b)}))
      return by_name;
  return compare_values(a, b);
}

bool start(bson_iter_t* at, std::string_view bytes) {
  return bson_iter_init_from_data(at, reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                  bytes.size());
}

int compare_members(std::string_view a, std::string_view b, bool names) {
  bson_iter_t left, right;
  const bool framed_a = start(&left, a), framed_b = start(&right, b);
  if (!framed_a || !framed_b) return three_way(framed_a, framed_b);
  for (;;) {
    const bool more_a = bson_iter_next(&left), more_b = bson_iter_next(&right);
    if (!more_a || !more_b) return three_way(more_a, more_b);
    if (const int by_member = compare_elements(left, right, names)) return by_member;
  }
}

}  // namespace

int compare_ids(std::string_view a, std::string_view b) {
  return a == b ? 0 : compare_members(a, b, false);
}

}  // namespace belay::database
