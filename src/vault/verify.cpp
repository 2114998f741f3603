// SPDX-License-Identifier: Apache-2.0
#include "vault/verify.hpp"

#include "base/md5.hpp"

namespace belay::vault {

namespace {

constexpr std::uint64_t documents_per_report = 2000;

// Only plain `_id` order is ours to check; a collation's or a capped collection's is the server's.
bool order_is_ours(const database::Collection& facts) {
  return facts.kind == database::Collection::Kind::collection && !facts.capped && !facts.collated;
}

// Only the first broken block ends a merged reading: here are all of them.
void find_broken_blocks(Vault& vault, const SavedCollection& saved, VerifyReport& report) {
  for (const Layer* layer : {&saved.base, &saved.delta}) {
    for (const auto& block : layer->blocks) {
      SavedCollection alone;
      alone.facts = saved.facts;
      alone.base.blocks = {block};
      auto reading = read_back(vault, alone, {});
      if (!reading)
        report.problems.push_back(saved.facts.ns.text() + ": " + reading.error().message());
    }
  }
}

void compare(const SavedCollection& saved, const Reading& reading, VerifyReport& report) {
  const std::string ns = saved.facts.ns.text();
  if (reading.documents != saved.documents || reading.bytes != saved.bytes) {
    report.problems.push_back(
        fmt::format("{}: {} documents of {} bytes came back, the manifest says "
                    "{} of {}",
                    ns, reading.documents, reading.bytes, saved.documents, saved.bytes));
  }
  if (reading.md5 != saved.md5) {
    report.problems.push_back(ns + ": the hash over all documents is not the manifest's");
  }
}

Status verify_collection(Vault& vault, const SavedCollection& saved, const OnProgress& progress,
                         std::stop_token stop, VerifyReport& report) {
  const std::size_t before = report.problems.size();
  auto reading = read_back(vault, saved, stop, [&](std::uint64_t done) {
    if (progress) progress({saved.facts.ns.text(), done, saved.documents});
  });
  if (!reading && reading.error().fault == Fault::cancelled) return std::move(reading).error();
  report.blocks += saved.base.blocks.size() + saved.delta.blocks.size();
  if (reading) {
    report.documents += reading->documents;
    report.bytes += reading->bytes;
    compare(saved, reading.value(), report);
    return {};
  }
  find_broken_blocks(vault, saved, report);
  if (report.problems.size() == before) {
    report.problems.push_back(saved.facts.ns.text() + ": " + reading.error().message());
  }
  return {};
}

}  // namespace

Result<Reading> read_back(Vault& vault, const SavedCollection& saved, std::stop_token stop,
                          const std::function<void(std::uint64_t)>& each) {
  TRY_LET(const auto reader, vault.read(saved));
  Reading reading;
  Md5 md5;
  database::Bson last;
  const bool ordered = order_is_ours(saved.facts);
  for (;;) {
    if (stop.stop_requested()) return fail(Fault::cancelled, "stopped while reading back");
    TRY_LET(const auto document, reader->next());
    if (!document) break;
    md5.add(*document);
    reading.documents += 1;
    reading.bytes += document->size();
    if (ordered) {
      TRY_LET(database::Bson id, database::id_of(*document));
      if (!last.empty() && database::compare_ids(last, id) >= 0) {
        return fail(Fault::corrupt, "the document with " + database::to_json(id) +
                                        " is out of `_id` order or there twice");
      }
      last = std::move(id);
    }
    if (each && reading.documents % documents_per_report == 0) each(reading.documents);
  }
  reading.md5 = md5.finish();
  if (each) each(reading.documents);
  return reading;
}

Result<VerifyReport> verify_point(Vault& vault, const Point& point, const OnProgress& progress,
                                  std::stop_token stop) {
  VerifyReport report;
  std::uint64_t documents = 0;
  for (const auto& saved : point.collections) {
    TRY(verify_collection(vault, saved, progress, stop, report));
    documents += saved.documents;
  }
  if (documents != point.documents) {
    report.problems.push_back(
        "the manifest's count of all documents is not that of its collections");
  }
  return report;
}

}  // namespace belay::vault
