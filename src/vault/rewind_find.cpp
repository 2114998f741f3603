// SPDX-License-Identifier: Apache-2.0
#include "vault/rewind_find.hpp"

#include <algorithm>

#include "vault/rewind_facts.hpp"
#include "vault/rewind_match.hpp"

namespace belay::vault {

namespace {

using database::Bson;
using database::Collection;
using database::compare_ids;
using database::id_of;
using Document = std::optional<std::string_view>;

Error out_of_order(const Collection& where, std::string_view side) {
  return fail(Fault::refused,
              fmt::format("{}: the documents of the {} are not in the order of `_id` that "
                          "Belay knows; restore the whole point instead",
                          where.ns.text(), side));
}

bool has_dollar_name(std::string_view document) {
  auto members = fields(document);
  return std::any_of(members.begin(), members.end(),
                     [](const Field& m) { return m.name.starts_with('$'); });
}

// The goal's documents of one collection, one at a time, in strict order.
class GoalSide {
 public:
  GoalSide(DocumentReader& reader, const Collection& facts) : reader_(reader), facts_(facts) {}

  Status advance() {
    TRY_LET(document_, reader_.next());
    if (!document_) return {};
    ++count_;
    TRY_LET(auto id, id_of(*document_));
    if (!id_.empty() && compare_ids(id_, id) >= 0) return out_of_order(facts_, "restore point");
    id_ = std::move(id);
    return {};
  }
  bool there() const { return document_.has_value(); }
  std::string_view document() const { return *document_; }
  const Bson& id() const { return id_; }
  std::uint64_t count() const { return count_; }

 private:
  DocumentReader& reader_;
  const Collection& facts_;
  std::optional<Bson> document_;
  Bson id_;
  std::uint64_t count_ = 0;
};

// Finds the differences of one database, collection after collection.
class Finder {
 public:
  Finder(database::Database& database, Goal& goal, SegmentWriter* salvage,
         const std::optional<database::Position>& position, bool again, const OnProgress& progress,
         std::stop_token stop)
      : database_(database),
        goal_(goal),
        salvage_(salvage),
        position_(position),
        again_(again),
        progress_(progress),
        stop_(stop) {}

  Result<Found> run() {
    TRY_LET(auto live, database_.catalogue());
    TRY_LET(auto pairs, match(goal_, live));
    for (const auto& pair : pairs) TRY(one(pair));
    if (salvage_) TRY(salvage_->flush());
    return std::move(found_);
  }

 private:
  Status one(const Pair& pair) {
    Task task;
    task.live = pair.live;
    if (pair.want) task.wanted = pair.want->facts;
    task.difference.ns = task.ns();
    if (salvage_) {
      task.segment = salvage_->segment();
      task.offset = salvage_->offset();
    }
    goal_documents_ = pair.want ? pair.want->documents : 0;
    counted_ = 0;
    TRY(documents(task, pair.want && pair.want->sparse).in(task.ns().text()));
    if (task.how == Task::How::change && task.entries == 0 &&
        (task.difference.catalogue.empty() ||
         (again_ && same_but_expiry(*task.live, *task.wanted)))) {
      found_.as_they_were.push_back(std::move(*task.live));
      return {};
    }
    found_.tasks.push_back(std::move(task));
    return {};
  }

  Status documents(Task& task, bool sparse) {
    if (!task.wanted) return removed(task);
    if (!task.live) return created(task, sparse);
    task.difference.catalogue = catalogue_notes(*task.live, *task.wanted);
    const bool anew = must_be_made_anew(*task.live, *task.wanted);
    if (anew) task.how = Task::How::replace;
    if (!holds_documents(*task.wanted)) return {};
    if (anew && sparse)
      return fail(Fault::refused,
                  "it was made anew with other options since: only its changed documents "
                  "are known, so it cannot be put back");
    if (sparse) return only_changes(task);
    if (is_ordered(*task.live) || is_ordered(*task.wanted)) return ordered(task, anew);
    return join(task, anew);
  }

  Status removed(Task& task) {
    task.how = Task::How::remove;
    task.difference.collection_removed = true;
    task.expected.reset();
    if (!holds_documents(*task.live)) return {};
    return whole(task);
  }

