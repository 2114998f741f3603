// SPDX-License-Identifier: Apache-2.0
// belay backup: restore points made, listed, shown, verified, pruned by hand.
#include "vault/backup.hpp"

#include <fmt/format.h>

#include "app/planner.hpp"
#include "base/text.hpp"
#include "cli/session.hpp"

namespace belay::cli {

namespace {

struct Store {
  Opened opened;
  std::unique_ptr<app::Works> works;
  vault::Vault& vault() const { return *works->site.vault; }
};

Result<std::unique_ptr<app::Works>> wire_store(const Opened& opened) {
  TRY_LET(auto works, app::wire_present(*opened.desk, opened.environment, {true, false}));
  if (works->site.database == nullptr) return fail(Fault::invalid, "belay.yaml has no database");
  return works;
}

Result<Store> open_store(Session& session, const Args& args) {
  Store store;
  TRY_LET(store.opened, open(session, args));
  TRY_LET(store.works, wire_store(store.opened));
  return store;
}

// A restore point is about to be taken: a new vault gets its key.
Result<Store> open_store_to_write(Session& session, const Args& args) {
  TRY_LET(auto store, open_store(session, args));
  if (!store.works->vault_absent) return store;
  const auto& project = store.opened.desk->project;
  TRY_LET(auto fresh, app::make_vault_key(*store.opened.desk, project.spec,
                                          store.opened.environment, project.folder.string())
                          .in("vault.key"));
  if (fresh) show_fresh_key(*fresh);
  TRY_LET(store.works, wire_store(store.opened));
  return store;
}

vault::OnProgress bar(const Session& session) {
  if (!session.terminal.tty || session.json) return {};
  return [last = Millis(0), clock = SystemClock()](const vault::Progress& p) mutable {
    if (clock.steady() - last < Millis(100)) return;
    last = clock.steady();
    fmt::print("\r\x1b[K {} {}{} documents", p.what, with_commas(p.done),
               p.total > 0 ? " of " + with_commas(p.total) : "");
    std::fflush(stdout);
  };
}

void end_bar(const Session& session) {
  if (session.terminal.tty && !session.json) fmt::print("\r\x1b[K");
}

// The file that such teams' scripts read beside their dumps.
Status write_metadata(const Session& session, const app::Desk& desk, const vault::Point& point) {
  const auto get = [&](const char* name) {
    const auto at = session.env.find(name);
    return at == session.env.end() ? std::string() : at->second;
  };
  Json facts = vault::metadata(point);
  facts["triggered_by"] = app::who_asks(session.env, desk.project.folder).name;
  facts["github_run_id"] = get("GITHUB_RUN_ID");
  facts["github_sha"] = get("GITHUB_SHA");
  TRY(make_folder(desk.project.places.backups()));
  return write_file(desk.project.places.backups() / (point.name + "-metadata.json"),
                    facts.dump(2) + "\n");
}

int create(Session& session, const Args& args) {
  auto store = open_store_to_write(session, args);
  if (!store) return tell(store.error());
  auto& desk = *store->opened.desk;
  auto head = desk.journal->head();
  if (!head) return tell(head.error());
  vault::BackupRequest request;
  request.name =
      args.word(1).empty() ? "rp-" + to_tag_stamp(desk.world().clock.now()) : args.word(1);
  request.kind = "manual";
  request.project = desk.project.spec.project;
  request.environment = store->opened.environment;
  request.journal_head = fmt::format("{}:{}", head->first, head->second);
  auto point = vault::take_restore_point(*store->works->site.database, store->vault(), request,
                                         desk.world().clock, bar(session), {});
  end_bar(session);
  if (!point) return tell(point.error());
  if (auto written = write_metadata(session, desk, *point); !written) return tell(written.error());
  if (session.json) {
    fmt::print("{}\n", canonical(vault::metadata(*point)));
    return exit_done;
  }
  fmt::print(
      "{} {}: {} documents, {} ({} stored), verified\n  to go back to it: belay rewind {}\n",
      point->name,
      point->exact ? "exact at " + to_text(point->finished) : "FUZZY (" + point->method + ")",
      with_commas(point->documents), bytes_for_people(point->bytes),
      bytes_for_people(point->stored_bytes), point->name);
  return exit_done;
}

int list(Session& session, const Args& args) {
  auto store = open_store(session, args);
  if (!store) return tell(store.error());
  auto points = store->vault().list();
  if (!points) return tell(points.error());
  for (const auto& one : *points) {
    if (session.json) {
      fmt::print("{}\n", canonical({{"name", one.name},
                                    {"kind", one.kind},
                                    {"run", one.run},
                                    {"finished", to_text(one.finished)},
                                    {"exact", one.exact},
                                    {"method", one.method},
                                    {"documents", one.documents},
                                    {"bytes", one.bytes},
                                    {"stored_bytes", one.stored_bytes}}));
      continue;
    }
    fmt::print("{:<24} {}  {:<8} {:>12} documents {:>9}  {}\n", one.name,
               to_text(one.finished).substr(0, 19), one.kind, with_commas(one.documents),
               bytes_for_people(one.bytes), one.exact ? "exact" : "FUZZY: " + one.method);
  }
  if (points->empty() && !session.json)
    fmt::print("no restore points in {}; take one: belay backup create\n", store->vault().where());
  return exit_done;
}

int show_point(Session& session, const Args& args) {
  auto store = open_store(session, args);
  if (!store) return tell(store.error());
  auto point = store->vault().load(args.word(1));
  if (!point) return tell(point.error());
  if (session.json) {
    fmt::print("{}\n", canonical(vault::metadata(*point)));
    return exit_done;
  }
  fmt::print("{}  {}  run {}\n  {} at {} by {} (MongoDB {})\n", point->name, point->kind,
             point->run.empty() ? "-" : point->run, point->exact ? "exact" : "FUZZY",
             to_text(point->finished), point->method, point->server.version);
  for (const auto& one : point->collections) {
    fmt::print("  {:<32} {:>12} documents {:>9}  {} indexes\n", one.facts.ns.text(),
               with_commas(one.documents), bytes_for_people(one.bytes), one.facts.indexes.size());
  }
  return exit_done;
}

int verify(Session& session, const Args& args) {
  auto store = open_store(session, args);
  if (!store) return tell(store.error());
  std::vector<std::string> names{args.word(1)};
  if (names.front().empty()) {
    names.clear();
    auto points = store->vault().list();
    if (!points) return tell(points.error());
    for (const auto& one : *points) names.push_back(one.name);
  }
  bool good = true;
  for (const auto& name : names) {
    auto report = store->vault().verify(name, bar(session), {});
    end_bar(session);
    if (!report) return tell(std::move(report).error().in(name));
    for (const auto& problem : report->problems) fmt::print("✗ {}: {}\n", name, problem);
    good = good && report->problems.empty();
    fmt::print("{} {}: {} documents in {} blocks read, {}\n", report->problems.empty() ? "✓" : "✗",
               name, with_commas(report->documents), with_commas(report->blocks),
               bytes_for_people(report->bytes));
  }
  return good ? exit_done : exit_failed;
}

int prune(Session& session, const Args& args) {
  auto store = open_store(session, args);
  if (!store) return tell(store.error());
  auto freed = store->vault().prune();
  if (!freed) return tell(freed.error());
  fmt::print("{} freed\n", bytes_for_people(*freed));
  return exit_done;
}

int backup(Session& session, const Args& args) {
  const auto what = args.word(0);
  if (what == "create") return create(session, args);
  if (what == "list" || what.empty()) return list(session, args);
  if (what == "show" && args.words.size() == 2) return show_point(session, args);
  if (what == "verify") return verify(session, args);
  if (what == "prune") return prune(session, args);
  return tell(fail(Fault::invalid,
                   "belay backup knows: create [NAME], list, show POINT, verify [POINT], prune"),
              exit_usage);
}

// A database that is not empty is never written over by accident: its name is asked for, and a
// safety point of it is taken first.
Result<bool> may_overwrite(Session& session, const Args& args, Store& store,
                           database::Database& into, const database::Catalogue& there,
                           const std::string& name) {
  std::vector<std::string> names;
  for (const auto& one : there) names.push_back(one.ns.text());
  if (!args.has("--overwrite")) {
    return fail(
        Fault::refused,
        fmt::format(
            "the database {} is not empty ({}); restore into an empty one, or add --overwrite",
            name, join(names, ", ").substr(0, 200)));
  }
  TRY_LET(bool agreed,
          agree(session,
                fmt::format(
                    "{} holds {} collections, which are removed after a safety point. Its name?",
                    name, there.size()),
                name));
  if (!agreed) return false;
  vault::BackupRequest request;
  request.name = "safety-" + to_tag_stamp(store.opened.desk->world().clock.now());
  request.kind = "safety";
  request.project = store.opened.desk->project.spec.project;
  request.environment = store.opened.environment;
  TRY_LET(auto point, vault::take_restore_point(into, store.vault(), request,
                                                store.opened.desk->world().clock, {}, {}));
  fmt::print("safety point {}: {} documents\n", point.name, with_commas(point.documents));
  for (const auto& one : there) TRY(into.drop(one.ns));
  return true;
}

int print_restored(const vault::RestoreReport& report, const vault::Point& point, Millis took) {
  for (const auto& lost : report.not_restored) {
    fmt::print(stderr, "NOT RESTORED {} {}: {}\n", lost.ns.text(), database::to_json(lost.id),
               lost.reason);
  }
  fmt::print("{}: {} documents, {} collections, {} indexes restored in {}\n", point.name,
             with_commas(report.documents), report.collections, report.indexes, for_people(took));
  if (report.complete()) return exit_done;
  fmt::print(stderr, "{} documents were not restored.\n", with_commas(report.not_restored_count));
  return exit_failed;
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
  auto into = database::make_mongodb({*uri, {}});
  if (!into) return tell(std::move(into).error().in("--to"));
  auto there = (*into)->catalogue();
  if (!there) return tell(std::move(there).error().in("--to"));
  const auto target = app::database_in(uri->reveal());
  std::optional<std::pair<std::string, std::string>> rename;
  if (point->databases.size() == 1 && !target.empty() && target != point->databases.front())
    rename.emplace(point->databases.front(), target);
  if (!there->empty()) {
    auto may = may_overwrite(session, args, *store, **into, *there, target);
    if (!may) return tell(may.error());
    if (!*may) return exit_failed;
  }
  auto& clock = store->opened.desk->world().clock;
  const auto since = clock.steady();
  auto report = vault::restore(store->vault(), *point, **into, rename, bar(session), {});
  end_bar(session);
  if (!report) return tell(std::move(report).error().in("restore of " + point->name));
  return print_restored(*report, *point, clock.steady() - since);
}

}  // namespace

Command backup_command() {
  return {"backup",
          "restore points: create, list, show, verify, prune",
          "[create|list|show|verify|prune] [POINT]",
          0,
          2,
          {{"--env", "ENV", "environment"}},
          backup,
          manual_of("backup")};
}

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
