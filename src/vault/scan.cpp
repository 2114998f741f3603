// SPDX-License-Identifier: Apache-2.0
#include "base/md5.hpp"
#include "vault/reading.hpp"

namespace belay::vault {

namespace {

constexpr std::uint64_t progress_every = 2000;
// How often a standalone is read anew in the hope that nobody writes.
constexpr int quiet_attempts = 2;

using database::Collection;

Result<std::optional<database::WriteCounters>> counters(const BackupContext& context) {
  auto now = context.database.write_counters();
  if (now) return std::optional(now.value());
  // No right to read them is no failure: then there is no proof.
  if (now.error().fault == Fault::denied || now.error().fault == Fault::refused) {
    return std::optional<database::WriteCounters>();
  }
  return std::move(now).error();
}

Result<Captured> scan_once(const BackupContext& context) {
  Captured captured;
  SystemRandom random;
  TouchedBudget budget(random);
  TRY_LET(const auto counted, counters(context));
  TRY_LET(const auto catalogue, context.database.catalogue());
  auto parts = scan_all(context, catalogue, std::nullopt, budget);
  TRY_LET(const auto catalogue_after, context.database.catalogue());
  if (catalogue != catalogue_after) {
    captured.again = "the collections or their indexes changed while they were read";
    return captured;
  }
  if (!parts) return std::move(parts).error();
  TRY_LET(const auto counted_after, counters(context));
  captured.exact = counted && counted_after && *counted == *counted_after;
  for (auto& part : parts.value()) captured.collections.push_back(std::move(part.saved));
  return captured;
}

}  // namespace

bool is_read_whole(const Collection& facts) {
  return facts.capped || facts.collated || facts.kind == Collection::Kind::time_series;
}

Status scan_collection(const BackupContext& context,
                       const std::optional<database::Position>& position, SavedCollection& saved) {
  const auto writer = context.vault.write_layer();
  const std::string name = saved.facts.ns.text();
  const std::uint64_t expected = saved.documents;
  Md5 md5;
  std::uint64_t documents = 0;
  const auto take = [&](std::string_view document) -> Status {
    md5.add(document);
    ++documents;
    if (context.progress && documents % progress_every == 0) {
      context.progress({name, documents, std::max(expected, documents)});
    }
    return writer->add(document);
  };
  TRY(context.database.scan(saved.facts, std::nullopt, position, take, context.stop).in(name));
  TRY_LET(saved.base, writer->finish());
  saved.documents = saved.base.documents;
  saved.bytes = saved.base.bytes;
  saved.md5 = md5.finish();
  if (context.progress) context.progress({name, documents, documents});
  return {};
}

Result<std::vector<Part>> scan_all(const BackupContext& context,
                                   const database::Catalogue& catalogue,
                                   const std::optional<database::Position>& position,
                                   TouchedBudget& budget) {
  std::vector<Part> parts;
  for (const auto& facts : catalogue) {
    if (context.stop.stop_requested()) return fail(Fault::cancelled, "stopped while reading");
    Part part{{}, TouchedDocuments(budget)};
    part.saved.facts = facts;
    if (facts.kind != Collection::Kind::view) {
      // For the bar only; what was really read is counted.
      auto count =
          context.progress ? context.database.estimate(facts.ns) : Result<std::uint64_t>(0);
      part.saved.documents = count ? count.value() : 0;
      TRY(scan_collection(context, position, part.saved));
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

Result<Captured> capture_single_scan(const BackupContext& context) {
  for (int attempt = 1;; ++attempt) {
    TRY_LET(Captured captured, scan_once(context));
    if (!captured.again.empty()) return captured;
    const bool fenced = context.request.fenced;
    if (captured.exact) captured.method = fenced ? "fenced" : "quiet standalone";
    if (captured.exact) return captured;
    if (attempt < quiet_attempts) continue;
    if (fenced) {
      captured.notes.push_back(
          "the server counted writes while the writers were held off; they may "
          "have gone to other databases of the same server");
    }
    captured.exact = fenced;
    captured.method = fenced ? "fenced" : "fuzzy";
    return captured;
  }
}

}  // namespace belay::vault
