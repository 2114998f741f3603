// SPDX-License-Identifier: Apache-2.0
// The index of a salvage as JSON. BSON stands in it as base64: its exact bytes matter.
#include <array>

#include "base/hash.hpp"
#include "vault/salvage.hpp"

namespace belay::vault {

namespace {

using database::Collection;

constexpr std::array<const char*, 4> hows{"change", "create", "remove", "replace"};
constexpr std::array<const char*, 3> kinds{"collection", "view", "time_series"};

std::string index_name(const std::string& name) {
  return "salvage/" + name + "/index";
}

template <class Enum, std::size_t n>
Enum one_of(const std::array<const char*, n>& names, const std::string& text) {
  for (std::size_t i = 0; i < n; ++i)
    if (text == names[i]) return static_cast<Enum>(i);
  throw Json::other_error::create(501, "unknown word " + text, static_cast<const Json*>(nullptr));
}

database::Bson bson_from(const Json& json) {
  auto bytes = from_base64(json.get<std::string>());
  if (!bytes || !database::is_framed(*bytes))
    throw Json::other_error::create(501, "bytes that are no document",
                                    static_cast<const Json*>(nullptr));
  return *bytes;
}

Json json_of(const Collection& facts) {
  Json indexes = Json::array();
  for (const auto& index : facts.indexes) indexes.push_back(base64(index));
  return {{"database", facts.ns.database},
          {"collection", facts.ns.collection},
          {"uuid", facts.uuid},
          {"kind", kinds[static_cast<std::size_t>(facts.kind)]},
          {"options", base64(facts.options)},
          {"indexes", std::move(indexes)},
          {"capped", facts.capped},
          {"clustered", facts.clustered},
          {"collated", facts.collated}};
}

Collection collection_from(const Json& json) {
  Collection facts;
  facts.ns = {json.at("database"), json.at("collection")};
  facts.uuid = json.at("uuid");
  facts.kind = one_of<Collection::Kind>(kinds, json.at("kind"));
  facts.options = bson_from(json.at("options"));
  for (const auto& index : json.at("indexes")) facts.indexes.push_back(bson_from(index));
  facts.capped = json.at("capped");
  facts.clustered = json.at("clustered");
  facts.collated = json.at("collated");
  return facts;
}

Json json_of(const Difference& difference) {
  return {{"reverted", difference.reverted},
          {"removed", difference.removed},
          {"brought_back", difference.brought_back},
          {"collection_removed", difference.collection_removed},
          {"collection_created", difference.collection_created},
          {"catalogue", difference.catalogue},
          {"samples", difference.samples}};
}

Difference difference_from(const Json& json) {
  Difference difference;
  difference.reverted = json.at("reverted");
  difference.removed = json.at("removed");
  difference.brought_back = json.at("brought_back");
  difference.collection_removed = json.at("collection_removed");
  difference.collection_created = json.at("collection_created");
  difference.catalogue = json.at("catalogue");
  difference.samples = json.at("samples");
  return difference;
}

Json json_of(const Task& task) {
  Json json{{"how", hows[static_cast<std::size_t>(task.how)]},
            {"ordered", task.ordered},
            {"from_goal", task.from_goal},
            {"split", task.split},
            {"difference", json_of(task.difference)},
            {"entries", task.entries},
            {"segment", task.segment},
            {"offset", task.offset}};
  if (task.live) json["live"] = json_of(*task.live);
  if (task.wanted) json["wanted"] = json_of(*task.wanted);
  if (task.expected) json["expected"] = *task.expected;
  return json;
}

Task task_from(const Json& json) {
  Task task;
  task.how = one_of<Task::How>(hows, json.at("how"));
  task.ordered = json.at("ordered");
  task.from_goal = json.at("from_goal");
  task.split = json.at("split");
  task.entries = json.at("entries");
  task.segment = json.at("segment");
  task.offset = json.at("offset");
  if (json.contains("live")) task.live = collection_from(json.at("live"));
  if (json.contains("wanted")) task.wanted = collection_from(json.at("wanted"));
  if (json.contains("expected")) task.expected = json.at("expected").get<std::uint64_t>();
  if (!task.live && !task.wanted)
    throw Json::other_error::create(501, "a task without collection",
                                    static_cast<const Json*>(nullptr));
  task.difference = difference_from(json.at("difference"));
  task.difference.ns = task.ns();
  return task;
}

Result<SalvageIndex> index_from(const Json& json) {
  SalvageIndex index;
  if (json.at("format") != 1)
    return fail(Fault::refused, "the salvage was written by a newer Belay: use that one");
  index.name = json.at("name");
  index.kind = json.at("kind");
  index.of = json.at("of");
  index.project = json.at("project");
  index.environment = json.at("environment");
  index.run = json.at("run");
  index.origin = json.value("origin", std::string());  // older ones are nobody's
  TRY_LET(index.at, parse_time(json.at("at").get<std::string>()));
  index.attempt = json.at("attempt");
  index.segments = json.at("segments");
  index.documents = json.at("documents");
  for (const auto& task : json.at("tasks")) index.tasks.push_back(task_from(task));
  return index;
}

}  // namespace

Status save_index(Vault& vault, const SalvageIndex& index) {
  Json tasks = Json::array();
  for (const auto& task : index.tasks) tasks.push_back(json_of(task));
  Json json{{"format", 1},
            {"name", index.name},
            {"kind", index.kind},
            {"of", index.of},
            {"project", index.project},
            {"environment", index.environment},
            {"run", index.run},
            {"origin", index.origin},
            {"at", to_text(index.at)},
            {"attempt", index.attempt},
            {"segments", index.segments},
            {"documents", index.documents},
            {"tasks", std::move(tasks)}};
  return vault.put_sealed(index_name(index.name), canonical(json));
}

Result<SalvageIndex> load_salvage(Vault& vault, const std::string& name) {
  TRY(check_salvage_name(name));
  auto text = vault.get_sealed(index_name(name));
  if (!text && text.error().fault == Fault::missing)
    return fail(Fault::missing, fmt::format("there is no complete salvage '{}' in {}: nothing was "
                                            "changed under that name",
                                            name, vault.where()));
  if (!text) return std::move(text).error().in("salvage " + name);
  TRY_LET(auto json, parse_json(*text));
  try {
    return index_from(json).in("salvage " + name);
  } catch (const Json::exception& error) {
    return fail(Fault::corrupt,
                fmt::format("the index of salvage '{}' is damaged: {}", name, error.what()));
  }
}

}  // namespace belay::vault
