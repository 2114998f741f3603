// SPDX-License-Identifier: Apache-2.0
#include "storage/s3.hpp"

#include <fmt/format.h>

#include "base/md5.hpp"
#include "base/text.hpp"
#include "net/url.hpp"
#include "storage/name.hpp"
#include "storage/s3_answers.hpp"
#include "storage/s3_bucket.hpp"
#include "storage/s3_locking.hpp"

namespace belay::storage {

namespace {

class S3 final : public Storage {
 public:
  S3(S3Config config, net::Url base, Clock& clock, Random& random)
      : bucket_(std::move(config), std::move(base), clock, random) {
    if (bucket_.config().lock.time > Millis(0)) locking_.emplace(bucket_);
  }

  Status put(const std::string& name, std::string_view content) override {
    TRY(check_name(name));
    const bool in_parts = content.size() > bucket_.config().part_bytes;
    TRY(in_parts ? put_in_parts(name, content) : put_whole(name, content));
    if (!locked(name)) return {};
    // Parts have the date of their upload's beginning, which may be long ago.
    return in_parts ? locking_->keep(name) : locking_->see_once(name);
  }

  Result<std::string> get(const std::string& name) override { return fetch(name, Download()); }

  Result<std::string> get_part(const std::string& name, std::uint64_t from,
                               std::uint64_t count) override {
    return fetch(name, Download(from, count));
  }

  Result<std::vector<Object>> list(const std::string& prefix) override {
    std::vector<Object> found;
    net::Query query{{"list-type", "2"}, {"encoding-type", "url"}};
    query["prefix"] = bucket_.config().prefix + prefix;
    for (std::string next;;) {
      if (!next.empty()) query["continuation-token"] = next;
      TRY_LET(const auto sent, bucket_.ask({"GET", "", query}));
      if (sent.response.status != 200) return bucket_.refusal(sent.response, "");
      TRY_LET(const auto page, s3_page(sent.response.body).in(where()));
      take_ours(page.objects, bucket_.config().prefix, found);
      if (page.next.empty()) break;
      next = page.next;
    }
    sort_by_name(found);
    return found;
  }

  Status remove(const std::string& name) override {
    TRY(check_name(name));
    if (locking_) return locking_->remove(name);
    TRY_LET(const auto sent, bucket_.ask({"DELETE", bucket_.key_of(name)}));
    const int status = sent.response.status;
    if (status == 200 || status == 204 || s3_said(sent.response, "NoSuchKey")) return {};
    return bucket_.refusal(sent.response, bucket_.key_of(name));
  }

  Result<bool> exists(const std::string& name) override {
    TRY(check_name(name));
    TRY_LET(const auto sent, bucket_.ask({"HEAD", bucket_.key_of(name)}));
    if (sent.response.status == 200) return true;
    if (sent.response.status == 404) return false;
    return bucket_.refusal(sent.response, bucket_.key_of(name));
  }

  Locking* locking() override { return locking_ ? &*locking_ : nullptr; }
  std::string where() const override { return bucket_.where(); }

 private:
  Result<std::string> fetch(const std::string& name, Download download) {
    TRY(check_name(name));
    const auto key = bucket_.key_of(name);
    TRY_LET(const auto said_no,
            bucket_.remote()
                .fetch(download,
                       [&](const HeaderMap& headers, TimePoint now) {
                         return bucket_.request_of({"GET", key, {}, headers}, now);
                       })
                .in(where()));
    if (said_no) return bucket_.refusal(*said_no, key);
    return std::move(download).bytes();
  }

  // --- writing ------------------------------------------------------------------------------

  Status put_whole(const std::string& name, std::string_view content) {
    Ask wanted{"PUT", bucket_.key_of(name), {}, {{"if-none-match", "*"}}, "", content};
    wanted.locked = locked(name);
    return absent_or_ours(name, content, wanted, [](const net::Response&) { return true; });
  }

  template <class Fits>
  Status absent_or_ours(const std::string& name, std::string_view content, const Ask& wanted,
                        Fits fits) {
    const auto make = [&](TimePoint now) { return bucket_.request_of(wanted, now); };
    const auto judge = [&fits](const net::Response& response) {
      if (response.status == 200) return fits(response) ? Written::done : Written::collided;
      if (response.status == 412) return Written::taken;
      if (response.status == 409 && s3_said(response, "ConditionalRequestConflict"))
        return Written::collided;
      const bool gone = response.status == 404 && s3_said(response, "NoSuchUpload");
      return gone ? Written::gone : Written::refused;
    };
    return bucket_.remote().write_once(
        make,
        {where(), name, judge, [&] { return holds(name, content); },
         [&](const net::Response& response) { return bucket_.refusal(response, wanted.key); }});
  }

  bool holds(const std::string& name, std::string_view content) {
    const auto there = get(name);
    return there && *there == content;
  }

  bool locked(const std::string& name) const { return bucket_.config().lock.holds(name); }

  // --- writing in parts ---------------------------------------------------------------------

