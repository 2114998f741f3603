// SPDX-License-Identifier: Apache-2.0
#include "storage/s3_locking.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "storage/name.hpp"

namespace belay::storage {

namespace {

net::Query of_version(const std::string& version) {
  if (version.empty()) return {};
  return {{"versionId", version}};
}

}  // namespace

Result<std::optional<DatedLocking::Shown>> S3Locking::look_at(const std::string& key,
                                                              const std::string& version) {
  TRY_LET(const auto sent, bucket_.ask({"HEAD", key, of_version(version)}));
  const auto& response = sent.response;
  if (response.status == 404) return std::optional<Shown>();
  if (response.status != 200) return bucket_.refusal(response, key);
  Shown shown{response.header("x-amz-version-id"), {}, false};
  shown.for_good = response.header("x-amz-object-lock-mode") == "COMPLIANCE";
  const auto date = response.header("x-amz-object-lock-retain-until-date");
  if (!date.empty()) {
    TRY_LET(shown.until, parse_time(date).in("the lock's date of s3:" + key));
  }
  return std::optional(std::move(shown));
}

Result<std::optional<DatedLocking::Shown>> S3Locking::look(const std::string& name) {
  return look_at(bucket_.key_of(name), "");
}

Status S3Locking::extend(const std::string& name, const Shown& shown, TimePoint until) {
  const auto key = bucket_.key_of(name);
  auto query = of_version(shown.version);
  query["retention"] = "";
  const HeaderMap headers{{"content-type", "application/xml"}};
  TRY_LET(const auto sent, bucket_.ask({"PUT", key, query, headers, s3_retention(s3_date(until))}));
  if (sent.response.status == 200 || sent.response.status == 204) return {};
  return bucket_.refusal(sent.response, key);
}

Status S3Locking::erase(const std::string& name, const Shown& shown) {
  return erase_version(bucket_.key_of(name), shown.version);
}

Status S3Locking::mark_removed(const std::string& name) {
  return erase_version(bucket_.key_of(name), "");
}

Status S3Locking::erase_version(const std::string& key, const std::string& version) {
  TRY_LET(const auto sent, bucket_.ask({"DELETE", key, of_version(version)}));
  const int status = sent.response.status;
  if (status == 200 || status == 204 || status == 404) return {};
  return bucket_.refusal(sent.response, key);
}

Result<std::vector<S3Version>> S3Locking::versions(const std::string& prefix) {
  std::vector<S3Version> all;
  net::Query query{{"versions", ""}, {"encoding-type", "url"}, {"prefix", prefix}};
  while (true) {
    TRY_LET(const auto sent, bucket_.ask({"GET", "", query}));
    if (sent.response.status != 200) return bucket_.refusal(sent.response, "");
    TRY_LET(auto page, s3_versions(sent.response.body).in(bucket_.where()));
    std::move(page.versions.begin(), page.versions.end(), std::back_inserter(all));
    if (page.next_key.empty()) break;
    query["key-marker"] = page.next_key;
    query["version-id-marker"] = page.next_id;
  }
  // Not every server gives marks and objects in one order, or times below a second: then the mark
  // is the newer one, which at worst is taken away where it hid nothing.
  std::stable_sort(all.begin(), all.end(), [](const S3Version& a, const S3Version& b) {
    return std::tie(a.key, b.latest, b.at, b.marker) < std::tie(b.key, a.latest, a.at, a.marker);
  });
  return all;
}

Result<std::optional<std::ptrdiff_t>> S3Locking::depth(From begin, From end) {
  for (auto one = begin; one != end; ++one) {
    if (one->marker) continue;
    TRY_LET(const auto shown, look_at(one->key, one->id));
    if (shown && holds(shown->until)) return std::optional(one - begin);
  }
  return std::optional<std::ptrdiff_t>();
}

Result<std::vector<std::string>> S3Locking::hidden() {
  const auto& prefix = bucket_.config().prefix;
  TRY_LET(const auto all, versions(prefix));
  std::vector<std::string> names;
  for (auto begin = all.begin(); begin != all.end();) {
    const auto end =
        std::find_if(begin, all.end(), [&](const S3Version& one) { return one.key != begin->key; });
    const auto name = begin->key.substr(prefix.size());
    const bool ours = check_name(name) && covers(name);
    if (ours && end - begin > 1) {
      TRY_LET(const auto over, depth(begin, end));
      if (over && *over > 0) names.push_back(name);
    }
    begin = end;
  }
  return names;
}

Status S3Locking::uncover(const std::string& name) {
  TRY(check_name(name));
  const auto key = bucket_.key_of(name);
  TRY_LET(auto all, versions(key));
  std::erase_if(all, [&key](const S3Version& one) { return one.key != key; });
  TRY_LET(const auto over, depth(all.cbegin(), all.cend()));
  if (!over) return fail(Fault::missing, "nothing of " + bucket_.where() + name + " is locked");
  for (auto one = all.begin(); one != all.begin() + *over; ++one) TRY(erase_version(key, one->id));
  return {};
}

Status S3Locking::check() {
  TRY_LET(const auto sent, bucket_.ask({"GET", "", {{"object-lock", ""}}}));
  const auto& response = sent.response;
  if (response.status == 200 && s3_object_lock(response.body)) return {};
  if (response.status != 200 && response.status != 404) return bucket_.refusal(response, "");
  if (s3_said(response, "NoSuchBucket")) return bucket_.refusal(response, "");
  return fail(Fault::refused,
              fmt::format("the bucket {} has no object lock", bucket_.config().bucket));
}

}  // namespace belay::storage
