// SPDX-License-Identifier: Apache-2.0
#include "base/json.hpp"

namespace belay {

Result<Json> parse_json(std::string_view text) {
  try {
    return Json::parse(text);
  } catch (const Json::exception& e) {
    return fail(Fault::invalid, std::string("not JSON: ") + e.what());
  }
}

std::string canonical(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const Json& member_in(const Json& json, const char* member) {
  static const Json none;
  if (!json.is_object()) return none;
  const auto found = json.find(member);
  return found != json.end() ? *found : none;
}

std::string text_in(const Json& json, const char* member) {
  const auto& found = member_in(json, member);
  return found.is_string() ? found.get<std::string>() : "";
}

bool flag_in(const Json& json, const char* member) {
  const auto& found = member_in(json, member);
  return found.is_boolean() && found.get<bool>();
}

std::optional<std::int64_t> number_in(const Json& json, const char* member) {
  const auto& found = member_in(json, member);
  return found.is_number_integer() ? std::optional(found.get<std::int64_t>()) : std::nullopt;
}

}  // namespace belay
