// SPDX-License-Identifier: Apache-2.0
// belay backup: restore points made, listed, shown, verified, pruned, handed on by hand.
#include <fmt/format.h>

#include "app/backup_file.hpp"
#include "app/planner.hpp"
#include "base/text.hpp"
#include "cli/job_report.hpp"
#include "cli/store.hpp"
#include "engine/points.hpp"

namespace belay::cli {

namespace {

Result<vault::Point> take(const Session& session, const Store& store, const std::string& name) {
  const auto& desk = *store.opened.desk;
  const auto& site = store.works->site;
  vault::BackupRequest request;
  request.name = name.empty() ? "rp-" + to_tag_stamp(desk.world().clock.now()) : name;
  request.kind = "manual";
  request.project = desk.project.spec.project;
  request.environment = store.opened.environment;
  request.by = app::who_asks(session.env, desk.project.folder).name;
  request.databases = site.database_names;
  TRY_LET(request.journal_head, engine::anchor_of(*desk.journal));
  return engine::take_verified_point(site, *site.database, request, bar(session), {});
}

Outputs outputs_of(const vault::Point& point, const Path& folder) {
  const auto facts = vault::metadata(point);
  return {{"backup_file", (folder / (point.name + "-metadata.json")).string()},
          {"backup_hash", facts.value("backup_hash_sha256", std::string())},
          {"backup_name", point.name},
          {"backup_size", std::to_string(point.bytes)}};
}

int create(Session& session, const Args& args) {
  auto store = open_store_to_write(session, args);
  if (!store) return tell(store.error());
  auto point = take(session, *store, args.word(1));
  end_bar(session);
  if (!point) return tell(point.error());
  auto written = vault::write_metadata(store->works->site.backups, *point);
  if (!written)
    return tell(
        std::move(written).error().in(point->name + " is there, but not its metadata file"));
  if (session.job != nullptr) tell(*session.job, outputs_of(*point, store->works->site.backups));
  if (session.json) {
    fmt::print("{}\n", canonical(vault::metadata(*point)));
    return exit_done;
  }
  fmt::print("{} {}: {} documents, {} ({} stored), verified\n  to go back to it: belay rewind {}\n",
             point->name, instant_for_people(*point), with_commas(point->documents),
             bytes_for_people(point->bytes), bytes_for_people(point->stored_bytes), point->name);
  return exit_done;
}

Outputs outputs_of(const app::BackupFile& file) {
  return {{"backup_file", file.path.string()},
          {"backup_hash", file.sha256},
          {"backup_name", file.point.name},
          {"backup_size", std::to_string(file.bytes)}};
}

int export_point(Session& session, const Args& args) {
  auto store = open_store(session, args);
  if (!store) return tell(store.error());
  std::error_code code;
  const auto folder = std::filesystem::absolute(args.get("--to", "."), code).lexically_normal();
  auto file = app::export_backup(*store->opened.desk, *store->works, args.word(1), folder,
                                 bar(session), {});
  end_bar(session);
  if (!file) return tell(file.error());
  if (session.job != nullptr) tell(*session.job, outputs_of(*file));
  if (session.json) {
    fmt::print("{}\n", canonical({{"file", file->path.string()},
                                  {"sha256", file->sha256},
                                  {"bytes", file->bytes},
                                  {"point", file->point.name}}));
    return exit_done;
  }
  fmt::print(
      "{}\n  {} of {}, {} documents, {}; sealed with the vault's key, read back\n  SHA-256 {}\n",
      file->path.string(), file->point.name, instant_for_people(file->point),
      with_commas(file->point.documents), bytes_for_people(file->bytes), file->sha256);
  return exit_done;
}

Result<vault::Point> take_in(const Session& session, const Store& store, const Args& args) {
  auto& desk = *store.opened.desk;
  if (!args.has("--github"))
    return app::import_backup(desk, *store.works, args.word(1), args.get("--sha256"), bar(session),
                              {});
  if (!args.get("--sha256").empty())
    return fail(Fault::invalid, "--sha256 is of a file: GitHub says that of its artifacts itself");
  TRY_LET(auto fetched, app::fetch_backup(desk, *store.works, args.word(1), bar(session), {}));
  return std::move(fetched.point);
}

int import_point(Session& session, const Args& args) {
  auto store = open_store(session, args);
  if (!store) return tell(store.error());
  auto point = take_in(session, *store, args);
  end_bar(session);
  if (!point) return tell(point.error());
  if (session.json) {
    fmt::print("{}\n", canonical(vault::metadata(*point)));
    return exit_done;
  }
  fmt::print("{} is in {}, whole: {}, {} documents\n  to go back to it: belay rewind {}\n",
             point->name, store->vault().where(), instant_for_people(*point),
             with_commas(point->documents), point->name);
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
                                    {"environment", one.environment},
                                    {"instant", to_text(one.instant)},
                                    {"finished", to_text(one.finished)},
                                    {"exact", one.exact},
                                    {"method", one.method},
                                    {"documents", one.documents},
                                    {"bytes", one.bytes},
                                    {"stored_bytes", one.stored_bytes}}));
      continue;
    }
    fmt::print("{:<24} {}  {:<8} {:>12} documents {:>9}  {}\n", one.name,
               to_text(one.instant).substr(0, 19), one.kind, with_commas(one.documents),
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
  fmt::print("{}  {}  {} of {}  run {}\n  {} at {} by {} (MongoDB {})\n", point->name, point->kind,
             point->environment.empty() ? "no environment" : point->environment, point->project,
             point->run.empty() ? "-" : point->run, point->exact ? "exact" : "FUZZY",
             to_text(vault::instant_of(*point)), point->method, point->server.version);
  for (const auto& one : point->collections) {
    fmt::print("  {:<32} {:>12} documents {:>9}  {} indexes\n", one.facts.ns.text(),
               with_commas(one.documents), bytes_for_people(one.bytes), one.facts.indexes.size());
  }
  return exit_done;
}

