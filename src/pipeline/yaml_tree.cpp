// SPDX-License-Identifier: Apache-2.0
#include "pipeline/yaml_tree.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <sstream>

#include "base/text.hpp"

namespace belay::pipeline {

namespace {

constexpr std::size_t largest_file = 1U << 20;
constexpr std::size_t deepest = 32;
// Stand for the braces of ${NAME} while YAML is read: there, braces would end an unquoted text.
// Control characters are refused in the file itself, so these cannot be the user's.
constexpr char open_brace = '\x01', close_brace = '\x02';

std::string with_braces_hidden(std::string_view text) {
  std::string hidden(text);
  for (auto at = hidden.find("${"); at != std::string::npos; at = hidden.find("${", at + 2)) {
    const auto end = hidden.find_first_of("{}\"', \t\r\n", at + 2);
    if (end == std::string::npos || hidden[end] != '}') continue;
    hidden[at + 1] = open_brace;
    hidden[end] = close_brace;
  }
  return hidden;
}

std::string with_braces(std::string text) {
  std::replace(text.begin(), text.end(), open_brace, '{');
  std::replace(text.begin(), text.end(), close_brace, '}');
  return text;
}

Mark mark_of(const YAML::Mark& mark) {
  // yaml-cpp counts from 0 and says -1 where it does not know.
  return {std::max(mark.line, 0) + 1, std::max(mark.column, 0) + 1};
}

Mark mark_at(std::string_view text, std::size_t byte) {
  const auto before = text.substr(0, byte);
  const auto newline = before.rfind('\n');
  return {static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
          static_cast<int>(byte - (newline == std::string_view::npos ? 0 : newline + 1)) + 1};
}

Complaint at_mark(Mark mark, std::string text) {
  return {mark.line, mark.column, "", std::move(text)};
}

class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(YamlTree& tree) : tree_(tree) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    add({YamlValue::Kind::nothing, mark_of(mark)});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    complain(mark, "aliases (*name) are not read here; write the value out");
    add({YamlValue::Kind::nothing, mark_of(mark)});
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    const bool quoted = tag == "!";
    if (!quoted && (value == "~" || value == "null" || value.empty())) {
      return add({YamlValue::Kind::nothing, mark_of(mark)});
    }
    add({YamlValue::Kind::scalar, mark_of(mark), with_braces(value), quoted});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    begin(YamlValue::Kind::list, mark, tag, anchor);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    begin(YamlValue::Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { end(); }

 private:
  struct Open {
    YamlValue value;
    bool key_next;
  };

  void complain(const YAML::Mark& mark, std::string text) {
    tree_.complaints.push_back(at_mark(mark_of(mark), std::move(text)));
  }
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) complain(mark, "anchors (&name) are not read here; write the value out");
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "!" || tag == "?") return;
    complain(mark, "tags (!name) are not read here; leave it out");
  }
  void begin(YamlValue::Kind kind, const YAML::Mark& mark, const std::string& tag,
             YAML::anchor_t anchor) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (open_.size() == deepest) {
      complain(mark, fmt::format("nested more than {} levels deep", deepest));
    }
    open_.push_back({{kind, mark_of(mark)}, kind == YamlValue::Kind::map});
  }
  void end() {
    auto done = std::move(open_.back().value);
    open_.pop_back();
    add(std::move(done));
  }
  void add(YamlValue value) {
    if (open_.empty()) {
      tree_.root = std::move(value);
      return;
    }
    auto& [parent, key_next] = open_.back();
    if (parent.kind != YamlValue::Kind::map) {
      // Too deep is complained of once; what is below is not kept.
      if (open_.size() <= deepest) parent.items.push_back(std::move(value));
      return;
    }
    if (key_next && value.kind != YamlValue::Kind::scalar) {
      tree_.complaints.push_back(
          at_mark(value.at, fmt::format("a key must be text, this is {}", kind_for_people(value))));
    }
    (key_next ? parent.keys : parent.items).push_back(std::move(value));
    key_next = !key_next;
  }

  YamlTree& tree_;
  std::vector<Open> open_;
};

// Length of the UTF-8 character at `at`; 0 when there is none.
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xC2 ? 0
                             : first < 0xE0 ? 2
                             : first < 0xF0 ? 3
                             : first < 0xF5 ? 4
                                            : 0;
  if (length == 0 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
  }
  return length;
}

