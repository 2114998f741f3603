// SPDX-License-Identifier: Apache-2.0
#include "storage/download.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace belay::storage {

namespace {

// No store has an object as large: sums of two of these are numbers still.
constexpr std::uint64_t beyond_all = std::uint64_t{1} << 60;

struct ContentRange {
  std::uint64_t first = 0;  // none in the answer that says that there is nothing there
  std::optional<std::uint64_t> whole;
};

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (text.empty() || read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return number;
}

// "bytes 5-9/20", "bytes 5-9/*", "bytes */20" (RFC 9110, section 14.4).
std::optional<ContentRange> content_range(const net::Response& response) {
  const auto text = response.header("content-range");
  const auto slash = text.find('/');
  if (!text.starts_with("bytes ") || slash == std::string::npos) return std::nullopt;
  const std::string_view range = std::string_view(text).substr(6, slash - 6);
  ContentRange found{0, number_of(std::string_view(text).substr(slash + 1))};
  if (range == "*") return found;
  const auto first = number_of(range.substr(0, range.find('-')));
  if (!first) return std::nullopt;
  found.first = *first;
  return found;
}

// Weak marks do not say that two versions have the same bytes.
std::string version_of(const net::Response& response) {
  auto version = response.header("etag");
  return version.starts_with("W/") ? std::string() : version;
}

}  // namespace

Download::Download(std::uint64_t from, std::uint64_t count)
    : from_(std::min(from, beyond_all)),
      count_(std::clamp<std::uint64_t>(count, 1, beyond_all)),
      only_look_(count == 0) {}

std::string Download::bytes() && {
  return only_look_ ? std::string() : std::move(bytes_);
}

std::map<std::string, std::string> Download::headers() const {
  std::map<std::string, std::string> headers;
  const auto at = from_ + bytes_.size();
  if (count_) {
    headers["range"] = fmt::format("bytes={}-{}", at, from_ + *count_ - 1);
  } else if (at > 0) {
    headers["range"] = fmt::format("bytes={}-", at);
  }
  if (!bytes_.empty()) headers["if-match"] = version_;
  return headers;
}

void Download::begin_anew() {
  bytes_.clear();
  version_.clear();
  whole_.reset();
}

bool Download::fits(const net::Response& response, std::uint64_t at) const {
  const auto range = content_range(response);
  if (!range || range->first != at) return false;
  if (bytes_.empty()) return true;
  return version_of(response) == version_ && (!whole_ || range->whole == whole_);
}

// False: they do not go with what is here.
bool Download::add(net::Response&& response) {
  const auto at = from_ + bytes_.size();
  if (response.status == 206) {
    if (!fits(response, at)) return false;
    if (bytes_.empty()) version_ = version_of(response);
    whole_ = content_range(response)->whole;
    bytes_ += response.body;
    return true;
  }
  // All of it, whatever was asked for.
  begin_anew();
  version_ = version_of(response);
  if (const auto length = number_of(response.header("content-length"))) whole_ = length;
  bytes_ = std::move(response.body);
  bytes_.erase(0, std::min<std::uint64_t>(from_, bytes_.size()));
  if (count_ && bytes_.size() > *count_) bytes_.resize(*count_);
  return true;
}

void Download::keep(net::Response&& unfinished) {
  if (unfinished.status != 200 && unfinished.status != 206) return;
  if (!add(std::move(unfinished)) || version_.empty()) begin_anew();
}

Download::Step Download::anew() {
  begin_anew();
  return Step::again;
}

bool Download::is_all() const {
  const auto at = from_ + bytes_.size();
  if (count_ && at >= from_ + *count_) return true;
  return !whole_ || at >= *whole_;
}

Download::Step Download::take(net::Response& whole) {
  const bool begun = !bytes_.empty();
  switch (whole.status) {
    case 200: add(std::move(whole)); return Step::done;
    case 206:
      // Azurite says "bytes 0--1/0" of an empty object.
      if (!begun && whole.body.empty()) return Step::done;
      if (!add(std::move(whole))) return anew();
      if (is_all()) return Step::done;
      return version_.empty() ? anew() : Step::again;
    case 412: return begun ? anew() : Step::no;
    case 416: {
      const auto range = content_range(whole);
      const bool ends_here = range && range->whole == from_ + bytes_.size();
      return !begun || ends_here ? Step::done : anew();
    }
    default: return Step::no;
  }
}

}  // namespace belay::storage
