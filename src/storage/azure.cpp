// SPDX-License-Identifier: Apache-2.0
#include "storage/azure.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.hpp"
#include "base/md5.hpp"
#include "base/text.hpp"
#include "net/url.hpp"
#include "storage/azure_answers.hpp"
#include "storage/azure_container.hpp"
#include "storage/azure_locking.hpp"
#include "storage/name.hpp"

namespace belay::storage {

namespace {

// Of the same length for all of a blob, as Azure wants them; the same bytes at the same place have
// the same name, so that what an interrupted put has left is known again.
std::string block_name(std::size_t number, std::string_view bytes) {
  return base64(fmt::format("{:06}-{}", number, md5_of(bytes)));
}

class Azure final : public Storage {
 public:
  Azure(AzureConfig config, net::Url base, std::string key, Clock& clock, Random& random)
      : container_(std::move(config), std::move(base), std::move(key), clock, random) {
    if (container_.config().lock.time == Millis(0)) return;
    locking_.emplace(container_, [this](const std::string& name, std::string_view content) {
      return put(name, content);
    });
  }

  Status put(const std::string& name, std::string_view content) override {
    TRY(check_name(name));
    const bool in_blocks = content.size() > container_.config().part_bytes;
    TRY(in_blocks ? put_in_blocks(name, content) : put_whole(name, content));
    return locked(name) ? locking_->see_once(name) : Status();
  }

  Result<std::string> get(const std::string& name) override { return fetch(name, Download()); }

  Result<std::string> get_part(const std::string& name, std::uint64_t from,
                               std::uint64_t count) override {
    return fetch(name, Download(from, count));
  }

  Result<std::vector<Object>> list(const std::string& prefix) override {
    std::vector<Object> found;
    net::Query query{{"restype", "container"}, {"comp", "list"}};
    if (const auto whole = container_.config().prefix + prefix; !whole.empty())
      query["prefix"] = whole;
    while (true) {
      TRY_LET(const auto sent, container_.ask({"GET", "", query}));
      if (sent.response.status != 200) return container_.refusal(sent.response, "");
      TRY_LET(const auto page, azure_page(sent.response.body).in(where()));
      take_ours(page.objects, container_.config().prefix, found);
      if (page.next.empty()) break;
      query["marker"] = page.next;
    }
    sort_by_name(found);
    return found;
  }

  Status remove(const std::string& name) override {
    TRY(check_name(name));
    if (locking_) return locking_->remove(name);
    TRY_LET(const auto sent, container_.ask({"DELETE", key_of(name)}));
    if (sent.response.status == 202 || azure_code(sent.response) == "BlobNotFound") return {};
    return container_.refusal(sent.response, name);
  }

  Result<bool> exists(const std::string& name) override {
    TRY(check_name(name));
    TRY_LET(const auto sent, container_.ask({"HEAD", key_of(name)}));
    if (sent.response.status == 200) return true;
    if (sent.response.status == 404 && azure_code(sent.response) != "ContainerNotFound")
      return false;
    return container_.refusal(sent.response, name);
  }

  Locking* locking() override { return locking_ ? &*locking_ : nullptr; }
  std::string where() const override { return container_.where(); }

 private:
  bool locked(const std::string& name) const { return container_.config().lock.holds(name); }
  std::string key_of(const std::string& name) const { return container_.key_of(name); }

  Result<std::string> fetch(const std::string& name, Download download) {
    TRY(check_name(name));
    TRY_LET(const auto said_no,
            container_.remote()
                .fetch(download,
                       [&](const HeaderMap& headers, TimePoint now) {
                         return container_.request_of({"GET", key_of(name), {}, headers}, now);
                       })
                .in(where()));
    if (said_no) return container_.refusal(*said_no, name);
    return std::move(download).bytes();
  }

  Status absent_or_ours(const std::string& name, std::string_view content, Ask wanted) {
    wanted.headers["if-none-match"] = "*";
    wanted.locked = locked(name);
    const auto make = [&](TimePoint now) { return container_.request_of(wanted, now); };
    const auto judge = [](const net::Response& response) {
      const auto code = azure_code(response);
      if (response.status == 201) return Written::done;
      if (code == "BlobAlreadyExists" || code == "ConditionNotMet") return Written::taken;
      // After a commit whose answer was lost there are no blocks left to commit.
      return code == "InvalidBlockList" ? Written::gone : Written::refused;
    };
    return container_.remote().write_once(
        make, {where(), name, judge, [&] { return holds(name, content); },
               [&](const net::Response& response) { return container_.refusal(response, name); }});
  }

  bool holds(const std::string& name, std::string_view content) {
    const auto there = get(name);
    return there && *there == content;
  }

  Status put_whole(const std::string& name, std::string_view content) {
    const HeaderMap headers{{"x-ms-blob-type", "BlockBlob"}};
    return absent_or_ours(name, content, {"PUT", key_of(name), {}, headers, "", content});
  }

  Status put_in_blocks(const std::string& name, std::string_view content) {
    // Cheaper than to learn it from the last request.
    TRY_LET(const bool taken, exists(name));
    if (taken) return fail(Fault::conflict, where() + name + " is there already");
    TRY_LET(const auto there, blocks_there(name));
    const auto size = container_.config().part_bytes;
    std::vector<std::string> blocks((content.size() + size - 1) / size);
    const auto send = [&](std::size_t index) -> Status {
      const auto bytes = content.substr(index * size, size);
      blocks[index] = block_name(index, bytes);
      if (std::find(there.begin(), there.end(), blocks[index]) != there.end()) return {};
      const net::Query place{{"comp", "block"}, {"blockid", blocks[index]}};
      TRY_LET(const auto sent, container_.ask({"PUT", key_of(name), place, {}, "", bytes}));
      return sent.response.status == 201 ? Status() : container_.refusal(sent.response, name);
    };
    TRY(in_lanes(container_.config().lanes, blocks.size(), send));
    return absent_or_ours(name, content,
                          {"PUT",
                           key_of(name),
                           {{"comp", "blocklist"}},
                           {{"content-type", "application/xml"}},
                           azure_commit(blocks)});
  }

  Result<std::vector<std::string>> blocks_there(const std::string& name) {
    TRY_LET(const auto sent,
            container_.ask(
                {"GET", key_of(name), {{"comp", "blocklist"}, {"blocklisttype", "uncommitted"}}}));
    if (sent.response.status == 200) return azure_blocks(sent.response.body).in(where());
    if (azure_code(sent.response) == "BlobNotFound") return std::vector<std::string>();
    return container_.refusal(sent.response, name);
  }

  AzureContainer container_;
  std::optional<AzureLocking> locking_;
};

}  // namespace

Result<std::unique_ptr<Storage>> make_azure(AzureConfig config, Clock& clock, Random& random) {
  if (config.container.empty()) return fail(Fault::invalid, "the store names no container");
  if (config.account.empty()) return fail(Fault::invalid, "the store names no account");
  const bool identity = config.role.identity.from != Identity::From::nobody;
  if (config.key.empty() && config.sas.empty() && !identity) {
    return fail(Fault::invalid,
                "the store has neither the account's key nor a shared access signature, nor an "
                "identity");
  }
  std::string key;
  if (identity) {
    config.sas = {};
  } else if (config.sas.empty()) {
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