  Status created(Task& task, bool sparse) {
    if (sparse)
      return fail(Fault::refused,
                  "it was dropped since: only its changed documents are known, so it "
                  "cannot be put back");
    task.how = Task::How::create;
    task.difference.collection_created = true;
    task.difference.brought_back = goal_documents_;
    task.ordered = is_ordered(*task.wanted);
    if (!holds_documents(*task.wanted)) return {};
    task.from_goal = true;
    task.expected = goal_documents_;
    return {};
  }

  // Every live document goes to the salvage.
  Status whole(Task& task) {
    return scan(task, [&](std::string_view document) {
      ++task.difference.removed;
      return keep(task, document, std::nullopt);
    });
  }

  Status ordered(Task& task, bool anew) {
    TRY_LET(auto reader, goal_.documents(task.wanted->ns));
    TRY_LET(auto both, compare_sequence(database_, *task.live, position_, *reader, stop_));
    found_.compared += both.equal;
    if (both.same() && !anew) return {};
    task.how = Task::How::replace;
    task.ordered = task.from_goal = true;
    task.difference.brought_back = goal_documents_;
    task.expected = goal_documents_;
    task.difference.catalogue.push_back("all documents are put back in their order");
    return whole(task);
  }

  // Both sides in `_id` order, each looked at once.
  Status join(Task& task, bool all) {
    TRY_LET(auto reader, goal_.documents(task.wanted->ns));
    GoalSide then(*reader, *task.wanted);
    TRY(then.advance());
    Bson last;
    const auto meet = [&](std::string_view document) -> Status {
      TRY_LET(auto id, id_of(document));
      if (!last.empty() && compare_ids(last, id) >= 0) return out_of_order(*task.live, "server");
      last = std::move(id);
      return met(task, document, last, then, all);
    };
    TRY(scan(task, meet));
    TRY(passed_by(task, then, nullptr));
    task.expected = then.count();
    return {};
  }

  Status met(Task& task, std::string_view document, const Bson& id, GoalSide& then, bool all) {
    TRY(passed_by(task, then, &id));
    if (!then.there() || compare_ids(then.id(), id) != 0)
      return differs(task, document, std::nullopt);
    if (then.document() != document)
      TRY(differs(task, document, then.document()));
    else if (all)
      TRY(keep(task, document, document));
    return then.advance();
  }

  // Documents of the goal that come before `id` (all, without one) and are not live.
  Status passed_by(Task& task, GoalSide& then, const Bson* id) {
    while (then.there() && (!id || compare_ids(then.id(), *id) < 0)) {
      TRY(differs(task, std::nullopt, then.document()));
      TRY(then.advance());
    }
    return {};
  }

  // An undo: only the documents that the salvage names.
  Status only_changes(Task& task) {
    TRY_LET(auto entries, goal_.changes(task.wanted->ns));
    while (true) {
      std::vector<std::pair<Bson, std::optional<Bson>>> batch;
      TRY(next_batch(entries, batch));
      if (batch.empty()) break;
      TRY(compare_batch(task, batch));
    }
    return {};  // how many others there are is none of its business
  }

  // The live versions are fetched at once: they may be as big as what the rewind put there, or as
  // what it took away.
  static Status next_batch(EntryReader& entries,
                           std::vector<std::pair<Bson, std::optional<Bson>>>& batch) {
    for (std::size_t bytes = 0; batch.size() < batch_documents && bytes < batch_bytes;) {
      TRY_LET(auto entry, entries.next());
      if (!entry) break;
      TRY_LET(auto id, id_of(entry->any()));
      std::optional<Bson> then;
      if (entry->live) then = Bson(*entry->live);
      bytes += (then ? then->size() : 0) + (entry->wanted ? entry->wanted->size() : 0);
      batch.emplace_back(std::move(id), std::move(then));
    }
    return {};
  }

  Status compare_batch(Task& task, const std::vector<std::pair<Bson, std::optional<Bson>>>& batch) {
    std::vector<Bson> ids;
    for (const auto& [id, then] : batch) ids.push_back(id);
    TRY_LET(auto present, Present::fetch(database_, task.live->ns, ids));
    for (const auto& [id, then] : batch) {
      const auto* now = present.look_up(id);
      Document live = now ? Document(*now) : std::nullopt;
      Document wanted = then ? Document(*then) : std::nullopt;
      if (live != wanted) TRY(differs(task, live, wanted));
    }
    return counted(task, batch.size());
  }

