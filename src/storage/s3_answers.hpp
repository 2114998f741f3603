// SPDX-License-Identifier: Apache-2.0
// What S3 answers, read from its XML. corrupt when it is not what the API's reference says.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "storage/storage.hpp"

namespace belay::storage {

// Of an answer that says no; both empty when the text is not S3's.
struct S3Refusal {
  std::string code, message;
};
S3Refusal s3_refusal(const std::string& xml);

struct S3Page {
  std::vector<Object> objects;  // whole keys
  std::string next;             // the token of the next page; empty: this was the last
};
Result<S3Page> s3_page(const std::string& xml);

struct S3Part {
  int number = 0;
  std::uint64_t bytes = 0;
  std::string etag;  // with its quotes
};
struct S3Parts {
  std::vector<S3Part> parts;
  std::string next;  // as above
};
Result<S3Parts> s3_parts(const std::string& xml);

Result<std::string> s3_upload_id(const std::string& xml);  // of a new upload
Result<std::string> s3_open_upload(const std::string& xml, const std::string& key);  // "": none
// What stands under a key, or stood.
struct S3Version {
  std::string key, id;
  bool marker = false;  // of a removal; else an object
  bool latest = false;  // what readers are shown
  std::string at;       // when it came; later text is later
};
struct S3Versions {
  std::vector<S3Version> versions;
  std::string next_key, next_id;  // both empty: this was the last
};
Result<S3Versions> s3_versions(const std::string& xml);

bool s3_object_lock(const std::string& xml);  // whether a bucket has it

std::string s3_retention(const std::string& until);           // the request's body
std::string s3_completion(const std::vector<S3Part>& parts);  // the request's body

}  // namespace belay::storage
