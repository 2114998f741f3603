// SPDX-License-Identifier: Apache-2.0
#include "journal/chain.hpp"

#include <charconv>

namespace belay::journal {

namespace {

void add_number(std::string& bytes, std::int64_t number) {
  const auto value = static_cast<std::uint64_t>(number);
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
}

void add_text(std::string& bytes, const std::string& text) {
  add_number(bytes, static_cast<std::int64_t>(text.size()));
  bytes += text;
}

}  // namespace

std::int64_t run_number(const std::string& run) {
  std::int64_t number = 0;
  const auto [end, code] = std::from_chars(run.data(), run.data() + run.size(), number);
  const bool whole = code == std::errc() && end == run.data() + run.size();
  return whole && number > 0 && std::to_string(number) == run ? number : 0;
}

std::string chain_start() {
  return std::string(32, '\0');
}

std::string chained(const std::string& previous, const Event& event, std::int64_t epoch) {
  std::string bytes = "belay.event.1\n";
  bytes.reserve(bytes.size() + previous.size() + 72 + event.kind.size() + event.key.size() +
                event.body.size());
  bytes += previous;
  add_number(bytes, event.id);
  add_number(bytes, run_number(event.run));
  add_number(bytes, event.seq);
  add_number(bytes, event.at.time_since_epoch().count());
  add_number(bytes, event.version);
  add_number(bytes, epoch);
  add_text(bytes, event.kind);
  add_text(bytes, event.key);
  add_text(bytes, event.body);
  const Sha256 digest = sha256(bytes);
  return std::string(digest.begin(), digest.end());
}

}  // namespace belay::journal
