// SPDX-License-Identifier: Apache-2.0
// A full restore: create, load in `_id` order, then all indexes of a collection at once; views and
// the time limits of documents come last.
#include <algorithm>

#include "vault/backup.hpp"

namespace belay::vault {

namespace {

constexpr std::size_t batch_documents = 1000;
constexpr std::size_t batch_bytes = std::size_t{8} << 20;
constexpr std::size_t lost_kept = 1000;

class Restoring {
 public:
  Restoring(Vault& vault, database::Database& into,
            const std::optional<std::pair<std::string, std::string>>& rename,
            const OnProgress& progress, std::stop_token stop)
      : vault_(vault), into_(into), rename_(rename), progress_(progress), stop_(std::move(stop)) {}

  Result<RestoreReport> all(const Point& point) {
    // A view may stand on any collection: views wait for them.
    for (const bool views : {false, true}) {
      for (const auto& saved : point.collections) {
        if ((saved.facts.kind == database::Collection::Kind::view) != views) continue;
        TRY(one(saved).in(saved.facts.ns.text()));
      }
    }
    TRY(into_.barrier());
    return std::move(report_);
  }

 private:
  database::Namespace place_of(const database::Namespace& ns) const {
    if (rename_ && ns.database == rename_->first) return {rename_->second, ns.collection};
    return ns;
  }

  Status one(const SavedCollection& saved) {
    const auto ns = place_of(saved.facts.ns);
    TRY(into_.create(ns, saved.facts.options));
    ++report_.collections;
    if (saved.facts.kind == database::Collection::Kind::view) return {};
    TRY(load(saved, ns));
    if (!saved.facts.indexes.empty()) TRY(into_.create_indexes(ns, saved.facts.indexes));
    report_.indexes += saved.facts.indexes.size();
    return counted(saved, ns);
  }

  Status load(const SavedCollection& saved, const database::Namespace& ns) {
    TRY_LET(auto reader, vault_.read(saved));
    std::vector<database::Bson> batch;
    std::size_t bytes = 0;
    std::uint64_t done = 0;
    for (;;) {
      if (stop_.stop_requested())
        return fail(Fault::cancelled, "the restore was stopped; the database is incomplete");
      TRY_LET(auto document, reader->next());
      if (document) {
        bytes += document->size();
        batch.push_back(std::move(*document));
      }
      if (batch.size() >= batch_documents || bytes >= batch_bytes ||
          (!document && !batch.empty())) {
        done += batch.size();
        TRY(insert(ns, batch));
        batch.clear();
        bytes = 0;
        if (progress_) progress_({ns.text(), done, saved.documents});
      }
      if (!document) return {};
    }
  }

  Status insert(const database::Namespace& ns, const std::vector<database::Bson>& batch) {
    TRY_LET(auto lost, into_.insert(ns, batch));
    report_.documents += batch.size() - lost.size();
    report_.not_restored_count += lost.size();
    for (auto& one : lost) {
      if (report_.not_restored.size() < lost_kept)
        report_.not_restored.push_back({ns, one.id, one.reason});
    }
    return {};
  }

  // What the server holds decides, not what was sent.
  Status counted(const SavedCollection& saved, const database::Namespace& ns) {
    TRY_LET(const auto there, into_.count(ns));
    if (there == saved.documents || !report_.complete()) return {};
    return fail(Fault::corrupt, "the point has " + std::to_string(saved.documents) +
                                    " documents, the server counts " + std::to_string(there));
  }

  Vault& vault_;
  database::Database& into_;
  const std::optional<std::pair<std::string, std::string>>& rename_;
  const OnProgress& progress_;
  std::stop_token stop_;
  RestoreReport report_;
};

}  // namespace

Result<RestoreReport> restore(Vault& vault, const Point& point, database::Database& into,
                              const std::optional<std::pair<std::string, std::string>>& rename,
                              const OnProgress& progress, std::stop_token stop) {
  return Restoring(vault, into, rename, progress, std::move(stop)).all(point);
}

}  // namespace belay::vault
