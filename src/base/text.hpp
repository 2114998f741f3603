// SPDX-License-Identifier: Apache-2.0
// Small operations on text that several rooms need.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace belay {

std::vector<std::string> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view trim(std::string_view text);

// The candidate closest to `word` by edit distance, or "" when none is near enough to suggest.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

// "1,204", "212,408".
std::string with_commas(std::uint64_t count);
// "0.9 MB", "53 MB", "1.2 GB" (decimal units).
std::string bytes_for_people(std::uint64_t count);

// Somebody else's text, for a person's screen: what would move a cursor, hide or reorder text
// stands as \x1b or \u202e, bytes that are no UTF-8 as \xff. Everything else is left as it is.
// `lines`: ends of lines stay, for text of several.
std::string printable(std::string_view text, bool lines = false);

// Quoted so that a POSIX shell reads it back as one word.
std::string shell_quoted(std::string_view word);

}  // namespace belay
