// SPDX-License-Identifier: Apache-2.0
// A YAML text as a tree that knows where everything stands. Only what belay.yaml needs: one
// document, no anchors, aliases or tags (nothing grows larger than it is written), at most
// 1 MiB and 32 levels. `${NAME}` may stand unquoted anywhere, also inside { } and [ ].
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "pipeline/spec.hpp"

namespace belay::pipeline {

struct Mark {
  int line = 1, column = 1;
};

struct YamlValue {
  enum class Kind { nothing, scalar, list, map } kind = Kind::nothing;
  Mark at{};
  std::string text = {};  // of a scalar
  bool quoted = false;
  std::vector<YamlValue> keys = {};  // of a map; its values are the items
  std::vector<YamlValue> items = {};
};

struct YamlTree {
  YamlValue root;
  std::vector<Complaint> complaints;  // with any, the root is not to be used
};

// Never throws. A text that is no YAML gives one complaint, at the place where reading ended.
YamlTree read_yaml(std::string_view text);

// Plain scalars as YAML's core schema has them: null, true, 12, 1.5; everything else is text.
Json to_json(const YamlValue& value);
// "a list", "a map", "text" ...: for complaints.
std::string kind_for_people(const YamlValue& value);

}  // namespace belay::pipeline
