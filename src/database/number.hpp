// SPDX-License-Identifier: Apache-2.0
// Numbers of BSON compared exactly, whatever their types: an int64 and a double are never rounded
// to each other, a decimal128 is compared digit by digit. NaN is the lowest number.
#pragma once

#include <cstdint>

namespace belay::database {

struct Number {
  enum class Kind { nan, minus_infinity, finite, plus_infinity } kind = Kind::finite;
  bool negative = false;
  // Finite: magnitude (high:low) * 2^binary * 10^decimal. Zero has no sign.
  std::uint64_t high = 0, low = 0;
  int binary = 0, decimal = 0;
};

Number number_of(std::int64_t value);
Number number_of(double value);
// The two halves of a decimal128 (binary integer encoding), as BSON stores them.
Number number_of_decimal(std::uint64_t high, std::uint64_t low);

// <0, 0, >0.
int compare(const Number& a, const Number& b);

}  // namespace belay::database
