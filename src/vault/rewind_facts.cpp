// SPDX-License-Identifier: Apache-2.0
#include "vault/rewind_facts.hpp"

#include <algorithm>
#include <array>

namespace belay::vault {

namespace {

using database::Bson;
using database::Collection;

constexpr std::array<std::string_view, 5> changeable{
    "validator", "validationLevel", "validationAction", "changeStreamPreAndPostImages",
    "expireAfterSeconds"};

bool can_change(const Field& member) {
  return std::find(changeable.begin(), changeable.end(), member.name) != changeable.end();
}

// What collMod leaves where an option is taken away means the same as no option.
bool neutral(const Field& member) {
  if (member.name == "validator") return fields(member.value).empty();
  if (member.name == "validationLevel")
    return member.value.substr(4) == std::string_view("strict\0", 7);
  if (member.name == "validationAction")
    return member.value.substr(4) == std::string_view("error\0", 6);
  if (member.name == "changeStreamPreAndPostImages")
    return !is_true(field(member.value, "enabled"));
  return false;
}

bool ignored_of_index(const Field& member) {
  // The simple collation is that of an index that names none.
  const bool simple = member.name == "collation" && text_of(member.value, "locale") == "simple";
  return member.name == "ns" || member.name == "v" || simple;
}
bool ignored_but_expiry(const Field& member) {
  return ignored_of_index(member) || member.name == "expireAfterSeconds";
}
bool ignored_in_place(const Field& member) {
  return can_change(member) || neutral(member);
}

void add_neutral(BsonBuilder& changes, std::string_view name) {
  if (name == "validator") changes.document(name, BsonBuilder().finish());
  if (name == "validationLevel") changes.text(name, "strict");
  if (name == "validationAction") changes.text(name, "error");
  if (name == "expireAfterSeconds") changes.text(name, "off");
  if (name == "changeStreamPreAndPostImages")
    changes.document(name, BsonBuilder().add("enabled", 0x08, std::string_view("\0", 1)).finish());
}

void note_options(std::vector<std::string>& notes, const Collection& live,
                  const Collection& wanted) {
  if (same_options(live, wanted)) return;
  if (must_be_made_anew(live, wanted)) {
    notes.push_back("options are put back: the collection is made anew");
    return;
  }
  auto changes = option_changes(live, wanted);
  for (const auto& member : fields(*changes))
    notes.push_back(fmt::format("{} is put back", member.name));
}

void note_indexes(std::vector<std::string>& notes, const Collection& live,
                  const Collection& wanted) {
  for (const auto& index : live.indexes) {
    const auto name = text_of(index, "name");
    const auto* twin = index_named(wanted, name);
    if (!twin)
      notes.push_back(fmt::format("index {} is dropped", name));
    else if (same_index(index, *twin))
      continue;
    else if (same_index_but_expiry(index, *twin))
      notes.push_back(fmt::format("expiry of index {} is put back", name));
    else
      notes.push_back(fmt::format("index {} is rebuilt", name));
  }
  for (const auto& index : wanted.indexes)
    if (!index_named(live, text_of(index, "name")))
      notes.push_back(fmt::format("index {} is put back", text_of(index, "name")));
}

}  // namespace

const Bson* index_named(const Collection& facts, std::string_view name) {
  for (const auto& index : facts.indexes)
    if (text_of(index, "name") == name) return &index;
  return nullptr;
}

bool same_index(const Bson& a, const Bson& b) {
  return a == b || equal_facts(a, b, ignored_of_index);
}
bool same_index_but_expiry(const Bson& a, const Bson& b) {
  return is_ttl(a) && is_ttl(b) && equal_facts(a, b, ignored_but_expiry);
}
bool is_ttl(const Bson& index) {
  return field(index, "expireAfterSeconds").has_value();
}

bool same_but_expiry(const Collection& live, const Collection& wanted) {
  const auto has = [](const Collection& facts, const Bson& index) {
    const auto* twin = index_named(facts, text_of(index, "name"));
    return twin && (same_index(index, *twin) || same_index_but_expiry(index, *twin));
  };
  return live.ns == wanted.ns && same_options(live, wanted) &&
         std::all_of(live.indexes.begin(), live.indexes.end(),
                     [&](const Bson& index) { return has(wanted, index); }) &&
         std::all_of(wanted.indexes.begin(), wanted.indexes.end(), [&](const Bson& index) {
           return has(live, index) || (is_ttl(index) && !index_named(live, text_of(index, "name")));
         });
}

bool has_unique_index(const Collection& facts) {
  return std::any_of(facts.indexes.begin(), facts.indexes.end(), [](const Bson& index) {
    return text_of(index, "name") != "_id_" && is_true(field(index, "unique"));
  });
}

bool same_options(const Collection& a, const Collection& b) {
  return a.options == b.options || equal_facts(a.options, b.options, neutral);
}

bool must_be_made_anew(const Collection& live, const Collection& wanted) {
  if (!holds_documents(wanted)) return !same_options(live, wanted);
  return live.options != wanted.options &&
         !equal_facts(live.options, wanted.options, ignored_in_place);
}

std::optional<Bson> option_changes(const Collection& live, const Collection& wanted) {
  BsonBuilder changes;
  for (const auto name : changeable) {
    auto now = field(live.options, name);
    auto then = field(wanted.options, name);
    if (now && neutral(*now)) now.reset();
    if (then && neutral(*then)) then.reset();
    if (then && (!now || !equal_values(*now, *then))) changes.add(*then);
    if (now && !then) add_neutral(changes, name);
  }
  if (changes.empty()) return std::nullopt;
  return changes.finish();
}

bool is_ordered(const Collection& facts) {
  return facts.capped || facts.collated || facts.kind == Collection::Kind::time_series;
}

bool holds_documents(const Collection& facts) {
  return facts.kind != Collection::Kind::view;
}

std::vector<std::string> catalogue_notes(const Collection& live, const Collection& wanted) {
  std::vector<std::string> notes;
  if (live.ns != wanted.ns) notes.push_back(fmt::format("renamed back from {}", live.ns.text()));
  if (!holds_documents(wanted)) {
    if (!same_options(live, wanted)) notes.push_back("the view is put back");
    return notes;
  }
  note_options(notes, live, wanted);
  note_indexes(notes, live, wanted);
  if (!notes.empty() && live.uuid != wanted.uuid && !live.uuid.empty())
    notes.push_back("it was dropped and created anew since");
  return notes;
}

}  // namespace belay::vault
