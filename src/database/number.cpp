// SPDX-License-Identifier: Apache-2.0
#include "database/number.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace belay::database {
namespace {

// A natural number in 32-bit limbs, lowest first, without leading zeros.
using Natural = std::vector<std::uint32_t>;

void multiply(Natural& number, std::uint32_t factor) {
  std::uint64_t carry = 0;
  for (auto& limb : number) {
    carry += std::uint64_t{limb} * factor;
    limb = static_cast<std::uint32_t>(carry);
    carry >>= 32;
  }
  if (carry != 0) number.push_back(static_cast<std::uint32_t>(carry));
}

void multiply_power(Natural& number, std::uint32_t base, int exponent) {
  for (; exponent > 0; --exponent) multiply(number, base);
}

void shift_left(Natural& number, int bits) {
  number.insert(number.begin(), static_cast<std::size_t>(bits / 32), 0);
  multiply(number, std::uint32_t{1} << (bits % 32));
}

Natural natural(std::uint64_t high, std::uint64_t low) {
  Natural out = {static_cast<std::uint32_t>(low), static_cast<std::uint32_t>(low >> 32),
                 static_cast<std::uint32_t>(high), static_cast<std::uint32_t>(high >> 32)};
  while (!out.empty() && out.back() == 0) out.pop_back();
  return out;
}

int compare(const Natural& a, const Natural& b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  for (std::size_t i = a.size(); i-- > 0;)
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  return 0;
}

bool is_zero(const Number& number) {
  return number.high == 0 && number.low == 0;
}

// Both sides multiplied by the same powers until no exponent is negative.
int compare_magnitudes(const Number& a, const Number& b) {
  const int two_a = a.binary + a.decimal, two_b = b.binary + b.decimal;  // 10 = 2 * 5
  const int two = std::min(two_a, two_b), five = std::min(a.decimal, b.decimal);
  Natural left = natural(a.high, a.low), right = natural(b.high, b.low);
  multiply_power(left, 5, a.decimal - five);
  multiply_power(right, 5, b.decimal - five);
  shift_left(left, two_a - two);
  shift_left(right, two_b - two);
  return compare(left, right);
}

int sign(const Number& number) {
  if (is_zero(number)) return 0;
  return number.negative ? -1 : 1;
}

}  // namespace

Number number_of(std::int64_t value) {
  Number out;
  out.negative = value < 0;
  out.low =
      out.negative ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
  return out;
}

Number number_of(double value) {
  Number out;
  if (std::isnan(value)) {
    out.kind = Number::Kind::nan;
  } else if (std::isinf(value)) {
    out.kind = value < 0 ? Number::Kind::minus_infinity : Number::Kind::plus_infinity;
  } else {
    out.negative = std::signbit(value);
    const double mantissa = std::frexp(std::fabs(value), &out.binary);
    out.low = static_cast<std::uint64_t>(std::ldexp(mantissa, 53));
    out.binary -= 53;
  }
  return out;
}

Number number_of_decimal(std::uint64_t high, std::uint64_t low) {
  constexpr std::uint64_t largest_high = 0x1ED09BEAD87C0ULL, largest_low = 0x378D8E63FFFFFFFFULL;
  constexpr int bias = 6176;
  Number out;
  out.negative = (high >> 63) != 0;
  const std::uint64_t combination = (high >> 58) & 0x1FU;
  if (combination == 0x1F) {
    out.kind = Number::Kind::nan;
    return out;
  }
  if (combination == 0x1E) {
    out.kind = out.negative ? Number::Kind::minus_infinity : Number::Kind::plus_infinity;
    return out;
  }
  if ((combination >> 3) == 3) return out;  // a coefficient beyond 34 digits counts as zero
  out.decimal = static_cast<int>((high >> 49) & 0x3FFFU) - bias;
  const std::uint64_t top = high & 0x1FFFFFFFFFFFFULL;
  if (top > largest_high || (top == largest_high && low > largest_low)) return out;
  out.high = top;
  out.low = low;
  return out;
}

int compare(const Number& a, const Number& b) {
  if (a.kind != b.kind) return a.kind < b.kind ? -1 : 1;
  if (a.kind != Number::Kind::finite) return 0;
  const int sign_a = sign(a), sign_b = sign(b);
  if (sign_a != sign_b) return sign_a < sign_b ? -1 : 1;
  return sign_a == 0 ? 0 : sign_a * compare_magnitudes(a, b);
}

}  // namespace belay::database
