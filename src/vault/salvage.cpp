// SPDX-License-Identifier: Apache-2.0
#include "vault/salvage.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace belay::vault {

namespace {

constexpr std::string_view magic = "BELAYSV1";
constexpr std::size_t longest_name = 100, pass_room = 15;  // ".pass-999999999"
constexpr std::size_t segment_limit = std::size_t{8} << 20;
const database::Bson no_id("\5\0\0\0\0", 5);
constexpr std::uint8_t has_live = 1, has_wanted = 2, same = 4;

std::string folder(const std::string& name) {
  return "salvage/" + name + "/";
}

Error damaged(const char* what) {
  return fail(Fault::corrupt, fmt::format("a salvage segment is damaged: {}", what));
}

Result<std::string_view> take_document(std::string_view content, std::size_t& offset) {
  std::int32_t length = 0;
  if (content.size() - offset < 5) return damaged("it ends within a document");
  std::memcpy(&length, content.data() + offset, 4);
  if (length < 5 || static_cast<std::size_t>(length) > content.size() - offset)
    return damaged("a document's length is wrong");
  auto document = content.substr(offset, static_cast<std::size_t>(length));
  offset += document.size();
  return document;
}

// "salvage/NAME/7-000012" -> 7 for the stem "salvage/NAME/".
template <class T>
T number_after(std::string_view name, std::string_view stem) {
  T number = 0;
  if (!name.starts_with(stem)) return 0;
  std::from_chars(name.data() + stem.size(), name.data() + name.size(), number);
  return number;
}

template <class T>
Result<T> highest(Vault& vault, const std::string& prefix) {
  TRY_LET(auto names, vault.list_sealed(prefix));
  T most = 0;
  for (const auto& name : names) most = std::max(most, number_after<T>(name, prefix));
  return most;
}

using SalvageSink = std::function<Status(const database::Namespace&, const database::Bson&,
                                         const std::optional<database::Bson>&)>;

Status hand_over(const SalvageIndex& index, const Entry& entry, const SalvageSink& sink) {
  if (entry.task >= index.tasks.size()) return damaged("an entry belongs to no collection");
  const auto& task = index.tasks[entry.task];
  auto id = database::id_of(entry.any());  // time series may have none
  std::optional<database::Bson> live;
  if (entry.live) live = database::Bson(*entry.live);
  return sink(task.live ? task.live->ns : task.wanted->ns, id ? *id : no_id, live);
}

// Versions that were found after the index was written: each stands after the first one.
Status read_later(Vault& vault, const SalvageIndex& index, const SalvageSink& sink) {
  TRY_LET(const auto names, vault.list_sealed(later_stem(index.name)));
  for (const auto& name : names) {
    TRY_LET(const auto content, vault.get_sealed(name));
    for (std::size_t offset = 0;;) {
      TRY_LET(auto entry, read_entry(content, offset));
      if (!entry) break;
      TRY(hand_over(index, *entry, sink));
    }
  }
  return {};
}

void summarise(SalvageIndex index, SalvageSummary& out) {
  out.point = index.of;
  out.project = index.project;
  out.environment = index.environment;
  out.run = index.run;
  out.at = index.at;
  out.documents = index.documents;
  for (auto& task : index.tasks) out.differences.push_back(std::move(task.difference));
}

std::string segment_name(const std::string& stem, std::uint64_t number) {
  return fmt::format("{}{:06}", stem, number);
}

Status read_one(Vault& vault, const SalvageIndex& index, const SalvageSink& sink) {
  for (std::uint32_t number = 0; number < index.tasks.size(); ++number) {
    EntryReader entries(vault, index, number);
    while (true) {
      TRY_LET(auto entry, entries.next());
      if (!entry) break;
      TRY(hand_over(index, *entry, sink));
    }
  }
  return read_later(vault, index, sink);
}

}  // namespace

Status SegmentWriter::add(std::uint32_t task, const std::optional<std::string_view>& live,
                          const std::optional<std::string_view>& wanted) {
  const bool equal = live && wanted && *live == *wanted;
  const auto size = (live ? live->size() : 0) + (wanted && !equal ? wanted->size() : 0);
  if (!buffer_.empty() && buffer_.size() + size > segment_limit) TRY(flush());
  if (buffer_.empty()) buffer_ = magic;
  buffer_ +=
      static_cast<char>((live ? has_live : 0) | (wanted ? has_wanted : 0) | (equal ? same : 0));
  buffer_.append(reinterpret_cast<const char*>(&task), sizeof task);
  if (live) buffer_.append(*live);
  if (wanted && !equal) buffer_.append(*wanted);
  return {};
}

Status SegmentWriter::flush() {
  if (buffer_.empty()) return {};
  TRY(vault_.put_sealed(segment_name(stem_, number_), buffer_));
  ++number_;
  buffer_.clear();
  return {};
}

