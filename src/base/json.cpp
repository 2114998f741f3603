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

}  // namespace belay
