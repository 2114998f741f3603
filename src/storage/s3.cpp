// SPDX-License-Identifier: Apache-2.0
#include "storage/s3.hpp"

#include <fmt/format.h>

#include "base/md5.hpp"
#include "base/text.hpp"
#include "net/url.hpp"
#include "storage/name.hpp"
#include "storage/remote.hpp"
#include "storage/s3_answers.hpp"

namespace belay::storage {

namespace {

bool said(const net::Response& response, std::string_view code) {
  return s3_refusal(response.body).code == code;
}

class S3 final : public Storage {
 public:
  S3(S3Config config, net::Url base, Clock& clock, Random& random)
      : config_(std::move(config)),
        base_(std::move(base)),
        remote_(config_.patience, config_.trust, clock, random) {}

  Status put(const std::string& name, std::string_view content) override {
    TRY(check_name(name));
    if (content.size() <= config_.part_bytes) return put_whole(name, content);
    return put_in_parts(name, content);
  }

  Result<std::string> get(const std::string& name) override { return fetch(name, Download()); }

  Result<std::string> get_part(const std::string& name, std::uint64_t from,
                               std::uint64_t count) override {
    return fetch(name, Download(from, count));
  }

  Result<std::vector<Object>> list(const std::string& prefix) override {
    std::vector<Object> found;
    net::Query query{{"list-type", "2"}, {"encoding-type", "url"}};
    query["prefix"] = config_.prefix + prefix;
    for (std::string next;;) {
      if (!next.empty()) query["continuation-token"] = next;
      TRY_LET(const auto sent, ask({"GET", "", query}));
      if (sent.response.status != 200) return refusal(sent.response, "");
      TRY_LET(const auto page, s3_page(sent.response.body).in(where()));
      take_ours(page.objects, config_.prefix, found);
      if (page.next.empty()) break;
      next = page.next;
    }
    sort_by_name(found);
    return found;
  }

  Status remove(const std::string& name) override {
    TRY(check_name(name));
    TRY_LET(const auto sent, ask({"DELETE", config_.prefix + name}));
    const int status = sent.response.status;
    if (status == 200 || status == 204 || said(sent.response, "NoSuchKey")) return {};
    return refusal(sent.response, config_.prefix + name);
  }

  Result<bool> exists(const std::string& name) override {
    TRY(check_name(name));
    TRY_LET(const auto sent, ask({"HEAD", config_.prefix + name}));
    if (sent.response.status == 200) return true;
    if (sent.response.status == 404) return false;
    return refusal(sent.response, config_.prefix + name);
  }

  std::string where() const override { return "s3:" + config_.bucket + "/" + config_.prefix; }

 private:
  // --- one request --------------------------------------------------------------------------

  Result<net::Request> request_of(const Ask& wanted, TimePoint now) const {
    net::Request request;
    auto url = base_;
    url.path += net::percent_encoded(wanted.key, "/");
    url.query = net::query_text(wanted.query);
    request.url = net::to_text(url);
    request.method = wanted.method;
    request.headers = wanted.headers;
    request.body = wanted.body;
    request.timeout = config_.timeout;
    request.largest_body = largest_object;
    if (wanted.method == "PUT" || wanted.method == "POST")
      request.headers.try_emplace("content-type", "application/octet-stream");
    TRY(sign_for_aws(request, config_.key, config_.region, now));
    return request;
  }

  Result<net::Sent> ask(const Ask& wanted) {
    return remote_.ask([&](TimePoint now) { return request_of(wanted, now); }).in(where());
  }

  Error refusal(const net::Response& response, const std::string& key) const {
    const auto [code, message] = s3_refusal(response.body);
    const auto region = response.header("x-amz-bucket-region");
    if (!region.empty() && region != config_.region) {
      return fail(Fault::invalid, fmt::format("the bucket {} is in the region {}, not in {}",
                                              config_.bucket, printable(region), config_.region));
    }
    const auto text =
        fmt::format("s3:{}/{}: {} {}{}{}", config_.bucket, key, response.status, printable(code),
                    message.empty() ? "" : ": ", printable(message.substr(0, 300)));
    if (code == "NoSuchBucket") return fail(Fault::missing, "there is no bucket " + config_.bucket);
    switch (response.status) {
      case 403: return fail(Fault::denied, text);
      case 404:
        return fail(Fault::missing,
                    fmt::format("there is no {}{}", where(),
                                key.substr(std::min(key.size(), config_.prefix.size()))));
      case 409:
      case 412: return fail(Fault::conflict, text);
      case 501: return fail(Fault::refused, text + " (conditional writes are needed)");
      default: break;
    }
    return response.status < 500 ? fail(Fault::refused, text)
                                 : unknown_effect(Fault::unreachable, text);
  }

  Result<std::string> fetch(const std::string& name, Download download) {
    TRY(check_name(name));
    const auto key = config_.prefix + name;
    TRY_LET(const auto said_no, remote_
                                    .fetch(download,
                                           [&](const HeaderMap& headers, TimePoint now) {
                                             return request_of({"GET", key, {}, headers}, now);
                                           })
                                    .in(where()));
    if (said_no) return refusal(*said_no, key);
    return std::move(download).bytes();
  }