// A damaged one hides no other.
bool verify_one(const Session& session, const Store& store, const std::string& name) {
  auto report = store.vault().verify(name, bar(session), {});
  end_bar(session);
  if (!report) {
    fmt::print("✗ {}: {}\n", name, report.error().message());
    return false;
  }
  for (const auto& problem : report->problems) fmt::print("✗ {}: {}\n", name, problem);
  fmt::print("{} {}: {} documents in {} blocks read, {}\n", report->problems.empty() ? "✓" : "✗",
             name, with_commas(report->documents), with_commas(report->blocks),
             bytes_for_people(report->bytes));
  return report->problems.empty();
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
  } else if (auto there = store->vault().load(names.front());
             !there && there.error().fault == Fault::missing) {
    return tell(there.error());
  }
  bool good = true;
  for (const auto& name : names) good = verify_one(session, *store, name) && good;
  return good ? exit_done : exit_failed;
}

int prune(Session& session, const Args& args) {
  auto store = open_store(session, args);
  if (!store) return tell(store.error());
  auto freed = store->vault().prune();
  if (!freed) return tell(freed.error());
  fmt::print("{} freed\n", bytes_for_people(freed->bytes));
  if (freed->until)
    fmt::print("{} that nothing needs either stays: the store locks it, the last of it until {}\n",
               bytes_for_people(freed->locked), to_text(*freed->until));
  return exit_done;
}

int backup(Session& session, const Args& args) {
  const auto what = args.word(0);
  if (what == "create") return create(session, args);
  if (what == "list" || what.empty()) return list(session, args);
  if (what == "show" && args.words.size() == 2) return show_point(session, args);
  if (what == "verify") return verify(session, args);
  if (what == "prune") return prune(session, args);
  if (what == "export" && args.words.size() == 2) return export_point(session, args);
  if (what == "import" && args.words.size() == 2) return import_point(session, args);
  return tell(fail(Fault::invalid,
                   "belay backup knows: create [NAME], list, show POINT, verify [POINT], prune, "
                   "export POINT, import FILE"),
              exit_usage);
}

}  // namespace

Command backup_command() {
  return {"backup",
          "restore points: create, list, show, verify, prune, export, import",
          "[create|list|show|verify|prune|export|import] [POINT|FILE]",
          0,
          2,
          {{"--env", "ENV", "environment"},
           {"--to", "FOLDER", "export: where the file goes; else here"},
           {"--sha256", "HEX", "import: what the file must have, or nothing of it is used"},
           {"--github", "", "import: FILE is what a workflow left at GitHub, by that name"}},
          backup,
          manual_of("backup")};
}

}  // namespace belay::cli
