// SPDX-License-Identifier: Apache-2.0
#include "cli/session.hpp"

namespace belay::cli {
namespace {
int doctor(Session&, const Args&) {
  return tell(fail(Fault::refused, "belay doctor comes next"));
}
}  // namespace
Command doctor_command() {
  return {"doctor",           "check now what could go wrong later", "", 0, 0, {}, doctor,
          manual_of("doctor")};
}
}  // namespace belay::cli
