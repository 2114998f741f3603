// SPDX-License-Identifier: Apache-2.0
// A journal that hides secrets in the words for people of what is appended: errors, summaries,
// endings. Names, numbers and plans, which later steps live on, are left alone.
#pragma once

#include <functional>
#include <memory>

#include "journal/journal.hpp"

namespace belay::app {

using Mask = std::function<std::string(std::string_view)>;

std::unique_ptr<journal::Journal> make_masked(std::unique_ptr<journal::Journal> inner, Mask mask);

}  // namespace belay::app
