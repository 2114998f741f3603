// SPDX-License-Identifier: Apache-2.0
#include "storage/azure.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.hpp"
#include "base/md5.hpp"
#include "base/text.hpp"
#include "net/date.hpp"
#include "net/url.hpp"
#include "storage/azure_answers.hpp"
#include "storage/azure_signature.hpp"
#include "storage/name.hpp"
#include "storage/remote.hpp"

namespace belay::storage {

namespace {

constexpr const char* api_version = "2021-12-02";

std::string md5_of(std::string_view bytes) {
  Md5 md5;
  md5.add(bytes);
  return md5.finish();
}

// Of the same length for all of a blob, as Azure wants them; the same bytes at the same place have
// the same name, so that what an interrupted put has left is known again.
std::string block_name(std::size_t number, std::string_view bytes) {
  return base64(fmt::format("{:06}-{}", number, md5_of(bytes)));
}

class Azure final : public Storage {
 public:
  Azure(AzureConfig config, net::Url base, std::string key, Clock& clock, Random& random)
      : config_(std::move(config)),
        base_(std::move(base)),
        key_(std::move(key)),
        remote_(config_.patience, config_.trust, clock, random) {}

  Status put(const std::string& name, std::string_view content) override {
    TRY(check_name(name));
    if (content.size() > config_.part_bytes) return put_in_blocks(name, content);
    const Ask wanted{
        "PUT", key_of(name), {}, {{"x-ms-blob-type", "BlockBlob"}}, std::string(content)};
    return absent_or_ours(name, content, wanted);
  }

  Result<std::string> get(const std::string& name) override { return fetch(name, Download()); }

  Result<std::string> get_part(const std::string& name, std::uint64_t from,
                               std::uint64_t count) override {
    return fetch(name, Download(from, count));
  }

  Result<std::vector<Object>> list(const std::string& prefix) override {
    std::vector<Object> found;
    net::Query query{{"restype", "container"}, {"comp", "list"}};
    if (const auto whole = config_.prefix + prefix; !whole.empty()) query["prefix"] = whole;
    while (true) {
      TRY_LET(const auto sent, ask({"GET", "", query}));
      if (sent.response.status != 200) return refusal(sent.response, "");
      TRY_LET(const auto page, azure_page(sent.response.body).in(where()));
      take_ours(page.objects, config_.prefix, found);
      if (page.next.empty()) break;
      query["marker"] = page.next;
    }
    sort_by_name(found);
    return found;
  }

  Status remove(const std::string& name) override {
    TRY(check_name(name));
    TRY_LET(const auto sent, ask({"DELETE", key_of(name)}));
    if (sent.response.status == 202 || code_of(sent.response) == "BlobNotFound") return {};
    return refusal(sent.response, name);
  }

  Result<bool> exists(const std::string& name) override {
    TRY(check_name(name));
    TRY_LET(const auto sent, ask({"HEAD", key_of(name)}));
    if (sent.response.status == 200) return true;
    if (sent.response.status == 404 && code_of(sent.response) != "ContainerNotFound") return false;
    return refusal(sent.response, name);
  }

  std::string where() const override {
    return fmt::format("azblob:{}/{}", config_.container, config_.prefix);
  }

 private:
  std::string key_of(const std::string& name) const { return config_.prefix + name; }

  Result<net::Request> request_of(const Ask& wanted, TimePoint now) const {
    net::Request request;
    auto url = base_;
    if (!wanted.key.empty()) url.path += "/" + net::percent_encoded(wanted.key, "/");
    url.query = net::query_text(wanted.query);
    if (!config_.sas.empty()) {
      url.query += (url.query.empty() ? "" : "&") + config_.sas.reveal();
    }
    request.url = net::to_text(url);
    request.method = wanted.method;
    request.headers = wanted.headers;
    request.headers["x-ms-version"] = api_version;
    request.headers["x-ms-date"] = net::http_date(now);
    request.body = wanted.body;
    request.timeout = config_.timeout;
    request.largest_body = largest_object;
    if (wanted.method == "PUT") {
      request.headers.try_emplace("content-type", "application/octet-stream");
      TRY_LET(const auto md5, from_hex(md5_of(wanted.body)));
      request.headers["content-md5"] = base64(md5);
    }
    if (config_.sas.empty()) TRY(sign_for_azure(request, wanted.query, config_.account, key_));
    return request;
  }

  Result<net::Sent> ask(const Ask& wanted) {
    return remote_.ask([&](TimePoint now) { return request_of(wanted, now); }).in(where());
  }

  Result<std::string> fetch(const std::string& name, Download download) {
    TRY(check_name(name));
    TRY_LET(const auto said_no,
            remote_
                .fetch(download,
                       [&](const HeaderMap& headers, TimePoint now) {
                         return request_of({"GET", key_of(name), {}, headers}, now);
                       })
                .in(where()));
    if (said_no) return refusal(*said_no, name);
    return std::move(download).bytes();
  }

