// SPDX-License-Identifier: Apache-2.0
#include "pipeline/spec_reader.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/text.hpp"

namespace belay::pipeline {

namespace {

// A key from outside, fit for one line of a message.
std::string shown(std::string_view key) {
  constexpr std::size_t longest = 60;
  std::string text(key.substr(0, longest));
  for (auto& c : text) {
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
  }
  return key.size() > longest ? text + "…" : text;
}

bool is_name(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return !text.empty() && text.size() <= 60 && letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_';
         });
}

// What is wrong with the references of a text; "" when nothing is.
std::string reference_defect(const std::string& text) {
  for (auto at = text.find('$'); at != std::string::npos; at = text.find('$', at)) {
    if (text.compare(at, 2, "$$") == 0) {
      at += 2;
      continue;
    }
    if (text.compare(at, 2, "${") != 0) {
      ++at;
      continue;
    }
    const auto end = text.find('}', at);
    if (end == std::string::npos) return "${ without its }; a dollar sign itself is written $$";
    const auto name = text.substr(at + 2, end - at - 2);
    const bool service = name.starts_with("service.") && name.ends_with(".url") &&
                         name.size() > 12 && is_name(name.substr(8, name.size() - 12));
    const bool secret = name.find_first_not_of(
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                            "0123456789_") == std::string::npos &&
                        !name.empty() && (name[0] < '0' || name[0] > '9');
    if (!service && !secret) {
      return fmt::format("${{{}}} is no reference; write ${{NAME}}, and $$ for a dollar sign",
                         shown(name));
    }
    at = end + 1;
  }
  return {};
}

}  // namespace

void Complaints::add(Mark at, const std::string& key, std::string text, bool unread) {
  found_.push_back({at.line, at.column, key, std::move(text), unread});
}

void Complaints::place(const std::string& key, Mark at) {
  places_.emplace(key, at);
}

Mark Complaints::where(std::string key) const {
  for (;;) {
    if (const auto found = places_.find(key); found != places_.end()) return found->second;
    const auto end = key.find_last_of(".[");
    if (end == std::string::npos) return {};
    key.resize(end);
  }
}

void Complaints::at_key(const std::string& key, std::string text) {
  add(where(key), key, std::move(text));
}

bool Complaints::complained(const std::string& key) const {
  return std::any_of(found_.begin(), found_.end(),
                     [&](const auto& each) { return each.key == key; });
}

std::vector<Complaint> Complaints::in_file_order() && {
  std::stable_sort(found_.begin(), found_.end(), [](const auto& a, const auto& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  // Names and values of the file stand in them.
  for (auto& each : found_) {
    each.key = printable(each.key);
    each.text = printable(each.text);
  }
  return std::move(found_);
}

std::string not_in_this_version(std::string_view what, const std::vector<std::string>& here) {
  return fmt::format("{} is not in this version of Belay; here: {}", what, join(here, ", "));
}

std::string with_nearest(std::string text, std::string_view word,
                         const std::vector<std::string>& known) {
  const auto near = nearest(word, known);
  return near.empty() ? text : fmt::format("{}; did you mean \"{}\"?", text, near);
}

void Field::wrong(std::string_view expected) const {
  complain(fmt::format("expected {}, found {}", expected, kind_for_people(*value)));
}

void Field::command(std::string& into) const {
  if (value == nullptr) return;
  if (!is(YamlValue::Kind::scalar) || trim(value->text).empty()) return wrong("text");
  into = value->text;
}

void Field::text(std::string& into) const {
  if (value == nullptr) return;
  if (is(YamlValue::Kind::scalar) && value->text.find("${") != std::string::npos) {
    return complain("${NAME} is not replaced here; secrets belong into uri, key, env and send");
  }
  command(into);
}

void Field::relative_path(std::string& into) const {
  std::string path;
  text(path);
  if (path.empty()) return;
  const auto parts = split(path, '/');
  if (path.front() == '/' || std::find(parts.begin(), parts.end(), "..") != parts.end()) {
    return complain(fmt::format("expected a path inside the source tree, found \"{}\"", path));
  }
  into = path;
}

void Field::name(std::string& into) const {
  std::string word;
  text(word);
  if (word.empty()) return;
  if (!is_name(word)) {
    return complain(
        fmt::format("expected letters, digits, - and _, beginning with a letter, found "
                    "\"{}\"",
                    shown(word)));
  }
  into = word;
}

void Field::setting(Template& into) const {
  if (value == nullptr) return;
  if (is(YamlValue::Kind::nothing)) return void(into.text.clear());
  if (!is(YamlValue::Kind::scalar)) return wrong("text");
  const auto defect = reference_defect(value->text);
  if (!defect.empty()) return complain(defect);
  into.text = value->text;
}

void Field::secret(Template& into) const {
  Template read;
  if (value == nullptr) return;
  if (!is(YamlValue::Kind::scalar)) return wrong("text");
  setting(read);
  for (const auto& each : read.names()) {
    if (each.find('.') == std::string::npos) continue;
    return complain(fmt::format("${{{}}} is known in env only", each));
  }
  if (!read.text.empty()) into = read;
}

void Field::reference(std::string& into) const {
  Template read;
  secret(read);
  if (!read.text.empty()) into = read.text;
}

void Field::flag(bool& into) const {
  if (value == nullptr) return;
  const bool plain = is(YamlValue::Kind::scalar) && !value->quoted;
  if (!plain || (value->text != "true" && value->text != "false")) {
    return wrong("true or false, without quotes");
  }
  into = value->text == "true";
}

void Field::number(int& into, int least, int most) const {
  if (value == nullptr) return;
  int read = 0;
  const auto& digits = value->text;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), read);
  if (!is(YamlValue::Kind::scalar) || value->quoted || code != std::errc() ||
      end != digits.data() + digits.size() || read < least || read > most) {
    return wrong(fmt::format("a whole number from {} to {}", least, most));
  }
  into = read;
}

