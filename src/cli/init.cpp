// SPDX-License-Identifier: Apache-2.0
#include "cli/session.hpp"

namespace belay::cli {
namespace {
int init(Session&, const Args&) { return tell(fail(Fault::refused, "belay init comes next")); }
}  // namespace
Command init_command() { return {"init", "write a commented belay.yaml for this project", "", 0, 0, {}, init, manual_of("init")}; }
}  // namespace belay::cli
