// SPDX-License-Identifier: Apache-2.0
// What every belay.yaml that init writes begins with, and lines that all have.
#pragma once

#include <string>

#include "app/inspect.hpp"

namespace belay::app {

std::string first_lines(const Found& found);   // the project, its services, its tests
std::string migrate_line(const Found& found);  // of `database:`; empty: nothing migrates
std::string check_lines(const Found& found);   // of an environment

}  // namespace belay::app
