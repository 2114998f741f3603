// SPDX-License-Identifier: Apache-2.0
#include "vault/exported.hpp"

#include <set>

#include "vault/blocks.hpp"
#include "vault/verify.hpp"

namespace belay::vault {

namespace {

Error stopped() {
  return fail(Fault::cancelled, "stopped before it was complete");
}

Status copy_object(storage::Storage& from, const std::string& name, storage::Storage& to) {
  TRY_LET(const auto content, from.get(name));
  return to.put(name, content);
}

// Layers are cut by the documents and the vault's key: with the same key the blocks are the same.
Result<Layer> write_layer(Vault& from, const SavedCollection& saved, const Layer& layer, Vault& to,
                          const std::stop_token& stop) {
  SavedCollection alone;
  alone.facts = saved.facts;
  alone.base = layer;
  TRY_LET(const auto reader, from.read(alone));
  const auto writer = to.write_layer();
  for (;;) {
    if (stop.stop_requested()) return stopped();
    TRY_LET(const auto document, reader->next());
    if (!document) return writer->finish();
    TRY(writer->add(*document));
  }
}

Result<std::vector<SavedCollection>> write_all(Vault& from, const Point& point, Vault& to,
                                               const OnProgress& progress,
                                               const std::stop_token& stop) {
  auto collections = point.collections;
  for (auto& saved : collections) {
    TRY_LET(auto base, write_layer(from, saved, saved.base, to, stop));
    TRY_LET(auto delta, write_layer(from, saved, saved.delta, to, stop));
    saved.base = std::move(base);
    saved.delta = std::move(delta);
    if (progress) progress({saved.facts.ns.text(), saved.documents, saved.documents});
  }
  return collections;
}

// What does not depend on the vault that holds it.
Json content_of(Point point) {
  point.stored_bytes = 0;
  for (auto& saved : point.collections) {
    saved.base = {};
    saved.delta = {};
  }
  return to_json(point);
}

Status check(Vault& vault, const Point& point, const OnProgress& progress,
             const std::stop_token& stop) {
  TRY_LET(const auto report, verify_point(vault, point, progress, stop));
  if (report.problems.empty()) return {};
  return fail(Fault::corrupt, fmt::format("restore point {} in {}: {}", point.name, vault.where(),
                                          report.problems.front()));
}

// What stands in the way of its manifest: nothing, itself, or something that cannot be read, which
// goes.
Result<std::optional<Point>> make_way(const Point& point, Vault& to) {
  auto there = to.load(point.name);
  if (there) {
    if (content_of(*there) == content_of(point)) return std::optional(std::move(there).value());
    return fail(Fault::conflict, fmt::format("{} has another restore point {}, of {}: it stays, "
                                             "and this one is not taken in",
                                             to.where(), point.name, to_text(there->finished)));
  }
  const auto fault = there.error().fault;
  if (fault == Fault::missing) return std::optional<Point>();
  if (fault != Fault::corrupt) return std::move(there).error();
  TRY(to.forget(point.name));
  return std::optional<Point>();
}

}  // namespace

Status export_point(storage::Storage& from, const Point& point, storage::Storage& to,
                    const OnProgress& progress, std::stop_token stop) {
  TRY(copy_object(from, "config", to));
  TRY_LET(const auto keys, from.list("keys/"));
  for (const auto& key : keys) TRY(copy_object(from, key.name, to));
  std::set<std::string> copied;
  for (const auto& saved : point.collections) {
    std::uint64_t documents = 0;
    for (const Layer* layer : {&saved.base, &saved.delta}) {
      for (const auto& block : layer->blocks) {
        if (stop.stop_requested()) return stopped();
        if (copied.insert(block.name).second) TRY(copy_object(from, block_object(block.name), to));
        documents += block.documents;
        if (progress) progress({saved.facts.ns.text(), documents, saved.documents});
      }
    }
  }
  return copy_object(from, "points/" + point.name, to);
}

Result<Point> import_point(Vault& from, const std::string& name, Vault& to,
                           const OnProgress& progress, std::stop_token stop) {
  TRY_LET(auto point, from.load(name));
  TRY(check(from, point, progress, stop));
  TRY_LET(auto there, make_way(point, to));
  const auto before = to.bytes_written();
  TRY_LET(point.collections, write_all(from, point, to, progress, stop));
  // What was there already may be damaged: then it is stored again.
  TRY_LET(const auto dropped, to.drop_damaged(point.collections));
  if (dropped > 0) {
    TRY_LET(point.collections, write_all(from, point, to, progress, stop));
  }
  if (!there) {
    point.stored_bytes = to.bytes_written() - before;
    TRY(to.commit(point));
    return point;
  }
  TRY(check(to, *there, progress, stop));
  return std::move(*there);
}

}  // namespace belay::vault
