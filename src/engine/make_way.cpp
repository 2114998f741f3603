// SPDX-License-Identifier: Apache-2.0
#include "engine/make_way.hpp"

#include <fmt/format.h>

#include <charconv>

#include "engine/loaded.hpp"

namespace belay::engine {

namespace {

// Judged on the history that the event is appended to: a run that went on meanwhile is not asked.
using StillRight = std::function<bool(const Loaded&)>;

Status ask(journal::Journal& journal, const std::string& run, const Json& body,
           const StillRight& still_right) {
  auto asked = append_event(journal, run, make_event("cancel.requested", body),
                            [&](const Loaded& loaded) -> Status {
                              if (still_right(loaded)) return {};
                              return fail(Fault::refused, "run " + run + " went on meanwhile");
                            });
  if (!asked && asked.error().fault != Fault::refused) return asked;
  return {};
}

bool can_be_stopped(const Loaded& loaded) {
  const auto& history = loaded.history;
  return history.ending.empty() && !history.cancelled && !history.way_back;
}

bool waits_at_the_lock(const Loaded& loaded) {
  const auto* lock = loaded.plan.first_of("lock");
  return can_be_stopped(loaded) && lock != nullptr && !loaded.history.locked &&
         std::all_of(lock->after.begin(), lock->after.end(),
                     [&](const auto& id) { return loaded.history.done(id); });
}

std::int64_t number_of(const std::string& run) {
  std::int64_t number = 0;
  std::from_chars(run.data(), run.data() + run.size(), number);
  return number;
}

}  // namespace

Result<std::optional<std::string>> ask_deploy_to_stop(journal::Journal& journal,
                                                      const std::string& environment,
                                                      const std::string& because) {
  TRY_LET(auto locks, journal.locks());
  for (const auto& lock : locks) {
    if (lock.environment != environment) continue;
    TRY_LET(auto holder, load_run(journal, lock.run));
    if (holder.plan.pipeline != "deploy") break;
    TRY(ask(journal, lock.run, {{"because", because}}, can_be_stopped));
    return std::optional(lock.run);
  }
  return std::optional<std::string>();
}

Status supersede_waiting(journal::Journal& journal, const std::string& environment,
                         const std::string& run) {
  TRY_LET(auto rows, journal.open_runs());
  for (const auto& row : rows) {
    const bool older = number_of(row.run) < number_of(run);
    if (row.environment != environment || row.pipeline != "deploy" || !older) continue;
    TRY(ask(journal, row.run,
            {{"because", fmt::format("run {} is newer (busy: supersede)", run)},
             {"superseded_by", run}},
            waits_at_the_lock));
  }
  return {};
}

}  // namespace belay::engine
