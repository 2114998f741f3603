// SPDX-License-Identifier: Apache-2.0
#include "cli/store.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/layout.hpp"
#include "cli/screen.hpp"

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
  const auto width = static_cast<std::size_t>(session.terminal.width);
  return [width, what = std::string(), since = Millis(0), first = std::uint64_t{0},
          drawn = Millis(0), clock = SystemClock()](const vault::Progress& p) mutable {
    const auto now = clock.steady();
    if (p.what != what) {
      what = p.what;
      since = now;
      first = p.done;
    }
    if (now - drawn < Millis(100)) return;
    drawn = now;
    const auto took = static_cast<double>((now - since).count());
    const double rate = took > 0 ? static_cast<double>(p.done - first) * 1000.0 / took : 0;
    const auto text = progress_text({p.what, p.done, p.total, "documents"}, rate);
    put("\r\x1b[K " + wrapped(text, width - 2).front());
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
