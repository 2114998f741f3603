// SPDX-License-Identifier: Apache-2.0
#include "storage/s3_answers.hpp"

#include <fmt/format.h>

#include "net/url.hpp"
#include "storage/xml.hpp"

namespace belay::storage {

namespace {

// "" on the last page. One that is cut and does not say how to go on would be read without end.
Result<std::string> next_of(const pugi::xml_node& root, const char* name) {
  const std::string cut = root.child_value("IsTruncated"), next = root.child_value(name);
  if (cut != "true") return std::string();
  if (next.empty()) return fail(Fault::corrupt, "the answer is cut, and does not say how to go on");
  return next;
}

}  // namespace

S3Refusal s3_refusal(const std::string& xml) {
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size())) return {};
  const auto error = document.child("Error");
  return {error.child_value("Code"), error.child_value("Message")};
}

Result<S3Page> s3_page(const std::string& xml) {
  pugi::xml_document document;
  TRY_LET(const auto root, root_of(document, xml, "ListBucketResult"));
  S3Page page;
  for (const auto& each : root.children("Contents")) {
    TRY_LET(const auto bytes, number_in(each, "Size"));
    const std::string key = net::percent_decoded(each.child_value("Key"));
    if (key.empty()) return fail(Fault::corrupt, "the answer lists an object without a name");
    page.objects.push_back({key, bytes});
  }
  TRY_LET(page.next, next_of(root, "NextContinuationToken"));
  return page;
}

Result<S3Parts> s3_parts(const std::string& xml) {
  pugi::xml_document document;
  TRY_LET(const auto root, root_of(document, xml, "ListParts"));
  S3Parts found;
  for (const auto& each : root.children("Part")) {
    TRY_LET(const auto number, number_in(each, "PartNumber"));
    TRY_LET(const auto bytes, number_in(each, "Size"));
    found.parts.push_back({static_cast<int>(number), bytes, each.child_value("ETag")});
  }
  TRY_LET(found.next, next_of(root, "NextPartNumberMarker"));
  return found;
}

Result<std::string> s3_upload_id(const std::string& xml) {
  pugi::xml_document document;
  TRY_LET(const auto root, root_of(document, xml, "InitiateMultipartUploadResult"));
  const std::string id = root.child_value("UploadId");
  if (id.empty()) return fail(Fault::corrupt, "the answer names no upload");
  return id;
}

Result<std::string> s3_open_upload(const std::string& xml, const std::string& key) {
  pugi::xml_document document;
  TRY_LET(const auto root, root_of(document, xml, "ListMultipartUploadsResult"));
  std::string newest;
  for (const auto& each : root.children("Upload")) {
    if (key == each.child_value("Key")) newest = each.child_value("UploadId");
  }
  return newest;
}

Result<S3Versions> s3_versions(const std::string& xml) {
  pugi::xml_document document;
  TRY_LET(const auto root, root_of(document, xml, "ListVersionsResult"));
  S3Versions found;
  for (const auto& each : root.children()) {
    const std::string_view kind = each.name();
    if (kind != "Version" && kind != "DeleteMarker") continue;
    S3Version one{net::percent_decoded(each.child_value("Key")), each.child_value("VersionId"),
                  kind == "DeleteMarker", std::string_view(each.child_value("IsLatest")) == "true",
                  each.child_value("LastModified")};
    if (one.key.empty() || one.id.empty())
      return fail(Fault::corrupt, "the answer lists a version without a name");
    found.versions.push_back(std::move(one));
  }
  TRY_LET(const auto key, next_of(root, "NextKeyMarker"));
  found.next_key = net::percent_decoded(key);
  if (!found.next_key.empty()) found.next_id = root.child_value("NextVersionIdMarker");
  return found;
}

bool s3_object_lock(const std::string& xml) {
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size())) return false;
  const auto root = document.document_element();
  return std::string_view(root.child_value("ObjectLockEnabled")) == "Enabled";
}

std::string s3_retention(const std::string& until) {
  return "<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>" + until +
         "</RetainUntilDate></Retention>";
}

std::string s3_completion(const std::vector<S3Part>& parts) {
  std::string xml = "<CompleteMultipartUpload>";
  for (const auto& part : parts) {
    xml += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", part.number,
                       part.etag);
  }
  return xml + "</CompleteMultipartUpload>";
}

}  // namespace belay::storage
