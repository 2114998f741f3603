// SPDX-License-Identifier: Apache-2.0
// BSON for this room: an owned document to build commands in, a view of bytes that are somebody
// else's, and reading of members by dotted path. Nothing here validates more than framing.
#pragma once

#include <mongoc/mongoc.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "database/database.hpp"

namespace belay::database {

// Owned. The builders return *this, so that a command reads as one expression.
class Document {
 public:
  Document() : bson_(bson_new()) {}
  explicit Document(bson_t* taken) : bson_(taken) {}
  // A copy of bytes; empty when they are not framed as a document.
  static Document copy(std::string_view bytes);
  ~Document() { bson_destroy(bson_); }
  Document(Document&& other) noexcept : bson_(other.bson_) { other.bson_ = nullptr; }
  Document& operator=(Document&& other) noexcept {
    std::swap(bson_, other.bson_);
    return *this;
  }

  Document& text(std::string_view key, std::string_view value);
  Document& i32(std::string_view key, std::int32_t value);
  Document& i64(std::string_view key, std::int64_t value);
  Document& flag(std::string_view key, bool value);
  Document& stamp(std::string_view key, std::uint64_t timestamp);
  Document& doc(std::string_view key, std::string_view bytes);
  Document& doc(std::string_view key, const Document& value) { return doc(key, value.view()); }
  Document& array(std::string_view key, const std::vector<Bson>& documents);
  // An array of the first values of these documents: {"_id": 5} gives [5].
  Document& values(std::string_view key, const std::vector<Bson>& documents);
  // The value of the first member of `bytes`, under this key: {"_id": 5} gives key: 5.
  Document& first_value(std::string_view key, std::string_view bytes);
  // Every member of `bytes`, except these.
  Document& members(std::string_view bytes, const std::vector<std::string_view>& except = {});

  bson_t* get() { return bson_; }
  const bson_t* get() const { return bson_; }
  std::string_view view() const {
    return {reinterpret_cast<const char*>(bson_get_data(bson_)), bson_->len};
  }
  Bson bytes() const { return Bson(view()); }

 private:
  bson_t* bson_;
};

// A view of bytes that outlive it. A bson_t points into itself: it is never moved.
class View {
 public:
  explicit View(std::string_view bytes);
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  const bson_t* get() const { return &bson_; }

 private:
  bson_t bson_;
};

inline std::string_view bytes_of(const bson_t* bson) {
  return {reinterpret_cast<const char*>(bson_get_data(bson)), bson->len};
}

// Members by dotted path ("cursor.id"); nothing when absent or of another kind.
std::optional<std::string_view> text_at(std::string_view document, const char* path);
std::optional<std::int64_t> number_at(std::string_view document, const char* path);
std::optional<bool> flag_at(std::string_view document, const char* path);
std::optional<std::uint64_t> stamp_at(std::string_view document, const char* path);
// An embedded document or array.
std::optional<std::string_view> doc_at(std::string_view document, const char* path);
std::optional<std::string_view> binary_at(std::string_view document, const char* path);
bool has(std::string_view document, const char* path);
// The name of the first member; empty for {}.
std::string_view first_key(std::string_view document);
// The documents inside an array; elements of other kinds are left out.
std::vector<std::string_view> documents_in(std::string_view array);
// An index as createIndexes takes it, from one that was listed. In a collection with a collation of
// its own an index without one was made with the simple one, and must say so.
Bson index_to_create(std::string_view listed, bool collated);
// The bytes of the embedded document or array under the iterator; no data: neither.
std::string_view bytes_of_document(const bson_iter_t& at);

}  // namespace belay::database
