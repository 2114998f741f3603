// SPDX-License-Identifier: Apache-2.0
#include "app/numbered_entries.hpp"

#include <fmt/format.h>

#include <charconv>

namespace belay::app {

std::string NumberedEntries::name(std::int64_t number) const {
  return fmt::format("{}{:08}", prefix_, number);
}

Result<std::vector<std::int64_t>> NumberedEntries::numbers() {
  TRY_LET(const auto objects, store_.list(prefix_));
  std::vector<std::int64_t> found;
  for (const auto& object : objects) {
    const auto digits = std::string_view(object.name).substr(prefix_.size());
    std::int64_t number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (number < 1 || name(number) != object.name)
      return fail(Fault::corrupt, fmt::format("{} holds {}, which Belay did not write",
                                              store_.where(), object.name));
    found.push_back(number);
  }
  return found;
}

Result<std::optional<NumberedEntries::Entry>> NumberedEntries::latest() {
  for (;;) {
    TRY_LET(const auto all, numbers());
    if (all.empty()) return std::optional<Entry>();
    auto text = store_.get(name(all.back()));
    // Replaced since the listing, by a later one.
    if (!text && text.error().fault == Fault::missing) continue;
    if (!text) return std::move(text).error();
    return std::optional(Entry{all.back(), std::move(*text)});
  }
}

Status NumberedEntries::put(std::int64_t number, std::string_view text) {
  return store_.put(name(number), text);
}

Status NumberedEntries::remove(std::int64_t number) {
  return store_.remove(name(number));
}

void NumberedEntries::remove_below(std::int64_t number, const std::vector<std::int64_t>& all) {
  for (const auto each : all)
    if (each < number) static_cast<void>(remove(each).ok());
}

}  // namespace belay::app
