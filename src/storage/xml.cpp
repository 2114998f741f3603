// SPDX-License-Identifier: Apache-2.0
#include "storage/xml.hpp"

namespace belay::storage {

Result<pugi::xml_node> root_of(pugi::xml_document& document, const std::string& xml,
                               const char* name) {
  const bool read = document.load_buffer(xml.data(), xml.size());
  if (!read || !std::string_view(document.document_element().name()).starts_with(name))
    return fail(Fault::corrupt, fmt::format("the answer is no {}", name));
  return document.document_element();
}

Result<std::uint64_t> number_in(const pugi::xml_node& node, const char* name) {
  const std::string text = node.child_value(name);
  const bool digits = !text.empty() && text.size() < 19 &&
                      text.find_first_not_of("0123456789") == std::string::npos;
  if (!digits) return fail(Fault::corrupt, fmt::format("the answer has no number {}", name));
  return std::stoull(text);
}

}  // namespace belay::storage
