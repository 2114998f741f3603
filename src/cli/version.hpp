// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace belay::cli {

const char* version_text();  // "0.1.0"

}  // namespace belay::cli
