// SPDX-License-Identifier: Apache-2.0
#include "database/mongodb/document.hpp"

namespace belay::database {
namespace {

const std::uint8_t* start_of(std::string_view bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

int length(std::string_view key) {
  return static_cast<int>(key.size());
}

bool find(std::string_view document, const char* path, bson_iter_t* found) {
  bson_iter_t at;
  return bson_iter_init_from_data(&at, start_of(document), document.size()) &&
         bson_iter_find_descendant(&at, path, found);
}

}  // namespace

Document Document::copy(std::string_view bytes) {
  bson_t* copied = bson_new_from_data(start_of(bytes), bytes.size());
  return Document(copied != nullptr ? copied : bson_new());
}

Document& Document::text(std::string_view key, std::string_view value) {
  bson_append_utf8(bson_, key.data(), length(key), value.data(), length(value));
  return *this;
}

Document& Document::i32(std::string_view key, std::int32_t value) {
  bson_append_int32(bson_, key.data(), length(key), value);
  return *this;
}

Document& Document::i64(std::string_view key, std::int64_t value) {
  bson_append_int64(bson_, key.data(), length(key), value);
  return *this;
}

Document& Document::flag(std::string_view key, bool value) {
  bson_append_bool(bson_, key.data(), length(key), value);
  return *this;
}

Document& Document::stamp(std::string_view key, std::uint64_t timestamp) {
  bson_append_timestamp(bson_, key.data(), length(key), static_cast<std::uint32_t>(timestamp >> 32),
                        static_cast<std::uint32_t>(timestamp));
  return *this;
}

Document& Document::doc(std::string_view key, std::string_view bytes) {
  const View value(bytes);
  bson_append_document(bson_, key.data(), length(key), value.get());
  return *this;
}

Document& Document::array(std::string_view key, const std::vector<Bson>& documents) {
  bson_t items;
  bson_append_array_begin(bson_, key.data(), length(key), &items);
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const std::string index = std::to_string(i);
    const View value(documents[i]);
    bson_append_document(&items, index.c_str(), length(index), value.get());
  }
  bson_append_array_end(bson_, &items);
  return *this;
}

Document& Document::values(std::string_view key, const std::vector<Bson>& documents) {
  bson_t items;
  bson_append_array_begin(bson_, key.data(), length(key), &items);
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const std::string index = std::to_string(i);
    bson_iter_t at;
    if (bson_iter_init_from_data(&at, start_of(documents[i]), documents[i].size()) &&
        bson_iter_next(&at))
      bson_append_iter(&items, index.c_str(), length(index), &at);
  }
  bson_append_array_end(bson_, &items);
  return *this;
}

Document& Document::first_value(std::string_view key, std::string_view bytes) {
  bson_iter_t at;
  if (bson_iter_init_from_data(&at, start_of(bytes), bytes.size()) && bson_iter_next(&at))
    bson_append_iter(bson_, key.data(), length(key), &at);
  return *this;
}

Document& Document::members(std::string_view bytes, const std::vector<std::string_view>& except) {
  bson_iter_t at;
  if (!bson_iter_init_from_data(&at, start_of(bytes), bytes.size())) return *this;
  while (bson_iter_next(&at)) {
    const std::string_view key(bson_iter_key(&at), bson_iter_key_len(&at));
    if (std::find(except.begin(), except.end(), key) == except.end())
      bson_append_iter(bson_, key.data(), length(key), &at);
  }
  return *this;
}

View::View(std::string_view bytes) {
  if (!bson_init_static(&bson_, start_of(bytes), bytes.size())) bson_init(&bson_);
}

std::optional<std::string_view> text_at(std::string_view document, const char* path) {
  bson_iter_t at;
  if (!find(document, path, &at) || !BSON_ITER_HOLDS_UTF8(&at)) return std::nullopt;
  std::uint32_t size = 0;
  const char* text = bson_iter_utf8(&at, &size);
  return std::string_view(text, size);
}

std::optional<std::int64_t> number_at(std::string_view document, const char* path) {
  bson_iter_t at;
  if (!find(document, path, &at)) return std::nullopt;
  if (BSON_ITER_HOLDS_DOUBLE(&at)) return static_cast<std::int64_t>(bson_iter_double(&at));
  if (!BSON_ITER_HOLDS_INT(&at)) return std::nullopt;
  return bson_iter_as_int64(&at);
}

std::optional<bool> flag_at(std::string_view document, const char* path) {
  bson_iter_t at;
  if (!find(document, path, &at) || !BSON_ITER_HOLDS_BOOL(&at)) return std::nullopt;
  return bson_iter_bool(&at);
}

std::optional<std::uint64_t> stamp_at(std::string_view document, const char* path) {
  bson_iter_t at;
  if (!find(document, path, &at) || !BSON_ITER_HOLDS_TIMESTAMP(&at)) return std::nullopt;
  std::uint32_t seconds = 0, ordinal = 0;
  bson_iter_timestamp(&at, &seconds, &ordinal);
  return std::uint64_t{seconds} << 32 | ordinal;
}

std::string_view bytes_of_document(const bson_iter_t& at) {
  std::uint32_t size = 0;
  const std::uint8_t* bytes = nullptr;
  if (BSON_ITER_HOLDS_DOCUMENT(&at)) bson_iter_document(&at, &size, &bytes);
  if (BSON_ITER_HOLDS_ARRAY(&at)) bson_iter_array(&at, &size, &bytes);
  return {reinterpret_cast<const char*>(bytes), size};
}

std::optional<std::string_view> doc_at(std::string_view document, const char* path) {
  bson_iter_t at;
  if (!find(document, path, &at)) return std::nullopt;
  const std::string_view bytes = bytes_of_document(at);
  if (bytes.data() == nullptr) return std::nullopt;
  return bytes;
}

std::optional<std::string_view> binary_at(std::string_view document, const char* path) {
  bson_iter_t at;
  if (!find(document, path, &at) || !BSON_ITER_HOLDS_BINARY(&at)) return std::nullopt;
  bson_subtype_t subtype{};
  std::uint32_t size = 0;
  const std::uint8_t* bytes = nullptr;
  bson_iter_binary(&at, &subtype, &size, &bytes);
  return std::string_view(reinterpret_cast<const char*>(bytes), size);
}

bool has(std::string_view document, const char* path) {
  bson_iter_t at;
  return find(document, path, &at);
}

std::string_view first_key(std::string_view document) {
  bson_iter_t at;
  if (!bson_iter_init_from_data(&at, start_of(document), document.size()) || !bson_iter_next(&at))
    return {};
  // The iterator points into `document`, which outlives it.
  return {bson_iter_key(&at), bson_iter_key_len(&at)};
}

std::vector<std::string_view> documents_in(std::string_view array) {
  std::vector<std::string_view> out;
  bson_iter_t at;
  if (!bson_iter_init_from_data(&at, start_of(array), array.size())) return out;
  while (bson_iter_next(&at))
    if (BSON_ITER_HOLDS_DOCUMENT(&at)) out.push_back(bytes_of_document(at));
  return out;
}

}  // namespace belay::database