  static std::string code_of(const net::Response& response) {
    return response.header("x-ms-error-code");
  }

  Error refusal(const net::Response& response, const std::string& name) const {
    const auto code = code_of(response);
    const auto text = fmt::format("{}{}: {} {}{}", where(), name, response.status, printable(code),
                                  printable(azure_refusal(response.body)));
    if (code == "ContainerNotFound")
      return fail(Fault::missing, "there is no container " + config_.container);
    switch (response.status) {
      case 403: return fail(Fault::denied, text);
      case 404: return fail(Fault::missing, "there is no " + where() + name);
      case 409:
      case 412: return fail(Fault::conflict, text);
      default: break;
    }
    return response.status < 500 ? fail(Fault::refused, text)
                                 : unknown_effect(Fault::unreachable, text);
  }

  Status absent_or_ours(const std::string& name, std::string_view content, Ask wanted) {
    wanted.headers["if-none-match"] = "*";
    const auto make = [&](TimePoint now) { return request_of(wanted, now); };
    const auto judge = [](const net::Response& response) {
      const auto code = code_of(response);
      if (response.status == 201) return Written::done;
      if (code == "BlobAlreadyExists" || code == "ConditionNotMet") return Written::taken;
      // After a commit whose answer was lost there are no blocks left to commit.
      return code == "InvalidBlockList" ? Written::gone : Written::refused;
    };
    return remote_.write_once(
        make, {where(), name, judge, [&] { return holds(name, content); },
               [&](const net::Response& response) { return refusal(response, name); }});
  }

  bool holds(const std::string& name, std::string_view content) {
    const auto there = get(name);
    return there && *there == content;
  }

  Status put_in_blocks(const std::string& name, std::string_view content) {
    // Cheaper than to learn it from the last request.
    TRY_LET(const bool taken, exists(name));
    if (taken) return fail(Fault::conflict, where() + name + " is there already");
    TRY_LET(const auto there, blocks_there(name));
    std::vector<std::string> blocks;
    for (std::size_t at = 0; at < content.size(); at += config_.part_bytes) {
      const auto bytes = content.substr(at, config_.part_bytes);
      blocks.push_back(block_name(blocks.size(), bytes));
      if (std::find(there.begin(), there.end(), blocks.back()) != there.end()) continue;
      const Ask wanted{"PUT",
                       key_of(name),
                       {{"comp", "block"}, {"blockid", blocks.back()}},
                       {},
                       std::string(bytes)};
      TRY_LET(const auto sent, ask(wanted));
      if (sent.response.status != 201) return refusal(sent.response, name);
    }
    return absent_or_ours(name, content,
                          {"PUT",
                           key_of(name),
                           {{"comp", "blocklist"}},
                           {{"content-type", "application/xml"}},
                           azure_commit(blocks)});
  }

  Result<std::vector<std::string>> blocks_there(const std::string& name) {
    TRY_LET(const auto sent,
            ask({"GET", key_of(name), {{"comp", "blocklist"}, {"blocklisttype", "uncommitted"}}}));
    if (sent.response.status == 200) return azure_blocks(sent.response.body).in(where());
    if (code_of(sent.response) == "BlobNotFound") return std::vector<std::string>();
    return refusal(sent.response, name);
  }

  AzureConfig config_;
  net::Url base_;
  std::string key_;
  Remote remote_;
};

}  // namespace

Result<std::unique_ptr<Storage>> make_azure(AzureConfig config, Clock& clock, Random& random) {
  if (config.container.empty()) return fail(Fault::invalid, "the store names no container");
  if (config.account.empty()) return fail(Fault::invalid, "the store names no account");
  if (config.key.empty() && config.sas.empty()) {
    return fail(Fault::invalid,
                "the store has neither the account's key nor a shared access signature");
  }
  std::string key;
  if (config.sas.empty()) {
    auto bytes = from_base64(config.key.reveal());
    if (!bytes) return fail(Fault::invalid, "the account's key is not base64");
    key = std::move(bytes).value();
  } else if (config.sas.reveal().starts_with('?')) {
    config.sas = Secret(config.sas.reveal().substr(1));
  }
  if (config.endpoint.empty())
    config.endpoint = fmt::format("https://{}.blob.core.windows.net", config.account);
  TRY_LET(auto base, net::parse_url(config.endpoint).in("endpoint"));
  if (!base.path.ends_with('/')) base.path += '/';
  base.path += config.container;
  return std::unique_ptr<Storage>(
      std::make_unique<Azure>(std::move(config), std::move(base), std::move(key), clock, random));
}

}  // namespace belay::storage
