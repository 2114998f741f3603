// SPDX-License-Identifier: Apache-2.0
#include "tests/fake/bson_peek.hpp"

#include <bson/bson.h>

namespace belay::fake {

Bson member(const Bson& document, const char* key) {
  bson_t view;
  bson_iter_t at;
  if (!bson_init_static(&view, reinterpret_cast<const uint8_t*>(document.data()),
                        document.size()) ||
      !bson_iter_init_find(&at, &view, key)) {
    return {};
  }
  bson_t out = BSON_INITIALIZER;
  bson_append_iter(&out, "", 0, &at);
  Bson bytes(reinterpret_cast<const char*>(bson_get_data(&out)), out.len);
  bson_destroy(&out);
  return bytes;
}

bool truth(const Bson& document, const char* key) {
  bson_t view;
  bson_iter_t at;
  return bson_init_static(&view, reinterpret_cast<const uint8_t*>(document.data()),
                          document.size()) &&
         bson_iter_init_find(&at, &view, key) && bson_iter_as_bool(&at);
}

std::string text(const Bson& document, const char* key) {
  bson_t view;
  bson_iter_t at;
  if (!bson_init_static(&view, reinterpret_cast<const uint8_t*>(document.data()),
                        document.size()) ||
      !bson_iter_init_find(&at, &view, key) || !BSON_ITER_HOLDS_UTF8(&at)) {
    return {};
  }
  return bson_iter_utf8(&at, nullptr);
}

std::string only_field(const Bson& index) {
  bson_t view;
  bson_iter_t at;
  bson_iter_t child;
  if (!bson_init_static(&view, reinterpret_cast<const uint8_t*>(index.data()), index.size()) ||
      !bson_iter_init_find(&at, &view, "key") || !bson_iter_recurse(&at, &child) ||
      !bson_iter_next(&child)) {
    return {};
  }
  const std::string field = bson_iter_key(&child);
  return bson_iter_next(&child) ? std::string() : field;
}

Bson merged(const Bson& to, const Bson& changes) {
  bson_t old_view, new_view;
  bson_t out = BSON_INITIALIZER;
  bson_iter_t at;
  bson_init_static(&old_view, reinterpret_cast<const uint8_t*>(to.data()), to.size());
  bson_init_static(&new_view, reinterpret_cast<const uint8_t*>(changes.data()), changes.size());
  bson_iter_init(&at, &old_view);
  while (bson_iter_next(&at)) {
    if (!bson_has_field(&new_view, bson_iter_key(&at)))
      bson_append_iter(&out, bson_iter_key(&at), -1, &at);
  }
  bson_iter_init(&at, &new_view);
  while (bson_iter_next(&at)) {
    if (std::string_view(bson_iter_key(&at)) != "index")
      bson_append_iter(&out, bson_iter_key(&at), -1, &at);
  }
  Bson bytes(reinterpret_cast<const char*>(bson_get_data(&out)), out.len);
  bson_destroy(&out);
  return bytes;
}

Bson inner(const Bson& document, const char* key) {
  bson_t view;
  bson_iter_t at;
  const uint8_t* data = nullptr;
  uint32_t size = 0;
  if (!bson_init_static(&view, reinterpret_cast<const uint8_t*>(document.data()),
                        document.size()) ||
      !bson_iter_init_find(&at, &view, key) || !BSON_ITER_HOLDS_DOCUMENT(&at)) {
    return {};
  }
  bson_iter_document(&at, &size, &data);
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace belay::fake
