// SPDX-License-Identifier: Apache-2.0
#include "pipeline/spec.hpp"

namespace belay::pipeline {

ParsedSpec parse_spec(std::string_view) {
  return {std::nullopt, {{1, 1, "", "reading belay.yaml is not there yet"}}};
}

}  // namespace belay::pipeline
