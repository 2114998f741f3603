// SPDX-License-Identifier: Apache-2.0
#include "storage/name.hpp"

namespace belay::storage {

namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

}  // namespace

Status check_name(const std::string& name) {
  bool at_start = true;
  for (const char c : name) {
    const bool fine =
        at_start ? is_name_character(c) && c != '.' : is_name_character(c) || c == '/';
    if (!fine) return fail(Fault::invalid, "'" + name + "' cannot be the name of an object");
    at_start = c == '/';
  }
  if (at_start) return fail(Fault::invalid, "'" + name + "' cannot be the name of an object");
  return {};
}

}  // namespace belay::storage
