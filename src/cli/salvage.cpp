// SPDX-License-Identifier: Apache-2.0
// belay salvage: the writes that rewinds discarded; look at them, put them back.
#include <fmt/format.h>

#include "app/planner.hpp"
#include "base/text.hpp"
#include "cli/session.hpp"
#include "engine/put_back.hpp"
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

app::ApplyRequest request_of(const Session& session, const Opened& opened, const Args& args) {
  app::ApplyRequest request;
  request.environment = opened.environment;
  request.salvage = args.word(1);
  request.requester = app::who_asks(session.env, opened.desk->project.folder);
  request.added = args.has("--added");
  request.collection = args.get("--collection");
  request.id = args.get("--id");
  return request;
}

// Nothing to put back: no run.
int nothing_to_do(const Session& session, const Json& preview) {
  if (session.json)
    fmt::print("{}\n", canonical(preview));
  else
    fmt::print("Nothing is put back: {}.\n{}", engine::put_back_text(preview),
               left_alone_lines(preview));
  return preview.value("left_alone", 0U) > 0 ? exit_failed : exit_done;
}

bool puts_back(const Json& preview) {
  return preview.value("inserted", 0U) + preview.value("replaced", 0U) +
             preview.value("removed", 0U) >
         0;
}

int apply(Session& session, const Args& args, const Opened& opened) {
  auto plan = app::plan_apply(*opened.desk, request_of(session, opened, args));
  if (!plan) return tell(plan.error());
  const auto& preview = plan->notes["put_back"];
  if (!puts_back(preview)) return nothing_to_do(session, preview);
  if (!session.json)
    fmt::print("{}", plan_for_people(*plan, ""));
  else if (args.has("--dry-run"))
    fmt::print("{}\n", plan_json(*plan));
  if (args.has("--dry-run")) return exit_changes;
  auto agreed =
      agree(session, fmt::format("They become what the rewind found, damage that it mended "
                                 "included, in the live database of {}. Go on?",
                                 opened.environment));
  if (!agreed) return tell(agreed.error(), exit_usage);
  return *agreed ? begin_run(session, *opened.desk, *plan, !args.has("--no-wait")) : exit_failed;
}

int salvage(Session& session, const Args& args) {
  const auto what = args.word(0).empty() ? "list" : args.word(0);
  auto opened = open(session, args);
  if (!opened) return tell(opened.error());
  if (what == "apply" && args.words.size() == 2) return apply(session, args, *opened);
  auto works = app::wire_present(*opened->desk, opened->environment, {true, false});
  if (!works) return tell(works.error());
  if ((*works)->site.vault == nullptr)
    return tell(fail(Fault::invalid, "belay.yaml has no database"), exit_usage);
  if (what == "list") return list(session, *(*works)->site.vault);
  if (what == "show" && args.words.size() == 2)
    return show(session, *(*works)->site.vault, args.word(1));
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
           {"--id", "JSON", "apply: only the document with this _id (Extended JSON)"},
           {"--no-wait", "", "return while approvals (exit 4) or a lock (exit 3) are waited for"},
           {"--dry-run", "", "apply: show the plan and what would be put back"}},
          salvage,
          manual_of("salvage")};
}

}  // namespace belay::cli
