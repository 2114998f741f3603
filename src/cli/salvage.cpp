// SPDX-License-Identifier: Apache-2.0
// belay salvage: the writes that rewinds discarded; look at them, put them back.
#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/session.hpp"
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
                                    {"documents", one.documents}}));
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

int put_back(app::Works& works, const std::string& name) {
  auto report = vault::apply_salvage(*works.site.database, *works.site.vault, name, {});
  if (!report) return tell(report.error());
  fmt::print("{} documents put back\n", with_commas(report->applied));
  for (const auto& conflict : report->conflicts) fmt::print("left alone: {}\n", conflict);
  return report->conflicts.empty() ? exit_done : exit_failed;
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
  if (what == "apply" && args.words.size() == 2) return put_back(**works, args.word(1));
  return tell(fail(Fault::invalid, "belay salvage knows: list, show NAME, apply NAME"), exit_usage);
}

}  // namespace

Command salvage_command() {
  return {"salvage",
          "writes that a rewind discarded: list, show, apply",
          "[list|show|apply] [NAME]",
          0,
          2,
          {{"--env", "ENV", "environment"}},
          salvage,
          manual_of("salvage")};
}

}  // namespace belay::cli
