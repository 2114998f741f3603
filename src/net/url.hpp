// SPDX-License-Identifier: Apache-2.0
// URLs in parts, and text as it stands in them (RFC 3986).
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace belay::net {

// "https", "host:8443" (without the port that the scheme implies), "/a/b" (as written, "/" at
// least), "x=1&y=2" (as written, without the question mark).
struct Url {
  std::string scheme, authority, path, query;
};
// http and https only; a user's name, a fragment, blanks and control characters are invalid.
Result<Url> parse_url(const std::string& text);
std::string to_text(const Url& url);

// Its host is this machine: localhost, 127.0.0.0/8, ::1. False for what is no URL.
bool is_near(const std::string& url);

// All but letters, digits and -_.~ as %XX; characters of `also` stay, too.
std::string percent_encoded(std::string_view text, std::string_view also = "");
// What is no %XX stays as it is.
std::string percent_decoded(std::string_view text);

// "a=1&b=%2F", in the order of the names; a name without a value still has its "=".
using Query = std::map<std::string, std::string>;
std::string query_text(const Query& query);

}  // namespace belay::net
