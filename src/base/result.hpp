// SPDX-License-Identifier: Apache-2.0
// Failure as a value. A function that can fail for a reason outside the program returns Result<T>;
// dropping one is a compile error. TRY and TRY_LET are statements only: as expressions both
// compilers skip the destructors of half-built aggregates.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/assert.hpp"

namespace belay {

// What code may branch on. Text is for people only.
enum class Fault {
  invalid,      // the input is wrong: the caller must change it
  missing,      // the noun does not exist
  conflict,     // somebody else was first
  denied,       // no right to do this
  busy,         // occupied now, may be free later
  timeout,      // no answer in time
  unreachable,  // nobody there
  refused,      // understood, and not done
  corrupt,      // bytes are not what was written
  cancelled,    // we were asked to stop
  internal,     // a bug, or a state nobody foresaw
};

const char* to_string(Fault fault);

// Whether the outside world may have changed. After `unknown`, check before you repeat.
enum class Effect { none, unknown };

struct Error {
  Fault fault = Fault::internal;
  std::string text;
  Effect effect = Effect::none;
  std::vector<std::string> context;  // innermost first

  // Adds where it happened; used where the noun is known, not at every hop.
  Error in(std::string where) &&;
  // "outer: inner: text", for people.
  std::string message() const;
};

inline Error fail(Fault fault, std::string text) {
  return {fault, std::move(text), Effect::none, {}};
}
inline Error unknown_effect(Fault fault, std::string text) {
  return {fault, std::move(text), Effect::unknown, {}};
}

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state_.index() == 0; }
  bool ok() const { return state_.index() == 0; }

  T& value() & {
    ASSERT(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    ASSERT(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    ASSERT(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    ASSERT(!ok());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    ASSERT(!ok());
    return std::move(*std::get_if<1>(&state_));
  }

  // Adds context to a failure, leaves a value alone.
  Result in(std::string where) && {
    if (ok()) return std::move(*this);
    return std::move(*this).error().in(std::move(where));
  }

 private:
  std::variant<T, Error> state_;
};

struct Done {};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Done) {}
  Result(Error error) : error_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return error_.index() == 0; }
  bool ok() const { return error_.index() == 0; }
  const Error& error() const& {
    ASSERT(!ok());
    return *std::get_if<1>(&error_);
  }
  Error&& error() && {
    ASSERT(!ok());
    return std::move(*std::get_if<1>(&error_));
  }
  Result in(std::string where) && {
    if (ok()) return {};
    return std::move(*this).error().in(std::move(where));
  }

 private:
  std::variant<std::monostate, Error> error_;
};

using Status = Result<void>;

}  // namespace belay

#define BELAY_JOIN2(a, b) a##b
#define BELAY_JOIN(a, b) BELAY_JOIN2(a, b)

// TRY(f());  returns f's error from the enclosing function.
#define TRY(...)                                                       \
  do {                                                                 \
    auto belay_try_result = (__VA_ARGS__);                             \
    if (!belay_try_result) return std::move(belay_try_result).error(); \
  } while (false)

// TRY_LET(auto x, f());  declares x from f's value, or returns f's error.
#define TRY_LET(declaration, ...) \
  BELAY_TRY_LET(BELAY_JOIN(belay_result_, __LINE__), declaration, __VA_ARGS__)
#define BELAY_TRY_LET(name, declaration, ...) \
  auto name = (__VA_ARGS__);                  \
  if (!name) return std::move(name).error();  \
  declaration = std::move(name).value()
