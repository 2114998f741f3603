// SPDX-License-Identifier: Apache-2.0
// Invariants, checked in every build. A failed one is a bug: the process stops, and the journal
// lets the next process go on from the last durable event.
#pragma once

namespace belay {
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);
}  // namespace belay

#define ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::belay::assertion_failed(#condition, __FILE__, __LINE__))
