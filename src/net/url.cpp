// SPDX-License-Identifier: Apache-2.0
#include "net/url.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.hpp"
#include "base/lower_case.hpp"
#include "base/text.hpp"

namespace belay::net {

namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '~';
}

bool is_unfit(char c) {
  return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '#';
}

}  // namespace

Result<Url> parse_url(const std::string& text) {
  const auto wrong = [&text](const char* why) {
    return fail(Fault::invalid, fmt::format("\"{}\" {}", printable(text), why));
  };
  Url url;
  const auto colon = text.find("://");
  url.scheme = text.substr(0, colon);
  if (colon == std::string::npos || (url.scheme != "http" && url.scheme != "https"))
    return wrong("is no URL: it begins with https:// or http://");
  if (std::any_of(text.begin(), text.end(), is_unfit))
    return wrong("is no URL: it holds a blank, a control character or a #");
  const auto path = text.find_first_of("/?", colon + 3);
  url.authority = text.substr(colon + 3, path == std::string::npos ? path : path - colon - 3);
  if (url.authority.empty()) return wrong("is no URL: it names no host");
  if (url.authority.find('@') != std::string::npos)
    return wrong("holds a user's name or password, which do not belong there");
  const std::string implied = url.scheme == "https" ? ":443" : ":80";
  if (url.authority.ends_with(implied)) url.authority.resize(url.authority.size() - implied.size());
  const auto rest = path == std::string::npos ? "" : text.substr(path);
  const auto question = rest.find('?');
  url.path = rest.substr(0, question);
  if (url.path.empty()) url.path = "/";
  if (question != std::string::npos) url.query = rest.substr(question + 1);
  return url;
}

std::string to_text(const Url& url) {
  return url.scheme + "://" + url.authority + url.path + (url.query.empty() ? "" : "?" + url.query);
}

bool is_near(const std::string& text) {
  const auto url = parse_url(text);
  if (!url) return false;
  const auto& authority = url->authority;
  const auto host = authority.substr(
      0, authority.find(']') == std::string::npos ? authority.find(':') : authority.find(']') + 1);
  // A name may begin with "127.", too.
  const bool address = host.find_first_not_of("0123456789.") == std::string::npos;
  return lower_case(host) == "localhost" || (address && host.starts_with("127.")) ||
         host == "[::1]";
}

std::string percent_encoded(std::string_view text, std::string_view also) {
  std::string encoded;
  for (const char c : text) {
    if (is_plain(c) || also.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = text[at] == '%' && at + 2 < text.size() ? from_hex(text.substr(at + 1, 2))
                                                              : Result<std::string>(Error{});
    if (byte) {
      decoded += *byte;
      at += 2;
    } else {
      decoded += text[at];
    }
  }
  return decoded;
}

std::string query_text(const Query& query) {
  std::string text;
  for (const auto& [name, value] : query) {
    if (!text.empty()) text += '&';
    text += percent_encoded(name) + "=" + percent_encoded(value);
  }
  return text;
}

}  // namespace belay::net