Result<std::optional<Entry>> read_entry(std::string_view content, std::size_t& offset) {
  if (offset < magic.size()) {
    if (!content.starts_with(magic)) return damaged("it does not start as one");
    offset = magic.size();
  }
  if (offset == content.size()) return std::optional<Entry>{};
  if (content.size() < offset + 5) return damaged("it ends within an entry");
  const auto flags = static_cast<std::uint8_t>(content[offset]);
  Entry entry;
  std::memcpy(&entry.task, content.data() + offset + 1, 4);
  offset += 5;
  if (flags & has_live) {
    TRY_LET(entry.live, take_document(content, offset));
  }
  if (flags & same) {
    entry.wanted = entry.live;
  } else if (flags & has_wanted) {
    TRY_LET(entry.wanted, take_document(content, offset));
  }
  if (!entry.live && !entry.wanted) return damaged("an entry holds nothing");
  return std::optional<Entry>{entry};
}

EntryReader::EntryReader(Vault& vault, const SalvageIndex& index, std::uint32_t task)
    : vault_(vault),
      stem_(segment_stem(index.name, index.attempt)),
      task_(task),
      left_(index.tasks[task].entries),
      segment_(index.tasks[task].segment),
      segments_(index.segments),
      offset_(index.tasks[task].offset) {}

Result<std::optional<Entry>> EntryReader::next() {
  while (left_ > 0) {
    if (!loaded_) {
      if (segment_ >= segments_) return damaged("entries are missing");
      TRY_LET(content_, vault_.get_sealed(segment_name(stem_, segment_ + 1)));
      loaded_ = true;
    }
    TRY_LET(auto entry, read_entry(content_, offset_));
    if (entry) {
      if (entry->task != task_) return damaged("an entry belongs to another collection");
      --left_;
      return entry;
    }
    ++segment_;
    offset_ = 0;
    loaded_ = false;
  }
  return std::optional<Entry>{};
}

Status check_salvage_name(const std::string& name) {
  const bool fine = !name.empty() && name.size() <= longest_name + pass_room && name[0] != '.' &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                             (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
                    });
  if (fine) return {};
  return fail(Fault::refused,
              fmt::format("'{}' cannot name a salvage: use up to 100 letters, digits, "
                          "'-', '_' and '.'",
                          name));
}

std::string pass_name(const std::string& name, std::size_t pass) {
  return pass == 1 ? name : fmt::format("{}.pass-{}", name, pass);
}

std::string segment_stem(const std::string& name, int attempt) {
  return fmt::format("{}{}-", folder(name), attempt);
}

std::string later_stem(const std::string& name) {
  return folder(name) + "later-";
}

Result<int> next_attempt(Vault& vault, const std::string& name) {
  TRY_LET(auto most, highest<int>(vault, folder(name)));
  return most + 1;
}

Result<std::uint64_t> next_later(Vault& vault, const std::string& name) {
  TRY_LET(auto most, highest<std::uint64_t>(vault, later_stem(name)));
  return most + 1;
}

Result<std::optional<std::uint64_t>> completed(Vault& vault, const std::string& name) {
  auto text = vault.get_sealed(folder(name) + "done");
  if (!text && text.error().fault == Fault::missing) return std::optional<std::uint64_t>{};
  if (!text) return std::move(text).error();
  TRY_LET(auto json, parse_json(*text));
  return std::optional<std::uint64_t>{json.value("verified", std::uint64_t{0})};
}

Status mark_completed(Vault& vault, const std::string& name, std::uint64_t verified) {
  return vault.put_sealed(folder(name) + "done", canonical(Json{{"verified", verified}}));
}

Result<std::vector<SalvageSummary>> list_salvages(Vault& vault) {
  TRY_LET(auto names, vault.list_sealed("salvage/"));
  std::vector<SalvageSummary> found;
  for (std::string_view name : names) {
    if (!name.ends_with("/index")) continue;
    name.remove_prefix(std::string_view("salvage/").size());
    name.remove_suffix(std::string_view("/index").size());
    auto index = load_salvage(vault, std::string(name));
    if (!index && index.error().fault == Fault::missing) continue;  // forgotten since the listing
    const bool damaged =
        !index && (index.error().fault == Fault::corrupt || index.error().fault == Fault::refused);
    if (!index && !damaged) return std::move(index).error();
    SalvageSummary summary;
    summary.name = name;
    summary.finished =
        std::binary_search(names.begin(), names.end(), folder(summary.name) + "done");
    if (damaged)
      summary.damaged = index.error().message();
    else
      summarise(std::move(*index), summary);
    found.push_back(std::move(summary));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  return found;
}

Status read_salvage(Vault& vault, const std::string& name, const SalvageSink& sink) {
  TRY_LET(auto index, load_salvage(vault, name));
  TRY(read_one(vault, index, sink));
  for (std::size_t pass = 2;; ++pass) {
    const auto more = load_salvage(vault, pass_name(name, pass));
    if (!more && more.error().fault == Fault::missing) return {};
    if (!more) return more.error();
    TRY(read_one(vault, *more, sink));
  }
}

}  // namespace belay::vault
