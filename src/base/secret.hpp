// SPDX-License-Identifier: Apache-2.0
// A secret prints as stars and is not loggable; its text is taken out only where it is used.
// A Masker hides known secrets in every stream that leaves the program.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace belay {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  ~Secret();
  Secret(const Secret&) = default;
  Secret(Secret&&) noexcept = default;
  Secret& operator=(const Secret&) = default;
  Secret& operator=(Secret&&) noexcept = default;

  // The only way to the text. Never into an argument list, a log, an error or an event.
  const std::string& reveal() const { return text_; }
  bool empty() const { return text_.empty(); }
  bool operator==(const Secret&) const = default;

 private:
  std::string text_;
};

// For fmt and streams: always stars.
inline std::string_view format_as(const Secret&) {
  return "***";
}

// Replaces every known secret, and its base64 (at three offsets), URL-encoded, JSON- and
// XML-escaped and shell-quoted forms, by stars. Secrets shorter than 4 characters are not masked
// (they would hide ordinary text); doctor says so. Safe from many threads once filled.
class Masker {
 public:
  void add(const Secret& secret);
  std::string mask(std::string_view text) const;
  // The longest form known: a stream keeps back this many bytes minus one between chunks.
  std::size_t longest() const;

 private:
  friend class MaskedStream;
  std::vector<std::string> forms_;  // longest first
};

// Masks a stream whose secrets may be split between chunks.
class MaskedStream {
 public:
  explicit MaskedStream(const Masker& masker) : masker_(masker) {}
  // What may be shown now; the rest waits for more bytes.
  std::string feed(std::string_view chunk);
  std::string finish();

 private:
  std::string release(std::size_t cut);

  const Masker& masker_;
  std::string held_;
  std::size_t covered_ = 0;  // this much of held_ is hidden already
  bool starred_ = false;     // the last thing said was stars
};

}  // namespace belay
