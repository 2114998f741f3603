// SPDX-License-Identifier: Apache-2.0
#include "vault/backup.hpp"

#include <set>

#include "vault/owner.hpp"
#include "vault/reading.hpp"
#include "vault/verify.hpp"

namespace belay::vault {

namespace {

constexpr int readings_limit = 4;
constexpr Millis first_pause{300};  // a migration's next command is not far behind its last one

Result<Captured> capture(const BackupContext& context, const database::Facts& server,
                         const database::Proofs& proofs) {
  const bool by_log = !server.replica_set.empty() && proofs.exact_points();
  std::string why;
  for (int reading = 0; reading < readings_limit; ++reading) {
    const auto begin = reading == 0 ? proofs.mark : std::nullopt;
    TRY_LET(Captured captured,
            by_log ? capture_exact(context, begin) : capture_single_scan(context));
    if (captured.again.empty()) return captured;
    why = std::move(captured.again);
    if (context.progress) context.progress({"reading anew: " + why, 0, 0});
    if (!context.clock.sleep(first_pause * (1 << reading), context.stop))
      return fail(Fault::cancelled, "stopped while taking the restore point");
  }
  return fail(Fault::busy,
              fmt::format("the reading had to start anew {} times, the last time because: "
                          "{}. Take the restore point when no collections or indexes are "
                          "created, changed or dropped",
                          readings_limit, why));
}

// Reads every document back from the store before there is a manifest: a point that is there was
// whole when it was written. Where a delta was merged, this also gives its counts and hash.
Status check_blocks(const BackupContext& context, Point& point) {
  for (auto& saved : point.collections) {
    const std::string name = saved.facts.ns.text();
    auto reading = read_back(context.vault, saved, context.stop, [&](std::uint64_t done) {
      if (context.progress) context.progress({"verifying " + name, done, saved.documents});
    });
    if (!reading) return std::move(reading).error().in("reading back " + name);
    // A view was not read, and of a merged one nobody knew the hash so far.
    const bool hashed = saved.facts.kind != database::Collection::Kind::view &&
                        saved.delta.blocks.empty() && saved.gone.empty();
    if (hashed && (reading->documents != saved.documents || reading->md5 != saved.md5)) {
      return fail(Fault::corrupt, name + " does not come back from " + context.vault.where() +
                                      " as it was written: the store is not to be trusted");
    }
    saved.documents = reading->documents;
    saved.bytes = reading->bytes;
    saved.md5 = reading->md5;
    point.documents += saved.documents;
    point.bytes += saved.bytes;
  }
  return {};
}

// What did not come back was in the store before, damaged, and was not stored again: content that
// is there never is. True: it is gone, and the next reading stores it.
bool cleared_of_damage(const BackupContext& context, const Point& point, const Error& error) {
  if (error.fault != Fault::corrupt && error.fault != Fault::missing) return false;
  const auto dropped = context.vault.drop_damaged(point.collections);
  if (!dropped || *dropped == 0) return false;
  if (context.progress)
    context.progress(
        {fmt::format("reading anew: {} blocks in the store were damaged", *dropped), 0, 0});
  return true;
}

Point make_point(const BackupRequest& request, const database::Facts& server,
                 const database::Proofs& proofs, Captured captured) {
  Point point;
  point.name = request.name;
  point.kind = request.kind;
  point.project = request.project;
  point.environment = request.environment;
  point.run = request.run;
  point.by = request.by;
  point.origin = request.origin;
  point.journal_head = request.journal_head;
  point.server = server;
  point.proofs = proofs;
  point.proofs.missing.insert(point.proofs.missing.end(), captured.notes.begin(),
                              captured.notes.end());
  point.exact = captured.exact && proofs.exact_bytes;
  point.method = captured.method;
  point.since = captured.since;
  point.instant = captured.instant;
  std::set<std::string> databases(request.databases.begin(), request.databases.end());
  for (const auto& saved : captured.collections) databases.insert(saved.facts.ns.database);
  point.databases.assign(databases.begin(), databases.end());
  point.collections = std::move(captured.collections);
  return point;
}

Result<Point> capture_whole(const BackupContext& context, const database::Facts& server,
                            const database::Proofs& proofs) {
  for (bool first = true;; first = false) {
    TRY_LET(Captured captured, capture(context, server, proofs));
    Point point = make_point(context.request, server, proofs, std::move(captured));
    Status whole = check_blocks(context, point);
    if (whole) return point;
    if (!first || !cleared_of_damage(context, point, whole.error()))
      return std::move(whole).error();
  }
}

// Settles also a commit whose reply was lost: the manifest is read back and is the judge.
Result<Point> commit_and_read(Vault& vault, const Point& point) {
  Status committed = vault.commit(point);
  const bool taken = !committed && committed.error().fault == Fault::conflict;
  const bool unknown = !committed && committed.error().effect == Effect::unknown;
  if (!committed && !taken && !unknown) return std::move(committed).error();
  auto loaded = vault.load(point.name);
  if (!loaded) return unknown ? std::move(committed).error() : std::move(loaded).error();
  if (taken && !point.origin.empty() && owner_of(*loaded) == owner_of(point)) return loaded;
  if (taken) {
    return fail(Fault::conflict, fmt::format("the name was taken meanwhile ({}): take the restore "
                                             "point again",
                                             text_of(owner_of(*loaded))));
  }
  if (canonical(to_json(loaded.value())) != canonical(to_json(point))) {
    return fail(Fault::corrupt, "the manifest does not come back from " + vault.where() +
                                    " as it was written: the store is not to be trusted");
  }
  return loaded;
}

Result<Point> take(const BackupContext& context) {
  TRY_LET(const database::Facts server, context.database.describe());
  if (server.mongos) {
    return fail(
        Fault::refused,
        "this is a sharded cluster (mongos): one instant over all shards cannot be read through "
        "it. Use the provider's own backup, and skip Belay's with a reason");
  }
  TRY_LET(const database::Proofs proofs, context.database.prove());
  const TimePoint started = context.clock.now();
  const std::uint64_t written = context.vault.bytes_written();
  TRY_LET(Point point, capture_whole(context, server, proofs));
  point.started = started;
  point.finished = context.clock.now();
  point.stored_bytes = context.vault.bytes_written() - written;
  return commit_and_read(context.vault, point);
}

}  // namespace

Result<Point> take_restore_point(database::Database& database, Vault& vault,
                                 const BackupRequest& request, Clock& clock,
                                 const OnProgress& progress, std::stop_token stop) {
  const std::string where = "restore point " + request.name;
  const Owner owner{request.project, request.environment, request.run, request.origin};
  auto slot = point_slot(vault, request.name, owner);
  if (!slot) return std::move(slot).error().in(where);
  if (slot->mine) return std::move(*slot->mine);
  BackupRequest named = request;
  named.name = slot->name;
  const BackupContext context{database, vault, named, clock, progress, stop};
  return take(context).in(where);
}

}  // namespace belay::vault