std::optional<Complaint> unreadable(std::string_view text) {
  if (text.size() > largest_file) {
    return at_mark(
        {}, fmt::format("the file has {}; at most 1 MiB is read", bytes_for_people(text.size())));
  }
  for (std::size_t at = 0; at < text.size();) {
    const auto length = utf8_length(text, at);
    if (length == 0) return at_mark(mark_at(text, at), "this is not UTF-8 text");
    const auto c = static_cast<unsigned char>(text[at]);
    if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F) {
      return at_mark(mark_at(text, at),
                     fmt::format("a control character (0x{:02x}) cannot stand here", c));
    }
    at += length;
  }
  return std::nullopt;
}

// A tab in the indentation of this line, or of one right above.
std::optional<Mark> tab_near(std::string_view text, int line) {
  const auto lines = split(text, '\n');
  for (int each = line; each >= std::max(1, line - 1); --each) {
    if (static_cast<std::size_t>(each) > lines.size()) continue;
    const auto& words = lines[static_cast<std::size_t>(each) - 1];
    const auto tab = words.find('\t');
    if (tab != std::string::npos && tab == words.find_first_not_of(' ')) {
      return Mark{each, static_cast<int>(tab) + 1};
    }
  }
  return std::nullopt;
}

Complaint syntax_error(std::string_view text, const YAML::Exception& error) {
  const auto mark = mark_of(error.mark);
  if (const auto tab = tab_near(text, mark.line)) {
    return at_mark(*tab, "YAML is indented with spaces; here is a tab");
  }
  return at_mark(mark, fmt::format("this is not YAML: {}; texts with {{ }} [ ] * & # or \": \" in "
                                   "them need quotes",
                                   error.msg));
}

void parse(std::string_view text, YamlTree& tree) {
  std::istringstream stream(with_braces_hidden(text));
  YAML::Parser parser(stream);
  Builder builder(tree);
  parser.HandleNextDocument(builder);
  YamlTree second;
  Builder rest(second);
  if (tree.complaints.empty() && parser.HandleNextDocument(rest) &&
      second.root.kind != YamlValue::Kind::nothing) {
    tree.complaints.push_back(
        at_mark(second.root.at, "a second document begins; belay.yaml is one"));
  }
}

Json number_or_text(const std::string& text) {
  const auto* end = text.data() + text.size();
  std::int64_t whole = 0;
  if (const auto read = std::from_chars(text.data(), end, whole);
      read.ec == std::errc() && read.ptr == end) {
    return whole;
  }
  double real = 0;
  const bool numeric = text.find_first_not_of("+-.0123456789eE") == std::string::npos;
  if (const auto read = std::from_chars(text.data(), end, real);
      numeric && read.ec == std::errc() && read.ptr == end) {
    return real;
  }
  return text;
}

}  // namespace

YamlTree read_yaml(std::string_view text) {
  YamlTree tree;
  if (auto complaint = unreadable(text)) {
    tree.complaints.push_back(std::move(*complaint));
    return tree;
  }
  try {
    parse(text, tree);
  } catch (const YAML::Exception& e) {
    // What was complained of before is about the part that could be read.
    tree.complaints.push_back(syntax_error(text, e));
  } catch (const std::exception& e) {
    tree.complaints.push_back(at_mark({}, fmt::format("the file cannot be read: {}", e.what())));
  }
  return tree;
}

Json to_json(const YamlValue& value) {
  switch (value.kind) {
    case YamlValue::Kind::nothing: return nullptr;
    case YamlValue::Kind::list: {
      Json list = Json::array();
      for (const auto& item : value.items) list.push_back(to_json(item));
      return list;
    }
    case YamlValue::Kind::map: {
      Json object = Json::object();
      for (std::size_t i = 0; i < value.keys.size(); ++i) {
        object[value.keys[i].text] = to_json(value.items[i]);
      }
      return object;
    }
    case YamlValue::Kind::scalar: break;
  }
  if (value.quoted) return value.text;
  if (value.text == "true" || value.text == "false") return value.text == "true";
  return number_or_text(value.text);
}

std::string kind_for_people(const YamlValue& value) {
  switch (value.kind) {
    case YamlValue::Kind::nothing: return "nothing";
    case YamlValue::Kind::list: return "a list";
    case YamlValue::Kind::map: return "a map";
    case YamlValue::Kind::scalar: break;
  }
  constexpr std::size_t longest = 60;
  if (value.text.size() <= longest) return fmt::format("\"{}\"", value.text);
  return fmt::format("a text of {} characters", value.text.size());
}

}  // namespace belay::pipeline