  Status put_in_parts(const std::string& name, std::string_view content) {
    const auto key = bucket_.key_of(name);
    // Cheaper than to learn it from the last request.
    TRY_LET(const bool taken, exists(name));
    if (taken) return fail(Fault::conflict, where() + name + " is there already");
    TRY_LET(const auto upload, open_upload(name));
    TRY_LET(auto parts, parts_there(key, upload));
    TRY(send_parts(key, upload, content, parts));
    const Ask completion{"POST",
                         key,
                         {{"uploadId", upload}},
                         {{"content-type", "application/xml"}, {"if-none-match", "*"}},
                         s3_completion(parts)};
    // A 200 may still hold an error: the answer begins before the work is done.
    auto done = absent_or_ours(name, content, completion, [](const net::Response& response) {
      return s3_refusal(response.body).code.empty();
    });
    if (!done && done.error().fault == Fault::conflict) TRY(abandon(key, upload));
    return done;
  }

  Result<std::string> open_upload(const std::string& name) {
    const auto key = bucket_.key_of(name);
    TRY_LET(const auto open, bucket_.ask({"GET", "", {{"uploads", ""}, {"prefix", key}}}));
    if (open.response.status != 200) return bucket_.refusal(open.response, "");
    TRY_LET(auto upload, s3_open_upload(open.response.body, key).in(where()));
    if (!upload.empty()) return upload;
    TRY_LET(const auto made,
            bucket_.ask({"POST", key, {{"uploads", ""}}, {}, "", "", locked(name)}));
    if (made.response.status != 200) return bucket_.refusal(made.response, key);
    return s3_upload_id(made.response.body).in(where());
  }

  Result<std::vector<S3Part>> parts_there(const std::string& key, const std::string& upload) {
    std::vector<S3Part> all;
    net::Query query{{"uploadId", upload}};
    while (true) {
      TRY_LET(const auto sent, bucket_.ask({"GET", key, query}));
      if (sent.response.status != 200) return bucket_.refusal(sent.response, key);
      TRY_LET(const auto found, s3_parts(sent.response.body).in(where()));
      all.insert(all.end(), found.parts.begin(), found.parts.end());
      if (found.next.empty()) return all;
      query["part-number-marker"] = found.next;
    }
  }

  // Those that are there already, and are the same, stay. `parts` is the whole list afterwards.
  Status send_parts(const std::string& key, const std::string& upload, std::string_view content,
                    std::vector<S3Part>& parts) {
    const auto there = std::move(parts);
    const auto size = bucket_.config().part_bytes;
    parts.assign((content.size() + size - 1) / size, S3Part());
    return in_lanes(bucket_.config().lanes, parts.size(), [&](std::size_t index) -> Status {
      const auto bytes = content.substr(index * size, size);
      TRY_LET(parts[index], part_of(key, upload, static_cast<int>(index) + 1, bytes, there));
      return {};
    });
  }

  Result<S3Part> part_of(const std::string& key, const std::string& upload, int number,
                         std::string_view bytes, const std::vector<S3Part>& there) {
    const auto old = std::find_if(there.begin(), there.end(), [&](const S3Part& one) {
      return one.number == number && one.bytes == bytes.size();
    });
    if (old != there.end() && old->etag == "\"" + md5_of(bytes) + "\"") return *old;
    const net::Query place{{"partNumber", std::to_string(number)}, {"uploadId", upload}};
    TRY_LET(const auto sent, bucket_.ask({"PUT", key, place, {}, "", bytes}));
    if (sent.response.status != 200) return bucket_.refusal(sent.response, key);
    // Not always the MD5: encrypted buckets have marks of their own.
    return S3Part{number, bytes.size(), sent.response.header("etag")};
  }

  Status abandon(const std::string& key, const std::string& upload) {
    TRY_LET(const auto sent, bucket_.ask({"DELETE", key, {{"uploadId", upload}}}));
    if (sent.response.status == 204 || sent.response.status == 200 || sent.response.status == 404)
      return {};
    return bucket_.refusal(sent.response, key);
  }

  S3Bucket bucket_;
  std::optional<S3Locking> locking_;
};

}  // namespace

Result<std::unique_ptr<Storage>> make_s3(S3Config config, Clock& clock, Random& random) {
  if (config.bucket.empty()) return fail(Fault::invalid, "the store names no bucket");
  if (config.endpoint.empty())
    config.endpoint = fmt::format("https://s3.{}.amazonaws.com", config.region);
  if (config.role.sts.empty())
    config.role.sts = fmt::format("https://sts.{}.amazonaws.com/", config.region);
  TRY_LET(auto base, net::parse_url(config.endpoint).in("endpoint"));
  if (!base.path.ends_with('/')) base.path += '/';
  if (config.path_style) {
    base.path += config.bucket + "/";
  } else {
    base.authority = config.bucket + "." + base.authority;
  }
  return std::unique_ptr<Storage>(
      std::make_unique<S3>(std::move(config), std::move(base), clock, random));
}

}  // namespace belay::storage
