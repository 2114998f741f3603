// SPDX-License-Identifier: Apache-2.0
#include "app/plan_preview.hpp"

#include "app/wire.hpp"
#include "engine/points.hpp"
#include "vault/rewind.hpp"

namespace belay::app {

namespace {

using Differences = std::vector<vault::Difference>;

constexpr std::size_t collections_shown = 50;

Json collection_json(const vault::Difference& one) {
  auto remarks = one.catalogue;
  if (one.collection_removed) remarks.insert(remarks.begin(), "the collection is removed");
  if (one.collection_created) remarks.insert(remarks.begin(), "the collection comes back");
  return {{"collection", one.ns.text()},   {"reverted", one.reverted},
          {"removed", one.removed},        {"brought_back", one.brought_back},
          {"remarks", std::move(remarks)}, {"samples", one.samples}};
}

Json to_json(const std::string& goal, TimePoint instant, const Differences& differences) {
  std::uint64_t reverted = 0, removed = 0, brought_back = 0;
  Json collections = Json::array();
  for (const auto& one : differences) {
    reverted += one.reverted;
    removed += one.removed;
    brought_back += one.brought_back;
    if (collections.size() < collections_shown) collections.push_back(collection_json(one));
  }
  const auto more = differences.size() - collections.size();
  return {{"goal", goal},
          {"instant", to_text(instant)},
          {"collections", collections},
          {"more", more},
          {"reverted", reverted},
          {"removed", removed},
          {"brought_back", brought_back}};
}

// What a rewind did, the other way round: it takes back what that brought, and brings what it took.
Differences undone(Differences differences) {
  for (auto& one : differences) {
    std::swap(one.removed, one.brought_back);
    std::swap(one.collection_removed, one.collection_created);
    one.catalogue.clear();
    one.samples.clear();
  }
  return differences;
}

Result<Json> of_salvage(const engine::Site& site, const DataPlan& data) {
  auto name = engine::salvage_meant(site, {{"undo", data.undo}, {"of", data.run}}, "");
  if (!name && name.error().fault != Fault::missing) return std::move(name).error();
  TRY_LET(auto all, vault::list_salvages(*site.vault));
  const auto at = std::find_if(all.begin(), all.end(),
                               [&](const auto& one) { return name && one.name == *name; });
  if (at == all.end()) {
    return fail(Fault::missing, "there is no " + data.undo +
                                    " in the vault: that run changed no data, or what it kept has "
                                    "expired; see: belay salvage list");
  }
  return to_json(*name, at->at, undone(at->differences));
}

}  // namespace

Result<Json> preview_of(Desk& desk, const std::string& environment, const DataPlan& data) {
  TRY_LET(auto works, wire_present(desk, environment, {true, false}));
  auto& site = works->site;
  if (site.vault == nullptr) {
    return fail(Fault::invalid, "belay.yaml has no database for " + environment +
                                    ", so there is no data to bring back");
  }
  if (data.point.empty()) return of_salvage(site, data);
  TRY_LET(auto point, engine::point_meant(site, {{"point", data.point}, {"of", data.run}}, ""));
  TRY_LET(auto preview, vault::preview_rewind(*site.database, *site.vault, point, {}, {}));
  return to_json(point.name, vault::instant_of(point), preview.differences);
}

}  // namespace belay::app
