// SPDX-License-Identifier: Apache-2.0
#include "database/mongodb/document.hpp"

namespace belay::database {
namespace {

constexpr std::size_t largest = (std::size_t{16} << 20) + (std::size_t{16} << 10);

// Cuts at a character, not inside one.
std::string cut(std::string text, std::size_t limit) {
  if (text.size() <= limit) return text;
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  text.resize(end);
  return text + "…";
}

}  // namespace

bool is_framed(std::string_view document) {
  if (document.size() < 5 || document.size() > largest || document.back() != '\0') return false;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(document.data());
  const std::uint32_t size = std::uint32_t{bytes[0]} | std::uint32_t{bytes[1]} << 8 |
                             std::uint32_t{bytes[2]} << 16 | std::uint32_t{bytes[3]} << 24;
  if (size != document.size()) return false;
  bson_iter_t at;
  if (!bson_iter_init_from_data(&at, bytes, document.size())) return false;
  while (bson_iter_next(&at)) {}
  return at.err_off == 0;
}

Result<Bson> id_of(std::string_view document) {
  bson_iter_t at;
  if (!bson_iter_init_from_data(&at, reinterpret_cast<const std::uint8_t*>(document.data()),
                                document.size()) ||
      !bson_iter_find(&at, "_id"))
    return fail(Fault::invalid, "a document without `_id`: " + to_json(document, 120));
  // The element as it stands, framed anew.
  const std::uint32_t size = at.next_off - at.off + 5;
  Bson id(4, '\0');
  for (unsigned byte = 0; byte < 4; ++byte) id[byte] = static_cast<char>(size >> (8 * byte));
  id.append(reinterpret_cast<const char*>(at.raw) + at.off, at.next_off - at.off);
  id.push_back('\0');
  return id;
}

std::string to_json(std::string_view document, std::size_t limit) {
  if (!is_framed(document)) return "(not BSON)";
  const View view(document);
  bson_json_opts_t* options = bson_json_opts_new(BSON_JSON_MODE_RELAXED, -1);
  char* text = bson_as_json_with_opts(view.get(), nullptr, options);
  bson_json_opts_destroy(options);
  if (text == nullptr) return "(not showable)";
  std::string out(text);
  bson_free(text);
  return cut(std::move(out), limit);
}

Result<Bson> from_json(std::string_view text) {
  bson_error_t error{};
  bson_t* parsed = bson_new_from_json(reinterpret_cast<const std::uint8_t*>(text.data()),
                                      static_cast<ssize_t>(text.size()), &error);
  if (parsed == nullptr)
    return fail(Fault::invalid, std::string("not Extended JSON: ") + error.message);
  return Document(parsed).bytes();
}

}  // namespace belay::database