  Status differs(Task& task, Document live, Document wanted) {
    auto& counts = task.difference;
    ++(live && wanted ? counts.reverted : live ? counts.removed : counts.brought_back);
    if (counts.samples.size() < 3) counts.samples.push_back(sample(live, wanted));
    if ((live && has_dollar_name(*live)) || (wanted && has_dollar_name(*wanted))) task.split = true;
    if (live && wanted) {
      TRY_LET(auto live_id, id_of(*live));
      TRY_LET(auto wanted_id, id_of(*wanted));
      if (live_id != wanted_id) task.split = true;
    }
    return keep(task, live, wanted);
  }

  static std::string sample(Document live, Document wanted) {
    if (!wanted) return "removed: " + database::to_json(*live, 160);
    if (!live) return "brought back: " + database::to_json(*wanted, 160);
    return fmt::format("reverted: {} -> {}", database::to_json(*live, 160),
                       database::to_json(*wanted, 160));
  }

  Status keep(Task& task, Document live, Document wanted) {
    ++task.entries;
    if (!salvage_) return {};
    return salvage_->add(static_cast<std::uint32_t>(found_.tasks.size()), live, wanted);
  }

  Status scan(const Task& task, const database::DocumentSink& sink) {
    const auto count = [&](std::string_view document) -> Status {
      TRY(sink(document));
      return counted(task, 1);
    };
    return database_.scan(*task.live, std::nullopt, position_, count, stop_);
  }

  Status counted(const Task& task, std::uint64_t more) {
    found_.compared += more;
    counted_ += more;
    if (stop_.stop_requested())
      return fail(Fault::cancelled, "comparing was stopped; nothing was changed");
    if (progress_ && (more > 1 || counted_ % 1000 == 0))
      progress_({"comparing " + task.ns().text(), counted_, std::max(goal_documents_, counted_)});
    return {};
  }

  database::Database& database_;
  Goal& goal_;
  SegmentWriter* salvage_;
  const std::optional<database::Position>& position_;
  bool again_;
  const OnProgress& progress_;
  std::stop_token stop_;
  Found found_;
  std::uint64_t goal_documents_ = 0, counted_ = 0;
};

}  // namespace

Result<Found> find_differences(database::Database& database, Goal& goal, SegmentWriter* salvage,
                               const std::optional<database::Position>& position, bool again,
                               const OnProgress& progress, std::stop_token stop) {
  return Finder(database, goal, salvage, position, again, progress, stop).run();
}

Result<Present> Present::fetch(database::Database& database, const database::Namespace& ns,
                               const std::vector<Bson>& ids) {
  Present present;
  TRY(database.fetch(ns, ids, [&](std::string_view document) -> Status {
    TRY_LET(auto id, id_of(document));
    present.documents_.emplace_back(std::move(id), Bson(document));
    return {};
  }));
  std::sort(present.documents_.begin(), present.documents_.end(),
            [](const auto& a, const auto& b) { return compare_ids(a.first, b.first) < 0; });
  return present;
}

const Bson* Present::look_up(const Bson& id) const {
  auto place =
      std::lower_bound(documents_.begin(), documents_.end(), id,
                       [](const auto& a, const Bson& b) { return compare_ids(a.first, b) < 0; });
  if (place == documents_.end() || compare_ids(place->first, id) != 0) return nullptr;
  return &place->second;
}

Result<Sequence> compare_sequence(database::Database& database, const Collection& live,
                                  const std::optional<database::Position>& position,
                                  DocumentReader& goal, std::stop_token stop) {
  Sequence both;
  bool apart = false;
  TRY(database.scan(
      live, std::nullopt, position,
      [&](std::string_view document) -> Status {
        if (apart) return {};
        TRY_LET(auto then, goal.next());
        if (!then) both.goal_ended = true;
        if (!then || *then != document)
          apart = true;
        else
          ++both.equal;
        return {};
      },
      stop));
  both.live_ended = !apart;
  if (apart) return both;
  TRY_LET(auto more, goal.next());
  both.goal_ended = !more;
  return both;
}

}  // namespace belay::vault
