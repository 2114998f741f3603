// SPDX-License-Identifier: Apache-2.0
#include "storage/azure_answers.hpp"

#include "base/text.hpp"
#include "storage/xml.hpp"

namespace belay::storage {

std::string azure_refusal(const std::string& xml) {
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size())) return "";
  const std::string message = document.child("Error").child_value("Message");
  return message.empty() ? "" : ": " + split(message, '\n').front().substr(0, 300);
}

Result<AzurePage> azure_page(const std::string& xml) {
  pugi::xml_document document;
  TRY_LET(const auto root, root_of(document, xml, "EnumerationResults"));
  AzurePage page;
  for (const auto& each : root.child("Blobs").children("Blob")) {
    const std::string name = each.child_value("Name");
    TRY_LET(const auto bytes, number_in(each.child("Properties"), "Content-Length"));
    if (name.empty()) return fail(Fault::corrupt, "the answer lists a blob without a name");
    page.objects.push_back({name, bytes});
  }
  page.next = root.child_value("NextMarker");
  return page;
}

Result<std::vector<std::string>> azure_blocks(const std::string& xml) {
  pugi::xml_document document;
  TRY_LET(const auto root, root_of(document, xml, "BlockList"));
  std::vector<std::string> names;
  for (const auto& each : root.child("UncommittedBlocks").children("Block"))
    names.emplace_back(each.child_value("Name"));
  return names;
}

std::string azure_commit(const std::vector<std::string>& blocks) {
  std::string xml = R"(<?xml version="1.0" encoding="utf-8"?><BlockList>)";
  for (const auto& block : blocks) xml += "<Uncommitted>" + block + "</Uncommitted>";
  return xml + "</BlockList>";
}

}  // namespace belay::storage
