// SPDX-License-Identifier: Apache-2.0
#include "cli/store.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace belay::cli {

namespace {

Result<std::unique_ptr<app::Works>> wire_store(const Opened& opened) {
  TRY_LET(auto works, app::wire_present(*opened.desk, opened.environment, {true, false}));
  if (works->site.database == nullptr) return fail(Fault::invalid, "belay.yaml has no database");
  return works;
}

}  // namespace

Result<Store> open_store(Session& session, const Args& args) {
  Store store;
  TRY_LET(store.opened, open(session, args));
  TRY_LET(store.works, wire_store(store.opened));
  return store;
}

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

std::string instant_for_people(const vault::Point& point) {
  return point.exact ? "exact at " + to_text(vault::instant_of(point))
                     : "FUZZY (" + point.method + ")";
}

}  // namespace belay::cli
