// SPDX-License-Identifier: Apache-2.0
// belay restore: a full restore of a point into another database.
#include <fmt/format.h>

#include <set>

#include "app/planner.hpp"
#include "app/trust.hpp"
#include "base/text.hpp"
#include "cli/store.hpp"
#include "engine/points.hpp"

namespace belay::cli {

namespace {

// Where a point goes: every database that is written to, known before anything is.
struct Target {
  std::vector<std::string> names;
  std::optional<std::pair<std::string, std::string>> rename;
  std::unique_ptr<database::Database> database;
};

Result<Target> target_of(const vault::Point& point, const Secret& uri, const net::Trust& trust) {
  std::set<std::string> theirs(point.databases.begin(), point.databases.end());
  for (const auto& saved : point.collections) theirs.insert(saved.facts.ns.database);
  const auto named = app::database_in(uri.reveal());
  Target target;
  if (named.empty()) {
    target.names.assign(theirs.begin(), theirs.end());
  } else if (theirs.size() <= 1) {
    target.names = {named};
    if (!theirs.empty() && *theirs.begin() != named) target.rename.emplace(*theirs.begin(), named);
  } else {
    return fail(
        Fault::invalid,
        fmt::format("--to names the database {}, but {} holds {}: {}. Without a database "
                    "in the URI each goes into one of its own name",
                    named, point.name, theirs.size(), join({theirs.begin(), theirs.end()}, ", ")));
  }
  if (target.names.empty())
    return fail(Fault::invalid,
                "--to names no database; add it after the host: mongodb://HOST/NAME");
  TRY_LET(target.database,
          database::make_mongodb({uri, target.names, std::chrono::seconds(30), trust}).in("--to"));
  return target;
}

// A database that is not empty is never written over by accident: its name is asked for, and a
// safety point of it is taken first. The safety point; none: not agreed.
Result<std::optional<vault::Point>> clear(Session& session, const Args& args, const Store& store,
                                          const Target& target, const database::Catalogue& there) {
  const auto name = join(target.names, ",");
  std::vector<std::string> names;
  for (const auto& one : there) names.push_back(one.ns.text());
  if (!args.has("--overwrite")) {
    return fail(
        Fault::refused,
        fmt::format(
            "the database {} is not empty ({}); restore into an empty one, or add --overwrite",
            name, join(names, ", ").substr(0, 200)));
  }
  // Where somebody can be asked, the name is typed.
  Session asking = session;
  asking.yes = session.yes && !session.terminal.ask;
  TRY_LET(bool agreed,
          agree(asking,
                fmt::format(
                    "{} holds {} collections, which are removed after a safety point. Its name?",
                    name, there.size()),
                name));
  if (!agreed) return std::optional<vault::Point>();
  const auto& desk = *store.opened.desk;
  vault::BackupRequest request;
  request.name = "safety-" + to_tag_stamp(desk.world().clock.now());
  request.kind = "safety";
  // Of no environment: it may be any database, and no rewind shall take it for the environment's.
  request.project = desk.project.spec.project;
  request.by = app::who_asks(session.env, desk.project.folder).name;
  request.databases = target.names;
  TRY_LET(auto point,
          engine::take_verified_point(store.works->site, *target.database, request, {}, {}));
  TRY(vault::write_metadata(store.works->site.backups, point));
  fmt::print("safety point {}: {} documents\n", point.name, with_commas(point.documents));
  return std::optional<vault::Point>(std::move(point));
}

void tell_way_back(const Args& args, const std::string& safety) {
  std::fputs(
      fmt::format("What was there before comes back with: belay restore {} --to '{}' "
                  "--overwrite{}\n",
                  safety,
                  args.get("--to").find("${") == std::string::npos ? "URI" : args.get("--to"),
                  args.get("--env").empty() ? "" : " --env " + args.get("--env"))
          .c_str(),
      stderr);
}

int print_restored(const vault::RestoreReport& report, const vault::Point& point, Millis took) {
  fmt::print("{}: {} documents, {} collections, {} indexes restored in {}\n", point.name,
             with_commas(report.documents), report.collections, report.indexes, for_people(took));
  if (report.expiring > 0) {
    fmt::print("{} documents are too old for their expiry index: the server removes them soon\n",
               with_commas(report.expiring));
  }
  if (report.complete()) return exit_done;
  fmt::print(stderr, "{} documents were not restored.\n", with_commas(report.not_restored));
  return exit_failed;
}

void tell_lost(const vault::NotRestored& lost) {
  fmt::print(stderr, "NOT RESTORED {} {}: {}\n", lost.ns.text(), database::to_json(lost.id),
             lost.reason);
}

Result<vault::RestoreReport> fill(const Session& session, const Store& store,
                                  const vault::Point& point, const Target& target,
                                  const database::Catalogue& there) {
  for (const auto& one : there) TRY(target.database->drop(one.ns));
  return vault::restore(store.vault(), point, *target.database, target.rename,
                        store.opened.desk->world().clock, tell_lost, bar(session), {});
}

int restore(Session& session, const Args& args) {
  if (args.get("--to").empty())
    return tell(fail(Fault::invalid,
                     "where to? --to URI, or --to '${NAME}' to take it from the environment"),
                exit_usage);
  auto store = open_store(session, args);
  if (!store) return tell(store.error());
  auto point = store->vault().load(args.word(0));
  if (!point) return tell(point.error());
  auto uri = store->works->secrets->expand({args.get("--to")});
  if (!uri) return tell(uri.error());
  auto& desk = *store->opened.desk;
  auto trust = app::trust_of(desk.project.spec.tls, desk.project.folder, *desk.machine);
  if (!trust) return tell(trust.error());
  auto target = target_of(*point, *uri, *trust);
  if (!target) return tell(target.error());
  auto there = target->database->catalogue();
  if (!there) return tell(std::move(there).error().in("--to"));
  std::optional<vault::Point> safety;
  if (!there->empty()) {
    auto cleared = clear(session, args, *store, *target, *there);
    if (!cleared) return tell(cleared.error());
    if (!*cleared) return exit_failed;
    safety = std::move(*cleared);
  }
  const auto& clock = store->opened.desk->world().clock;
  const auto since = clock.steady();
  auto report = fill(session, *store, *point, *target, *there);
  end_bar(session);
  const int code = report ? print_restored(*report, *point, clock.steady() - since)
                          : tell(std::move(report).error().in("restore of " + point->name));
  if (code != exit_done && safety) tell_way_back(args, safety->name);
  return code;
}

}  // namespace

Command restore_command() {
  return {
      "restore",
      "a full restore of a point into another database",
      "POINT",
      1,
      1,
      {{"--env", "ENV", "environment"},
       {"--to", "URI", "the database to restore into; ${NAME} is taken from the environment"},
       {"--overwrite", "",
        "also when it is not empty: a safety point is taken, then its collections are removed"}},
      restore,
      manual_of("restore")};
}

}  // namespace belay::cli
