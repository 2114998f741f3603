// SPDX-License-Identifier: Apache-2.0
// A full restore: create, load in `_id` order, then all indexes of a collection at once; views and
// the time limits of documents come last.
#include <algorithm>

#include "vault/backup.hpp"
#include "vault/expiry.hpp"
#include "vault/rewind_facts.hpp"

namespace belay::vault {

namespace {

constexpr std::size_t batch_documents = 1000;
constexpr std::size_t batch_bytes = std::size_t{8} << 20;

class Restoring {
 public:
  Restoring(Vault& vault, database::Database& into,
            const std::optional<std::pair<std::string, std::string>>& rename, const Clock& clock,
            const OnNotRestored& lost, const OnProgress& progress, std::stop_token stop)
      : vault_(vault),
        into_(into),
        rename_(rename),
        clock_(clock),
        lost_(lost),
        progress_(progress),
        stop_(std::move(stop)) {}

  Result<RestoreReport> all(const Point& point) {
    // A view may stand on any collection: views wait for them.
    for (const bool views : {false, true}) {
      for (const auto& saved : point.collections) {
        if ((saved.facts.kind == database::Collection::Kind::view) != views) continue;
        TRY(one(saved).in(saved.facts.ns.text()));
      }
    }
    TRY(into_.barrier());
    for (const auto& saved : point.collections) TRY(let_expire(saved).in(saved.facts.ns.text()));
    TRY(into_.barrier());
    return report_;
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
    const auto lost_before = report_.not_restored;
    TRY(load(saved, ns));
    TRY(index(ns, saved.facts.indexes, false));
    return counted(saved, ns, report_.not_restored - lost_before);
  }

  // All of a kind at once: those that let documents expire, or the others.
  Status index(const database::Namespace& ns, const std::vector<database::Bson>& all,
               bool expiring) {
    std::vector<database::Bson> some;
    for (const auto& each : all) {
      if (is_ttl(each) == expiring) some.push_back(each);
    }
    if (some.empty()) return {};
    report_.indexes += some.size();
    return into_.create_indexes(ns, some);
  }

  // Last of all: what the server removes from then on was there and was counted.
  Status let_expire(const SavedCollection& saved) {
    const auto ns = place_of(saved.facts.ns);
    for (const auto& each : saved.facts.indexes) {
      if (const auto soon = about_to_expire(into_, ns, each, clock_.now()))
        report_.expiring += *soon;
    }
    return index(ns, saved.facts.indexes, true);
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
    TRY_LET(const auto refused, into_.insert(ns, batch));
    report_.documents += batch.size() - refused.size();
    report_.not_restored += refused.size();
    for (const auto& one : refused) {
      if (lost_) lost_({ns, one.id, one.reason});
    }
    return {};
  }

  // What the server holds decides, not what was sent.
  Status counted(const SavedCollection& saved, const database::Namespace& ns,
                 std::uint64_t not_restored) {
    TRY_LET(const auto there, into_.count(ns));
    // In the place of one that was refused may stand somebody else's.
    if (not_restored == 0 ? there == saved.documents : there + not_restored >= saved.documents)
      return {};
    return fail(Fault::corrupt, "the point has " + std::to_string(saved.documents) +
                                    " documents, the server counts " + std::to_string(there));
  }

  Vault& vault_;
  database::Database& into_;
  const std::optional<std::pair<std::string, std::string>>& rename_;
  const Clock& clock_;
  const OnNotRestored& lost_;
  const OnProgress& progress_;
  std::stop_token stop_;
  RestoreReport report_;
};

}  // namespace

Result<RestoreReport> restore(Vault& vault, const Point& point, database::Database& into,
                              const std::optional<std::pair<std::string, std::string>>& rename,
                              const Clock& clock, const OnNotRestored& lost,
                              const OnProgress& progress, std::stop_token stop) {
  return Restoring(vault, into, rename, clock, lost, progress, std::move(stop)).all(point);
}

}  // namespace belay::vault
