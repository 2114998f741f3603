// SPDX-License-Identifier: Apache-2.0
// How a benchmark measures, shows a figure, and gives up.
#pragma once

#include <cstdlib>
#include <functional>
#include <string>

#include "base/result.hpp"

namespace belay::bench {

// Ends the program with the reason: a benchmark that cannot run has no figure.
void must(const Status& status);
template <class T>
T must(Result<T> result) {
  if (!result) must(Status(std::move(result).error()));
  return std::move(result).value();
}

double seconds_of(const std::function<void()>& work);
// Peak memory of this process since forget_peak(), in MiB.
void forget_peak();
double peak_mib();

// "what   0.42 s  (floor 0.21 s, ratio 2.0)  goal: at most 2.00 s  PASS"; false when missed.
struct Figure {
  std::string what;
  double measured = 0;
  std::string unit = "s";
  double goal = 0;     // at most
  std::string beside;  // floor or rival of the same run
};
bool show(const Figure& figure);

}  // namespace belay::bench
