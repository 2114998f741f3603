// SPDX-License-Identifier: Apache-2.0
// A point as JSON and back: docs/formats/vault.md, "Manifest".
#include "base/hash.hpp"
#include "vault/keyring.hpp"
#include "vault/vault.hpp"

namespace belay::vault {

namespace {

using database::Bson;
using database::Collection;

const char* text_of(Collection::Kind kind) {
  switch (kind) {
    case Collection::Kind::collection: return "collection";
    case Collection::Kind::view: return "view";
    case Collection::Kind::time_series: return "time_series";
  }
  return "collection";
}

// The parsing half speaks in exceptions, as the JSON library does; point_from_json catches them.
[[noreturn]] void damaged(const std::string& what) {
  throw std::invalid_argument(what);
}

Bson bson_from(const Json& json) {
  auto bytes = from_base64(json.get<std::string>());
  if (!bytes) damaged("a document is not base64");
  return std::move(bytes).value();
}

Json bsons(const std::vector<Bson>& documents) {
  Json out = Json::array();
  for (const auto& document : documents) out.push_back(base64(document));
  return out;
}

std::vector<Bson> bsons_from(const Json& json) {
  std::vector<Bson> out;
  for (const auto& each : json) out.push_back(bson_from(each));
  return out;
}

Json layer_json(const Layer& layer) {
  Json blocks = Json::array();
  for (const auto& block : layer.blocks) {
    blocks.push_back({block.name, block.documents, block.plain_bytes, base64(block.first_id)});
  }
  return {{"documents", layer.documents}, {"bytes", layer.bytes}, {"blocks", std::move(blocks)}};
}

Layer layer_from(const Json& json) {
  Layer layer;
  layer.documents = json.at("documents").get<std::uint64_t>();
  layer.bytes = json.at("bytes").get<std::uint64_t>();
  for (const auto& block : json.at("blocks")) {
    layer.blocks.push_back({block.at(0).get<std::string>(), block.at(1).get<std::uint32_t>(),
                            block.at(2).get<std::uint32_t>(), bson_from(block.at(3))});
  }
  return layer;
}

Json position_json(const std::optional<database::Position>& position) {
  if (!position) return nullptr;
  return {position->timestamp, position->term};
}

std::optional<database::Position> position_from(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return database::Position{json.at(0).get<std::uint64_t>(), json.at(1).get<std::int64_t>()};
}

Json collection_json(const SavedCollection& saved) {
  const Collection& facts = saved.facts;
  return {{"database", facts.ns.database},
          {"collection", facts.ns.collection},
          {"uuid", facts.uuid},
          {"kind", text_of(facts.kind)},
          {"options", base64(facts.options)},
          {"indexes", bsons(facts.indexes)},
          {"capped", facts.capped},
          {"clustered", facts.clustered},
          {"collated", facts.collated},
          {"base", layer_json(saved.base)},
          {"delta", layer_json(saved.delta)},
          {"gone", bsons(saved.gone)},
          {"documents", saved.documents},
          {"bytes", saved.bytes},
          {"md5", saved.md5}};
}

Collection::Kind kind_from(const std::string& text) {
  for (const auto kind :
       {Collection::Kind::collection, Collection::Kind::view, Collection::Kind::time_series}) {
    if (text == text_of(kind)) return kind;
  }
  damaged("a collection of the unknown kind '" + text + "'");
}

SavedCollection collection_from(const Json& json) {
  SavedCollection saved;
  Collection& facts = saved.facts;
  facts.ns = {json.at("database").get<std::string>(), json.at("collection").get<std::string>()};
  facts.uuid = json.at("uuid").get<std::string>();
  facts.kind = kind_from(json.at("kind").get<std::string>());
  facts.options = bson_from(json.at("options"));
  facts.indexes = bsons_from(json.at("indexes"));
  facts.capped = json.at("capped").get<bool>();
  facts.clustered = json.at("clustered").get<bool>();
  facts.collated = json.at("collated").get<bool>();
  saved.base = layer_from(json.at("base"));
  saved.delta = layer_from(json.at("delta"));
  saved.gone = bsons_from(json.at("gone"));
  saved.documents = json.at("documents").get<std::uint64_t>();
  saved.bytes = json.at("bytes").get<std::uint64_t>();
  saved.md5 = json.at("md5").get<std::string>();
  return saved;
}

Json proofs_json(const database::Proofs& proofs) {
  return {{"transaction_isolates", proofs.transaction_isolates},
          {"log_shows_writes", proofs.log_shows_writes},
          {"exact_bytes", proofs.exact_bytes},
          {"order_agrees", proofs.order_agrees},
          {"missing", proofs.missing}};
}

database::Proofs proofs_from(const Json& json) {
  database::Proofs proofs;
  proofs.transaction_isolates = json.at("transaction_isolates").get<bool>();
  proofs.log_shows_writes = json.at("log_shows_writes").get<bool>();
  proofs.exact_bytes = json.at("exact_bytes").get<bool>();
  proofs.order_agrees = json.at("order_agrees").get<bool>();
  proofs.missing = json.at("missing").get<std::vector<std::string>>();
  return proofs;
}

TimePoint time_from(const Json& json) {
  auto at = parse_time(json.get<std::string>());
  if (!at) damaged("a time is not RFC 3339");
  return at.value();
}

Point parse(const Json& json) {
  Point point;
  const auto text = [&](const char* key) { return json.at(key).get<std::string>(); };
  point.name = text("name");
  point.kind = text("kind");
  point.started = time_from(json.at("started"));
  point.finished = time_from(json.at("finished"));
  point.project = text("project");
  point.environment = text("environment");
  point.run = text("run");
  point.by = json.value("by", std::string());
  point.origin = json.value("origin", std::string());  // older manifests are nobody's
  point.exact = json.at("exact").get<bool>();
  point.method = text("method");
  point.since = position_from(json.at("since"));
  point.instant = position_from(json.at("instant"));
  const Json& server = json.at("server");
  point.server = {server.at("version").get<std::string>(),
                  server.at("replica_set").get<std::string>(), server.at("mongos").get<bool>(),
                  server.at("me").get<std::string>()};
  point.proofs = proofs_from(json.at("proofs"));
  point.databases = json.at("databases").get<std::vector<std::string>>();
  for (const auto& each : json.at("collections"))
    point.collections.push_back(collection_from(each));
  point.documents = json.at("documents").get<std::uint64_t>();
  point.bytes = json.at("bytes").get<std::uint64_t>();
  point.stored_bytes = json.at("stored_bytes").get<std::uint64_t>();
  point.journal_head = text("journal_head");
  return point;
}

}  // namespace

TimePoint instant_of(const Point& point) {
  if (!point.instant) return point.finished;
  return TimePoint(std::chrono::seconds(point.instant->timestamp >> 32));
}

Json to_json(const Point& point) {
  Json collections = Json::array();
  for (const auto& saved : point.collections) collections.push_back(collection_json(saved));
  return {{"belay_point", format_number},
          {"name", point.name},
          {"kind", point.kind},
          {"started", to_text(point.started)},
          {"finished", to_text(point.finished)},
          {"project", point.project},
          {"environment", point.environment},
          {"run", point.run},
          {"by", point.by},
          {"origin", point.origin},
          {"exact", point.exact},
          {"method", point.method},
          {"since", position_json(point.since)},
          {"instant", position_json(point.instant)},
          {"server",
           {{"version", point.server.version},
            {"replica_set", point.server.replica_set},
            {"mongos", point.server.mongos},
            {"me", point.server.me}}},
          {"proofs", proofs_json(point.proofs)},
          {"databases", point.databases},
          {"documents", point.documents},
          {"bytes", point.bytes},
          {"stored_bytes", point.stored_bytes},
          {"journal_head", point.journal_head},
          {"collections", std::move(collections)}};
}

Result<Point> point_from_json(const Json& json) {
  try {
    if (const int number = json.at("belay_point").get<int>(); number > format_number) {
      return fail(Fault::refused,
                  fmt::format("the manifest has format {}, this Belay reads up to {}: "
                              "use a newer Belay",
                              number, format_number));
    }
    return parse(json);
  } catch (const std::exception& error) {
    return fail(Fault::corrupt,
                std::string("the manifest is not what Belay writes: ") + error.what());
  }
}

}  // namespace belay::vault
