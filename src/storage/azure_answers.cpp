// SPDX-License-Identifier: Apache-2.0
#include "storage/azure_answers.hpp"

#include "base/text.hpp"
#include "net/date.hpp"
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

Result<AzureVersions> azure_versions(const std::string& xml) {
  pugi::xml_document document;
  TRY_LET(const auto root, root_of(document, xml, "EnumerationResults"));
  AzureVersions page;
  for (const auto& each : root.child("Blobs").children("Blob")) {
    AzureVersion one{each.child_value("Name"),
                     each.child_value("VersionId"),
                     std::string_view(each.child_value("IsCurrentVersion")) == "true",
                     {}};
    if (one.name.empty()) return fail(Fault::corrupt, "the answer lists a blob without a name");
    const std::string date = each.child("Properties").child_value("ImmutabilityPolicyUntilDate");
    one.until = net::parse_http_date(date);
    if (!date.empty() && !one.until)
      return fail(Fault::corrupt, "the answer lists a lock whose date is none");
    page.versions.push_back(std::move(one));
  }
  page.next = root.child_value("NextMarker");
  return page;
}

std::map<std::string, std::string> azure_lock(TimePoint until) {
  return {{"x-ms-immutability-policy-until-date", net::http_date(until)},
          {"x-ms-immutability-policy-mode", "Locked"}};
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
