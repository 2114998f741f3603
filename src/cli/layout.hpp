// SPDX-License-Identifier: Apache-2.0
// How lines are set: columns, not bytes; words, not letters.
#pragma once

#include <string>
#include <vector>

#include "engine/step.hpp"

namespace belay::cli {

// What a terminal shows of the text: several bytes may be one column, a colour is none.
std::size_t columns(std::string_view text);

// Broken at spaces into lines of at most `width` columns, and where the text breaks itself. A word
// that is longer stays whole.
std::vector<std::string> wrapped(const std::string& text, std::size_t width);

// Every line of the text within `width`; what does not fit goes on below, two deeper.
std::string wrapped_text(const std::string& text, std::size_t width);

// Mark, label, what, and the time at the right edge. Further lines of `what` stand under its first;
// long ones are broken when `wraps`.
std::string row(const std::string& mark, const std::string& label, const std::string& what,
                const std::string& time, std::size_t width, bool wraps);

// "shop.orders 1,200 of 4,100 documents ━━━╌╌  600/s  5 s left".
std::string progress_text(const engine::Progress& progress, double rate);

}  // namespace belay::cli
