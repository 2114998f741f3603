// SPDX-License-Identifier: Apache-2.0
// Reads typed values out of a YAML tree and collects every complaint on the way: nothing stops at
// the first. A Field is a value with its full key and place; a Keys reads a map and, at the end,
// complains of every key that nobody asked for.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "pipeline/yaml_tree.hpp"

namespace belay::pipeline {

class Complaints {
 public:
  void add(Mark at, const std::string& key, std::string text, bool unread = false);
  // Remembers where a key stands, for complaints that are found later.
  void place(const std::string& key, Mark at);
  // At the key, else at the nearest one above it that is there.
  void at_key(const std::string& key, std::string text);
  Mark where(std::string key) const;
  bool stands(const std::string& key) const { return places_.contains(key); }
  bool complained(const std::string& key) const;
  std::vector<Complaint> in_file_order() &&;

 private:
  std::vector<Complaint> found_;
  std::map<std::string, Mark> places_;
};

class Keys;

struct Field {
  const YamlValue* value = nullptr;  // null: not in the file
  std::string key = {};              // "environments.production.tag"
  Mark at{};
  Complaints* complaints = nullptr;
  std::string last = {};  // the last part of the key, as the file has it

  explicit operator bool() const { return value != nullptr; }
  bool is(YamlValue::Kind kind) const { return value != nullptr && value->kind == kind; }
  // Of a value that is not read.
  void complain(std::string text) const { complaints->add(at, key, std::move(text), true); }
  // Of what is not right, and is read, or has no meaning that could be.
  void remark(std::string text) const { complaints->add(at, key, std::move(text)); }
  void wrong(std::string_view expected) const;
  // Complains of a key with no value; `none` is how to write that nothing is meant.
  bool is_left_empty(std::string_view none) const;

  // Each leaves `into` alone, and complains, when the value is not of its kind; an absent field
  // is no complaint.
  void text(std::string& into) const;           // refuses ${NAME}: it would not be replaced
  void command(std::string& into) const;        // for a shell: its ${NAME} is the shell's
  void relative_path(std::string& into) const;  // stays inside the source tree
  void name(std::string& into) const;           // letters, digits, - and _
  void secret(Template& into) const;            // may refer to ${NAME}, not to services
  void reference(std::string& into) const;      // may refer to ${NAME}: what uses it fills it in
  void setting(Template& into) const;           // may refer to ${NAME} and ${service.X.url}
  void flag(bool& into) const;
  void number(int& into, int least, int most) const;
  void duration(Millis& into, Millis least = Millis(0)) const;
  void texts(std::vector<std::string>& into) const;  // a list, or one text
  // One of `allowed`; what belongs to a later version is refused as that. -1: none.
  int choice(const std::vector<std::string>& allowed,
             const std::vector<std::string>& later = {}) const;

  std::vector<Field> items() const;  // of a list
  Field item(std::size_t index) const;
};

// "canary is not in this version of Belay; here: all_at_once, blue_green"
std::string not_in_this_version(std::string_view what, const std::vector<std::string>& here);
// Adds "; did you mean ...?" when there is something near.
std::string with_nearest(std::string text, std::string_view word,
                         const std::vector<std::string>& known);

class Keys {
 public:
  // A value that is no map, or no value, is complained of, and read as an empty one.
  // `all_count`: x- keys are no comments here (headers are called so).
  explicit Keys(const Field& field, bool all_count = false);

  Field operator[](std::string_view key);
  // Complains when it is not there; `hint` says what to write.
  Field required(std::string_view key, std::string_view hint);
  // A key of a later version: refused by name.
  void later(std::string_view key, std::string_view what);
  // A word that people write for `key`.
  void also_called(std::string_view word, std::string_view key);
  // The keys that are names of the user's own: services, environments, people.
  std::vector<Field> named(std::string_view noun);
  // Every key and value, without a look at the keys: env, headers.
  std::vector<Field> free();
  // False for a value that was complained of as no map: what it lacks is not worth a word.
  bool readable() const { return usable_ || !field_; }
  bool has(std::string_view key) const { return index_.contains(std::string(key)); }
  void finish();

 private:
  std::string path(std::string_view key) const;
  Field at(std::size_t index) const;

  Field field_;
  bool usable_ = false;
  std::map<std::string, std::size_t> index_;  // without x- keys
  std::vector<std::string> known_;
  std::map<std::string, std::string> later_, aliases_;
};

}  // namespace belay::pipeline