void Field::duration(Millis& into, Millis least) const {
  if (value == nullptr) return;
  if (!is(YamlValue::Kind::scalar)) return wrong("a duration like 30s");
  const auto read = parse_duration(value->text);
  if (!read) return complain(read.error().text);
  if (*read < least) return wrong(fmt::format("at least {}", belay::to_text(least)));
  into = *read;
}

void Field::texts(std::vector<std::string>& into) const {
  if (value == nullptr) return;
  into.clear();
  if (is(YamlValue::Kind::scalar)) {
    into.emplace_back();
    text(into.back());
    return;
  }
  if (!is(YamlValue::Kind::list)) return wrong("a list of texts");
  for (const auto& each : items()) {
    std::string read;
    each.text(read);
    if (!read.empty()) into.push_back(std::move(read));
  }
}

int Field::choice(const std::vector<std::string>& allowed,
                  const std::vector<std::string>& later) const {
  if (value == nullptr) return -1;
  const auto expected = "one of " + join(allowed, ", ");
  if (!is(YamlValue::Kind::scalar)) {
    wrong(expected);
    return -1;
  }
  const auto& word = value->text;
  const auto found = std::find(allowed.begin(), allowed.end(), word);
  if (found != allowed.end()) return static_cast<int>(found - allowed.begin());
  if (std::find(later.begin(), later.end(), word) != later.end()) {
    complain(not_in_this_version(word, allowed));
  } else {
    complain(with_nearest(fmt::format("expected {}, found \"{}\"", expected, shown(word)), word,
                          allowed));
  }
  return -1;
}

// A block whose lines are all commented out would ask for nothing, unseen.
bool Field::is_left_empty(std::string_view none) const {
  if (!is(YamlValue::Kind::nothing)) return false;
  remark(fmt::format("is there, and empty; write {} when nothing is meant, or leave the key out",
                     none));
  return true;
}

Field Field::item(std::size_t index) const {
  const auto& each = value->items[index];
  Field field{&each, fmt::format("{}[{}]", key, index), each.at, complaints};
  complaints->place(field.key, field.at);
  return field;
}

std::vector<Field> Field::items() const {
  std::vector<Field> fields;
  if (value == nullptr) return fields;
  if (is_left_empty("[]")) return fields;
  if (!is(YamlValue::Kind::list)) {
    wrong("a list");
    return fields;
  }
  for (std::size_t i = 0; i < value->items.size(); ++i) fields.push_back(item(i));
  return fields;
}

Keys::Keys(const Field& field, bool all_count) : field_(field) {
  usable_ = field.is(YamlValue::Kind::map);
  if (!usable_) {
    if (field && !field.is_left_empty("{}")) field.wrong("a map");
    return;
  }
  for (std::size_t i = 0; i < field_.value->keys.size(); ++i) {
    const auto& key = field_.value->keys[i];
    if (!all_count && key.text.starts_with("x-")) continue;
    const auto [first, fresh] = index_.emplace(key.text, i);
    if (fresh) continue;
    field_.complaints->add(key.at, path(key.text),
                           fmt::format("written twice; the first is in line {}",
                                       field_.value->keys[first->second].at.line),
                           true);
  }
}

std::string Keys::path(std::string_view key) const {
  return field_.key.empty() ? shown(key) : fmt::format("{}.{}", field_.key, shown(key));
}

Field Keys::at(std::size_t index) const {
  const auto& key = field_.value->keys[index];
  Field field{&field_.value->items[index], path(key.text), key.at, field_.complaints, key.text};
  field_.complaints->place(field.key, field.at);
  return field;
}

Field Keys::operator[](std::string_view key) {
  known_.emplace_back(key);
  const auto found = index_.find(std::string(key));
  if (found == index_.end())
    return {nullptr, path(key), field_.at, field_.complaints, std::string(key)};
  return at(found->second);
}

Field Keys::required(std::string_view key, std::string_view hint) {
  auto field = (*this)[key];
  if (!field && readable()) field.complain(fmt::format("missing; {}", hint));
  return field;
}

void Keys::later(std::string_view key, std::string_view what) {
  later_.emplace(key, what);
}

void Keys::also_called(std::string_view word, std::string_view key) {
  aliases_.emplace(word, key);
}

std::vector<Field> Keys::free() {
  std::vector<Field> fields;
  if (!usable_) return fields;
  for (std::size_t i = 0; i < field_.value->keys.size(); ++i) {
    const auto found = index_.find(field_.value->keys[i].text);
    if (found != index_.end() && found->second == i) fields.push_back(at(i));
  }
  return fields;
}

std::vector<Field> Keys::named(std::string_view noun) {
  auto fields = free();
  std::erase_if(fields, [&](const Field& field) {
    if (is_name(field.last)) return false;
    field.complain(
        fmt::format("the name of {} has letters, digits, - and _, and begins with a letter", noun));
    return true;
  });
  return fields;
}

void Keys::finish() {
  for (const auto& [key, index] : index_) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const auto field = at(index);
    if (const auto found = later_.find(key); found != later_.end()) {
      field.remark(not_in_this_version(found->second, known_));
      continue;
    }
    auto words = known_;
    for (const auto& [word, meant] : aliases_) words.push_back(word);
    auto near = nearest(key, words);
    if (const auto meant = aliases_.find(near); meant != aliases_.end()) near = meant->second;
    field.remark(fmt::format("unknown key{} Known here: {}",
                             near.empty() ? "." : fmt::format("; did you mean \"{}\"?", near),
                             join(known_, ", ")));
  }
}

}  // namespace belay::pipeline
