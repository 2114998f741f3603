// SPDX-License-Identifier: Apache-2.0
#include "base/secret.hpp"

#include <string.h>

#include <algorithm>
#include <span>
#include <utility>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace belay {

Secret::~Secret() {
  explicit_bzero(text_.data(), text_.size());
}

namespace {

constexpr std::size_t shortest_masked = 4;
constexpr std::string_view stars = "***";

// Only the characters that depend on nothing but the secret: its neighbours in the stream share
// the characters at both ends.
std::string base64_at(const std::string& text, std::size_t offset) {
  const std::string whole = base64(std::string(offset, '\0') + text);
  const std::size_t first = (offset * 8 + 5) / 6;
  const std::size_t last = (offset + text.size()) * 8 / 6;
  return whole.substr(first, last - first);
}

std::string url_safe(std::string text) {
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

bool unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '~';
}

std::string url_encoded(const std::string& text, const char* byte_format, bool plus) {
  std::string out;
  for (char c : text) {
    if (plus && c == ' ') {
      out += '+';
    } else if (unreserved(c)) {
      out += c;
    } else {
      out += fmt::format(fmt::runtime(byte_format), static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string json_escaped(const std::string& text, bool ascii) {
  const std::string quoted = Json(text).dump(-1, ' ', ascii, Json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2);
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string xml_escaped(std::string text) {
  constexpr std::pair<const char*, const char*> escapes[] = {
      {"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}};
  for (const auto& [plain, escaped] : escapes) text = replaced(std::move(text), plain, escaped);
  return text;
}

std::vector<std::string> forms_of(const std::string& text) {
  const std::string shell = shell_quoted(text);
  std::vector<std::string> forms = {
      text,
      url_encoded(text, "%{:02X}", false),
      url_encoded(text, "%{:02x}", false),
      url_encoded(text, "%{:02X}", true),
      json_escaped(text, false),
      json_escaped(text, true),
      replaced(json_escaped(text, false), "/", "\\/"),
      shell.substr(1, shell.size() - 2),
      xml_escaped(text),
      hex(text),
  };
  for (std::size_t offset = 0; offset < 3; ++offset) {
    forms.push_back(base64_at(text, offset));
    forms.push_back(url_safe(base64_at(text, offset)));
  }
  return forms;
}

struct Stretch {
  std::size_t from, to;
};

// Where known forms are, joined where they touch or overlap: of two overlapping secrets nothing
// is left.
std::vector<Stretch> stretches(const std::vector<std::string>& forms, std::string_view text) {
  std::vector<Stretch> found;
  for (const auto& form : forms) {
    for (auto at = text.find(form); at != std::string_view::npos; at = text.find(form, at + 1)) {
      found.push_back({at, at + form.size()});
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Stretch& a, const Stretch& b) { return a.from < b.from; });
  std::vector<Stretch> joined;
  for (const auto& next : found) {
    if (!joined.empty() && next.from <= joined.back().to) {
      joined.back().to = std::max(joined.back().to, next.to);
    } else {
      joined.push_back(next);
    }
  }
  return joined;
}

}  // namespace

void Masker::add(const Secret& secret) {
  if (secret.reveal().size() < shortest_masked) return;
  for (auto& form : forms_of(secret.reveal())) {
    if (form.size() >= shortest_masked) forms_.push_back(std::move(form));
  }
  std::sort(forms_.begin(), forms_.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  forms_.erase(std::unique(forms_.begin(), forms_.end()), forms_.end());
}

std::string Masker::mask(std::string_view text) const {
  MaskedStream stream(*this);
  std::string out = stream.feed(text);
  return out + stream.finish();
}

std::size_t Masker::longest() const {
  return forms_.empty() ? 0 : forms_.front().size();
}

std::string MaskedStream::feed(std::string_view chunk) {
  held_ += chunk;
  const std::size_t longest = masker_.longest();
  return release(longest == 0 ? held_.size() : held_.size() - std::min(held_.size(), longest - 1));
}

std::string MaskedStream::finish() {
  return release(held_.size());
}

// Every form that begins before `cut` is here whole. What is covered by a form that reaches beyond
// the cut is said once; `covered_` remembers how far it reaches.
std::string MaskedStream::release(std::size_t cut) {
  if (cut == 0) return {};
  std::vector<Stretch> hidden = stretches(masker_.forms_, held_);
  if (covered_ > 0) hidden.insert(hidden.begin(), Stretch{0, covered_});
  std::string out;
  std::size_t at = 0;
  for (const auto& stretch : hidden) {
    if (stretch.from >= cut) break;
    if (stretch.to <= at) continue;
    if (stretch.from > at) {
      out += held_.substr(at, stretch.from - at);
      starred_ = false;
    }
    if (!starred_) out += stars;
    starred_ = true;
    at = stretch.to;
  }
  if (at < cut) {
    out += held_.substr(at, cut - at);
    starred_ = false;
    at = cut;
  }
  held_.erase(0, cut);
  covered_ = at - cut;
  return out;
}

}  // namespace belay
