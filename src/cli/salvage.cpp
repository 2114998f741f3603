// SPDX-License-Identifier: Apache-2.0
// belay salvage: the writes that rewinds discarded; look at them, put them back.
#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/session.hpp"
#include "engine/points.hpp"
#include "vault/rewind.hpp"

namespace belay::cli {

namespace {

int list(Session& session, vault::Vault& vault) {
  auto all = vault::list_salvages(vault);
  if (!all) return tell(all.error());
  for (const auto& one : *all) {
    if (session.json) {
      fmt::print("{}\n", canonical({{"name", one.name},
                                    {"point", one.point},
                                    {"run", one.run},
                                    {"at", to_text(one.at)},
                                    {"documents", one.documents},
                                    {"damaged", one.damaged}}));
    } else if (!one.damaged.empty()) {
      fmt::print("{:<24} DAMAGED: {}\n", one.name, one.damaged);
    } else {
      fmt::print("{:<24} {}  {:>10} documents  run {}  back to {}\n", one.name,
                 to_text(one.at).substr(0, 19), with_commas(one.documents), one.run, one.point);
    }
  }
  if (all->empty() && !session.json) fmt::print("no salvages: no rewind has discarded anything\n");
  return exit_done;
}

int show(Session& session, vault::Vault& vault, const std::string& name) {
  auto done = vault::read_salvage(
      vault, name,
      [&](const database::Namespace& ns, const database::Bson& id,
          const std::optional<database::Bson>& live) -> Status {
        const auto limit = session.json ? std::size_t{1} << 24 : std::size_t{200};
        fmt::print("{} {}\n", ns.text(),
                   live ? database::to_json(*live, limit) : database::to_json(id) + " was absent");
        return {};
      });
  return done ? exit_done : tell(done.error());
}

Result<vault::ApplyChoice> choice_of(const Args& args) {
  vault::ApplyChoice choice;
  choice.added = args.has("--added");
  choice.collection = args.get("--collection");
  if (args.get("--id").empty()) return choice;
  auto id = database::from_json(fmt::format("{{\"_id\": {}}}", args.get("--id")));
  if (!id)
    return fail(Fault::invalid,
                "--id takes a value in Extended JSON: --id 5, --id '\"x\"', --id "
                "'{\"$oid\": \"0123456789abcdef01234567\"}'");
  choice.id = std::move(*id);
  return choice;
}

// A run that deploys or goes back knows what is in the database, and would not see this coming.
Status nobody_holds(const Opened& opened) {
  TRY_LET(const auto locks, opened.desk->journal->locks());
  for (const auto& lock : locks) {
    if (lock.environment != opened.environment) continue;
    return fail(Fault::busy,
                fmt::format("run {} holds {}: wait for it, or belay cancel {}; then apply the "
                            "salvage",
                            lock.run, opened.environment, lock.run));
  }
  return {};
}

void print_report(const vault::ApplyReport& report, const char* verb) {
  fmt::print("{}: {} documents put back, {} replaced, {} removed\n", verb,
             with_commas(report.inserted), with_commas(report.replaced),
             with_commas(report.removed));
  for (const auto& conflict : report.conflicts) fmt::print("left alone: {}\n", conflict);
}

Result<int> put_back(Session& session, const Opened& opened, app::Works& works,
                     const std::string& name, const vault::ApplyChoice& choice) {
  TRY(nobody_holds(opened));
  TRY(engine::salvage_meant(works.site, {{"undo", name}}, ""));
  auto& database = *works.site.database;
  TRY_LET(const auto preview, vault::preview_apply(database, *works.site.vault, name, choice, {}));
  print_report(preview, "would be");
  const int ending = preview.conflicts.empty() ? exit_done : exit_failed;
  if (preview.applied() == 0) return ending;
  TRY_LET(const bool agreed,
          agree(session,
                fmt::format("They become what the rewind found, damage that it mended included, "
                            "in the live database of {}. Go on?",
                            opened.environment)));
  if (!agreed) return static_cast<int>(exit_failed);
  TRY(nobody_holds(opened));
  TRY_LET(const auto report, vault::apply_salvage(database, *works.site.vault, name, choice, {}));
  print_report(report, "done");
  return static_cast<int>(report.conflicts.empty() ? exit_done : exit_failed);
}

int apply(Session& session, const Args& args, const Opened& opened, app::Works& works) {
  auto choice = choice_of(args);
  if (!choice) return tell(choice.error(), exit_usage);
  auto done = put_back(session, opened, works, args.word(1), *choice);
  return done ? *done : tell(done.error(), exit_for(done.error()));
}

int salvage(Session& session, const Args& args) {
  const auto what = args.word(0).empty() ? "list" : args.word(0);
  auto opened = open(session, args);
  if (!opened) return tell(opened.error());
  auto works = app::wire_present(*opened->desk, opened->environment, {true, false});
  if (!works) return tell(works.error());
  if ((*works)->site.vault == nullptr)
    return tell(fail(Fault::invalid, "belay.yaml has no database"), exit_usage);
  if (what == "list") return list(session, *(*works)->site.vault);
  if (what == "show" && args.words.size() == 2)
    return show(session, *(*works)->site.vault, args.word(1));
  if (what == "apply" && args.words.size() == 2) return apply(session, args, *opened, **works);
  return tell(fail(Fault::invalid, "belay salvage knows: list, show NAME, apply NAME"), exit_usage);
}

}  // namespace

Command salvage_command() {
  return {"salvage",
          "writes that a rewind discarded: list, show, apply",
          "[list|show|apply] [NAME]",
          0,
          2,
          {{"--env", "ENV", "environment"},
           {"--added", "", "apply: only documents that the restore point did not have"},
           {"--collection", "NS", "apply: only of this collection (shop.orders)"},
           {"--id", "JSON", "apply: only the document with this _id (Extended JSON)"}},
          salvage,
          manual_of("salvage")};
}

}  // namespace belay::cli
