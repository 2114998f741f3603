// SPDX-License-Identifier: Apache-2.0
// Whatever is done to the file: a spec or complaints, never both, never neither, never a crash.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <fstream>
#include <sstream>

#include "pipeline/spec.hpp"
#include "pipeline/yaml_tree.hpp"

namespace belay::pipeline {
namespace {

std::string example() {
  std::ifstream file(std::string(BELAY_SOURCE_DIR) + "/examples/belay.yaml");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void must_be_sound(const std::string& text) {
  const auto parsed = parse_spec(text);
  RC_ASSERT(parsed.spec.has_value() == parsed.complaints.empty());
  const auto lines = 1 + std::count(text.begin(), text.end(), '\n');
  std::pair before{0, 0};
  for (const auto& each : parsed.complaints) {
    RC_ASSERT(each.line >= 1);
    RC_ASSERT(each.column >= 1);
    RC_ASSERT(each.line <= lines + 1);
    RC_ASSERT(!each.text.empty());
    RC_ASSERT(each.text.find('\n') == std::string::npos);
    RC_ASSERT(each.key.find('\n') == std::string::npos);
    RC_ASSERT(before <= std::pair(each.line, each.column));
    before = {each.line, each.column};
  }
}

std::size_t place_in(const std::string& text) {
  return *rc::gen::inRange<std::size_t>(0, text.size() + 1);
}

void mutate(std::string& text) {
  const auto at = place_in(text);
  const auto length = *rc::gen::inRange<std::size_t>(0, 40);
  const std::vector<std::string> pieces{
      "{",    "}",    "[",        "]",     ":",     "\n",  "\t",   "  ", "- ",     "&a ",  "*a",
      "\"",   "'",    "${",       "}",     "$$",    "|\n", ">-\n", "? ", "!!str ", "%",    "@",
      "\xFF", "\x01", "\xE2\x82", "---\n", "...\n", "#",   "<<: ", "-1", "1e999",  "0x1F", "~"};
  switch (*rc::gen::inRange(0, 5)) {
    case 0: text.erase(at, length); break;
    case 1: text.insert(at, *rc::gen::elementOf(pieces)); break;
    case 2: text.insert(place_in(text), text.substr(at, length)); break;
    case 3: text.resize(at); break;
    default:
      if (at < text.size()) text[at] = *rc::gen::arbitrary<char>();
  }
}

TEST(SpecProperty, AnyMutationOfTheExampleGivesASpecOrComplaints) {
  const auto whole = example();
  EXPECT_TRUE(rc::check([&] {
    auto text = whole;
    const int times = *rc::gen::inRange(1, 8);
    for (int i = 0; i < times; ++i) mutate(text);
    must_be_sound(text);
  }));
}

Json any_value(int depth) {
  switch (*rc::gen::inRange(0, depth > 0 ? 8 : 6)) {
    case 0: return nullptr;
    case 1: return *rc::gen::arbitrary<bool>();
    case 2: return *rc::gen::arbitrary<int>();
    case 3: return -1.5;
    case 4:
      return "${" +
             std::string(*rc::gen::elementOf(std::vector<std::string>{
                 "A", "", "service.x.url", "service.backend.url", "a b"})) +
             "}";
    case 5:
      return *rc::gen::elementOf(std::vector<std::string>{"", "backend", "5m", "127.0.0.1:80",
                                                          "p95 < ", "file:", "true", "amina", "a:b",
                                                          std::string(300, 'x')});
    case 6: return Json::array({any_value(depth - 1), any_value(depth - 1)});
    default: return Json({{"kind", any_value(depth - 1)}, {"name", any_value(depth - 1)}});
  }
}

// Somewhere in the tree, another value.
void replace_somewhere(Json& value) {
  if (!value.is_structured() || value.empty() || *rc::gen::inRange(0, 6) == 0) {
    value = any_value(3);
    return;
  }
  auto at = value.begin();
  std::advance(at, *rc::gen::inRange<std::ptrdiff_t>(0, static_cast<std::ptrdiff_t>(value.size())));
  if (value.is_object() && *rc::gen::inRange(0, 8) == 0) {
    value.erase(at);
    return;
  }
  replace_somewhere(*at);
}

TEST(SpecProperty, AnyOtherValueAnywhereGivesASpecOrComplaints) {
  const auto whole = to_json(read_yaml(example()).root);
  EXPECT_TRUE(rc::check([&] {
    auto changed = whole;
    const int times = *rc::gen::inRange(1, 6);
    for (int i = 0; i < times; ++i) replace_somewhere(changed);
    must_be_sound(changed.dump());
  }));
}

TEST(SpecProperty, AnyBytesGiveASpecOrComplaints) {
  EXPECT_TRUE(rc::check([](const std::string& text) { must_be_sound(text); }));
}

TEST(SpecProperty, ComplaintsDoNotGrowBeyondReason) {
  std::string text = "project: a\n";
  for (int i = 0; i < 50000; ++i) text += "k" + std::to_string(i) + ": 1\n";
  must_be_sound(text);
}

}  // namespace
}  // namespace belay::pipeline
