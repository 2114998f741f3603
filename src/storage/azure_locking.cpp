// SPDX-License-Identifier: Apache-2.0
#include "storage/azure_locking.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/lower_case.hpp"
#include "net/date.hpp"
#include "storage/name.hpp"

namespace belay::storage {

Result<std::optional<DatedLocking::Shown>> AzureLocking::look(const std::string& name) {
  TRY_LET(const auto sent, container_.ask({"HEAD", container_.key_of(name)}));
  const auto& response = sent.response;
  if (azure_code(response) == "BlobNotFound") return std::optional<Shown>();
  if (response.status != 200) return container_.refusal(response, name);
  Shown shown{response.header("x-ms-version-id"), {}, false};
  shown.for_good = lower_case(response.header("x-ms-immutability-policy-mode")) == "locked";
  const auto date = response.header("x-ms-immutability-policy-until-date");
  shown.until = net::parse_http_date(date);
  if (!date.empty() && !shown.until)
    return fail(Fault::corrupt, container_.where() + name + ": the lock's date is none");
  return std::optional(std::move(shown));
}

Status AzureLocking::extend(const std::string& name, const Shown&, TimePoint until) {
  TRY_LET(
      const auto sent,
      container_.ask(
          {"PUT", container_.key_of(name), {{"comp", "immutabilityPolicies"}}, azure_lock(until)}));
  return sent.response.status == 200 ? Status() : container_.refusal(sent.response, name);
}

Status AzureLocking::mark_removed(const std::string& name) {
  TRY_LET(const auto sent, container_.ask({"DELETE", container_.key_of(name)}));
  if (sent.response.status == 202 || azure_code(sent.response) == "BlobNotFound") return {};
  return container_.refusal(sent.response, name);
}

Status AzureLocking::erase(const std::string& name, const Shown& shown) {
  // The version that readers are shown cannot be named: removed, it is one of the former.
  TRY(mark_removed(name));
  if (shown.version.empty()) return {};
  TRY_LET(const auto sent,
          container_.ask({"DELETE", container_.key_of(name), {{"versionid", shown.version}}}));
  if (sent.response.status == 202 || sent.response.status == 404) return {};
  return container_.refusal(sent.response, name);
}

Result<std::vector<AzureVersion>> AzureLocking::versions(const std::string& prefix) {
  std::vector<AzureVersion> all;
  net::Query query{
      {"restype", "container"}, {"comp", "list"}, {"include", "immutabilitypolicy,versions"}};
  if (!prefix.empty()) query["prefix"] = prefix;
  while (true) {
    TRY_LET(const auto sent, container_.ask({"GET", "", query}));
    if (sent.response.status != 200) return container_.refusal(sent.response, "");
    TRY_LET(auto page, azure_versions(sent.response.body).in(container_.where()));
    std::move(page.versions.begin(), page.versions.end(), std::back_inserter(all));
    if (page.next.empty()) break;
    query["marker"] = page.next;
  }
  std::stable_sort(all.begin(), all.end(), [](const AzureVersion& a, const AzureVersion& b) {
    return std::tie(a.name, b.current, b.id) < std::tie(b.name, a.current, a.id);
  });
  return all;
}

AzureLocking::From AzureLocking::below(From begin, From end) const {
  const auto locked =
      std::find_if(begin, end, [this](const AzureVersion& one) { return holds(one.until); });
  return locked != end && locked->current ? end : locked;
}

Result<std::vector<std::string>> AzureLocking::hidden() {
  const auto& prefix = container_.config().prefix;
  TRY_LET(const auto all, versions(prefix));
  std::vector<std::string> names;
  for (auto begin = all.begin(); begin != all.end();) {
    const auto end = std::find_if(begin, all.end(),
                                  [&](const AzureVersion& one) { return one.name != begin->name; });
    const auto name = begin->name.substr(prefix.size());
    if (check_name(name) && covers(name) && below(begin, end) != end) names.push_back(name);
    begin = end;
  }
  return names;
}

Status AzureLocking::uncover(const std::string& name) {
  TRY(check_name(name));
  const auto key = container_.key_of(name);
  TRY_LET(auto all, versions(key));
  std::erase_if(all, [&key](const AzureVersion& one) { return one.name != key; });
  const bool any = std::any_of(all.begin(), all.end(),
                               [this](const AzureVersion& one) { return holds(one.until); });
  if (!any) return fail(Fault::missing, "nothing of " + container_.where() + name + " is locked");
  const auto locked = below(all.cbegin(), all.cend());
  if (locked == all.cend()) return {};
  TRY_LET(const auto sent, container_.ask({"GET", key, {{"versionid", locked->id}}}));
  if (sent.response.status != 200) return container_.refusal(sent.response, name);
  TRY(mark_removed(name));
  return put_(name, sent.response.body);
}

Status AzureLocking::check() {
  TRY_LET(const auto sent, container_.ask({"HEAD", "", {{"restype", "container"}}}));
  const auto& response = sent.response;
  if (response.status != 200) return container_.refusal(response, "");
  if (response.header("x-ms-immutable-storage-with-versioning-enabled") == "true") return {};
  return fail(Fault::refused, fmt::format("the container {} has no version-level immutability",
                                          container_.config().container));
}

}  // namespace belay::storage
