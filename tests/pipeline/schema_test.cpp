// SPDX-License-Identifier: Apache-2.0
// docs/belay.schema.json and the parser know the same keys, asked of the parser from outside: at
// every map of the example a key that nobody knows is put in, and the complaint lists the known.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "base/text.hpp"
#include "pipeline/spec.hpp"
#include "pipeline/yaml_tree.hpp"

namespace belay::pipeline {
namespace {

std::string read_whole(const std::string& path) {
  std::ifstream file(std::string(BELAY_SOURCE_DIR) + "/" + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

using Pointer = Json::json_pointer;

struct Walk {
  Json schema = Json::parse(read_whole("docs/belay.schema.json"));
  Json example = to_json(read_yaml(read_whole("examples/belay.yaml")).root);
  std::set<std::string> seen;  // schema objects, by their address

  // The schema that is meant where several are possible: the one for this kind of value.
  Pointer resolved(Pointer at, const Json& value) {
    for (;;) {
      const auto& here = schema.at(at);
      if (here.contains("$ref")) {
        at = Pointer(here["$ref"].get<std::string>().substr(1));
        continue;
      }
      if (!here.contains("oneOf") || here.contains("properties")) return at;
      bool found = false;
      for (std::size_t i = 0; i < here["oneOf"].size() && !found; ++i) {
        const auto& branch = here["oneOf"][i];
        const bool object = branch.contains("$ref") || branch.value("type", Json()) == "object";
        const bool wanted = value.is_object() ? object : !object;
        if (!wanted) continue;
        at = at / "oneOf" / i;
        found = true;
      }
      if (!found) return at;
    }
  }

  std::set<std::string> known_to_parser(const Pointer& at) {
    auto changed = example;
    changed[at]["zq-nobody"] = 1;
    for (const auto& each : parse_spec(changed.dump()).complaints) {
      const auto list = each.text.find("Known here: ");
      if (!each.key.ends_with("zq-nobody") || list == std::string::npos) continue;
      const auto names = belay::split(each.text.substr(list + 12), ',');
      std::set<std::string> known;
      for (const auto& name : names) known.emplace(trim(name));
      return known;
    }
    return {};
  }

  void visit(const Pointer& unresolved, const Pointer& at) {
    const auto& value = example.at(at);
    const auto where = resolved(unresolved, value);
    const auto& here = schema.at(where);
    if (value.is_object() && here.contains("properties")) {
      seen.insert(where.to_string());
      std::set<std::string> documented;
      for (const auto& [name, each] : here["properties"].items()) documented.insert(name);
      EXPECT_EQ(known_to_parser(at), documented) << at.to_string();
    }
    for (const auto& [name, child] : value.items()) {
      if (value.is_array()) {
        if (here.contains("items")) visit(where / "items", at / std::stoul(name));
      } else if (here.contains("properties") && here["properties"].contains(name)) {
        visit(where / "properties" / name, at / name);
      } else if (here.contains("additionalProperties") &&
                 here["additionalProperties"].is_object()) {
        visit(where / "additionalProperties", at / name);
      }
    }
  }
};

void all_objects(const Json& schema, const Pointer& at, std::set<std::string>& found) {
  if (schema.is_object() && schema.contains("properties") &&
      schema.value("type", Json()) == "object") {
    found.insert(at.to_string());
  }
  if (!schema.is_structured()) return;
  for (const auto& [name, child] : schema.items()) {
    all_objects(child, schema.is_array() ? at / std::stoul(name) : at / name, found);
  }
}

TEST(Schema, KnowsTheSameKeysAsTheParserInEveryMap) {
  Walk walk;
  ASSERT_TRUE(parse_spec(walk.example.dump()).spec) << "the example, as JSON";
  walk.visit(Pointer(), Pointer());
  std::set<std::string> objects;
  all_objects(walk.schema, Pointer(), objects);
  for (const auto& percentile : {"p50", "p90", "p95"}) {
    // Read by the same function as p99, which the example has.
    objects.erase("/$defs/check/properties/" + std::string(percentile) + "/oneOf/1");
  }
  objects.erase("/$defs/readiness/properties/send");  // by the same function as a check's
  // The example has no service on a platform; complaints.golden lists what is known there.
  objects.erase("/$defs/placement/properties/hold");
  EXPECT_EQ(walk.seen, objects);
}

// Every key with its own text, for those who read it in their editor.
void all_described(const Json& schema, const std::string& at) {
  if (schema.is_object() && schema.contains("properties") && schema["properties"].is_object()) {
    for (const auto& [name, each] : schema["properties"].items()) {
      if (!each.is_object()) continue;
      EXPECT_TRUE(each.contains("description") || each.contains("$ref")) << at << "/" << name;
    }
  }
  if (!schema.is_structured()) return;
  for (const auto& [name, child] : schema.items()) all_described(child, at + "/" + name);
}

TEST(Schema, DescribesEveryKey) {
  all_described(Json::parse(read_whole("docs/belay.schema.json")), "");
}

}  // namespace
}  // namespace belay::pipeline