  // --- writing ------------------------------------------------------------------------------

  Status put_whole(const std::string& name, std::string_view content) {
    const Ask wanted{
        "PUT", config_.prefix + name, {}, {{"if-none-match", "*"}}, std::string(content)};
    return absent_or_ours(name, content, wanted, [](const net::Response&) { return true; });
  }

  template <class Fits>
  Status absent_or_ours(const std::string& name, std::string_view content, const Ask& wanted,
                        Fits fits) {
    const auto make = [&](TimePoint now) { return request_of(wanted, now); };
    const auto judge = [&fits](const net::Response& response) {
      if (response.status == 200) return fits(response) ? Written::done : Written::collided;
      if (response.status == 412) return Written::taken;
      if (response.status == 409 && said(response, "ConditionalRequestConflict"))
        return Written::collided;
      const bool gone = response.status == 404 && said(response, "NoSuchUpload");
      return gone ? Written::gone : Written::refused;
    };
    return remote_.write_once(
        make, {where(), name, judge, [&] { return holds(name, content); },
               [&](const net::Response& response) { return refusal(response, wanted.key); }});
  }

  bool holds(const std::string& name, std::string_view content) {
    const auto there = get(name);
    return there && *there == content;
  }

  // --- writing in parts ---------------------------------------------------------------------

  Status put_in_parts(const std::string& name, std::string_view content) {
    const auto key = config_.prefix + name;
    // Cheaper than to learn it from the last request.
    TRY_LET(const bool taken, exists(name));
    if (taken) return fail(Fault::conflict, where() + name + " is there already");
    TRY_LET(const auto upload, open_upload(key));
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

  Result<std::string> open_upload(const std::string& key) {
    TRY_LET(const auto open, ask({"GET", "", {{"uploads", ""}, {"prefix", key}}}));
    if (open.response.status != 200) return refusal(open.response, "");
    TRY_LET(auto upload, s3_open_upload(open.response.body, key).in(where()));
    if (!upload.empty()) return upload;
    TRY_LET(const auto made, ask({"POST", key, {{"uploads", ""}}}));
    if (made.response.status != 200) return refusal(made.response, key);
    return s3_upload_id(made.response.body).in(where());
  }

  Result<std::vector<S3Part>> parts_there(const std::string& key, const std::string& upload) {
    std::vector<S3Part> all;
    net::Query query{{"uploadId", upload}};
    while (true) {
      TRY_LET(const auto sent, ask({"GET", key, query}));
      if (sent.response.status != 200) return refusal(sent.response, key);
      TRY_LET(const auto found, s3_parts(sent.response.body).in(where()));
      all.insert(all.end(), found.parts.begin(), found.parts.end());
      if (found.next.empty()) return all;
      query["part-number-marker"] = found.next;
    }
  }

  // Those that are there already, and are the same, stay. `parts` is the whole list afterwards.
  Status send_parts(const std::string& key, const std::string& upload, std::string_view content,
                    std::vector<S3Part>& parts) {
    std::vector<S3Part> there = std::move(parts);
    parts.clear();
    for (std::size_t at = 0; at < content.size(); at += config_.part_bytes) {
      const auto bytes = content.substr(at, config_.part_bytes);
      S3Part part{static_cast<int>(parts.size()) + 1, bytes.size(), etag_of(bytes)};
      const bool same = std::any_of(there.begin(), there.end(), [&part](const S3Part& one) {
        return one.number == part.number && one.bytes == part.bytes && one.etag == part.etag;
      });
      if (!same) {
        const Ask wanted{"PUT",
                         key,
                         {{"partNumber", std::to_string(part.number)}, {"uploadId", upload}},
                         {},
                         std::string(bytes)};
        TRY_LET(const auto sent, ask(wanted));
        if (sent.response.status != 200) return refusal(sent.response, key);
        // Not always the MD5: encrypted buckets have marks of their own.
        part.etag = sent.response.header("etag");
      }
      parts.push_back(std::move(part));
    }
    return {};
  }

  static std::string etag_of(std::string_view bytes) {
    Md5 md5;
    md5.add(bytes);
    return "\"" + md5.finish() + "\"";
  }

  Status abandon(const std::string& key, const std::string& upload) {
    TRY_LET(const auto sent, ask({"DELETE", key, {{"uploadId", upload}}}));
    if (sent.response.status == 204 || sent.response.status == 200 || sent.response.status == 404)
      return {};
    return refusal(sent.response, key);
  }

  S3Config config_;
  net::Url base_;
  Remote remote_;
};

}  // namespace

Result<std::unique_ptr<Storage>> make_s3(S3Config config, Clock& clock, Random& random) {
  if (config.bucket.empty()) return fail(Fault::invalid, "the store names no bucket");
  if (config.endpoint.empty())
    config.endpoint = fmt::format("https://s3.{}.amazonaws.com", config.region);
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
