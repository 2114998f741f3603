// SPDX-License-Identifier: Apache-2.0
// How a run ended, as text that could be read out over the telephone: where customers are, what was
// taken back, what stays, and what to type next.
#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/screen.hpp"
#include "engine/put_back.hpp"
#include "pipeline/decide.hpp"

namespace belay::cli {

using engine::Loaded;

namespace {

std::optional<TimePoint> ended(const Loaded& loaded, const std::string& step) {
  const auto* record = loaded.history.record(step);
  return record == nullptr ? std::nullopt : std::optional(record->ended);
}

// Of a way back that took so long, against rollback.budget.
std::string budget_text(const Loaded& loaded, Millis took) {
  const Millis budget(loaded.plan.facts.value("budget_ms", std::int64_t{0}));
  if (budget == Millis(0)) return {};
  return took <= budget ? ", within the budget of " + belay::to_text(budget)
                        : ", OVER THE BUDGET of " + belay::to_text(budget);
}

// Without what was waited for: people and other runs.
std::optional<Millis> way_back_took(const Loaded& loaded) {
  const auto& history = loaded.history;
  if (!history.finished_at) return std::nullopt;
  return *history.finished_at - ended(loaded, "lock").value_or(history.created_at);
}

// From where it was turned round to where it was well again.
std::optional<Millis> came_back_in(const Loaded& loaded) {
  const auto& history = loaded.history;
  if (!history.way_back_at) return std::nullopt;
  TimePoint back = *history.way_back_at;
  for (const char* step : {"back:switch", "back:rewind", "back:lift", "back:check"}) {
    if (const auto at = ended(loaded, step)) back = std::max(back, *at);
  }
  return back - *history.way_back_at;
}

// Times people ask for first: how long until it was noticed, how long until it was well again.
std::string times_back(const Loaded& loaded) {
  const auto took = came_back_in(loaded);
  if (!took) return {};
  std::string out;
  if (const auto switched = ended(loaded, "switch")) {
    out += fmt::format("noticed after {} · ", for_people(*loaded.history.way_back_at - *switched));
  }
  return out + fmt::format("back after {}{}", for_people(*took), budget_text(loaded, *took));
}

// Of the rewind that stands: a rollback that failed has taken its own back.
Json rewind_result(const Loaded& loaded) {
  const char* step = loaded.history.way_back ? "back:rewind" : "rewind";
  return loaded.history.done(step) ? loaded.history.record(step)->result : Json();
}

// ", data as of 14:07:12", with the day where it is another one; nothing when no data went
// back.
std::string data_as_of(const Loaded& loaded) {
  const auto rewind = rewind_result(loaded);
  const auto text = rewind.is_object() ? rewind.value("as_of", std::string()) : std::string();
  const auto at = parse_time(text);
  if (!at) return {};
  const bool today = text.substr(0, 10) == to_text(loaded.history.last_at).substr(0, 10);
  return ", data as of " + (today ? "" : text.substr(0, 10) + " ") + time_of_day(*at);
}

std::string salvage_lines(const Loaded& loaded, const std::string& run) {
  const auto rewind = rewind_result(loaded);
  if (!rewind.is_object() || rewind.value("salvage", std::string()).empty()) return {};
  const auto salvage = rewind["salvage"].get<std::string>();
  return fmt::format(
      "  {} documents reverted, {} taken back, {} brought back; what they were is kept:\n"
      "  look at it:                belay salvage show {}\n"
      "  put writes back:           belay salvage apply {}\n"
      "  the data as it was before: belay rollback --undo {}\n",
      with_commas(rewind.value("reverted", std::uint64_t{0})),
      with_commas(rewind.value("removed", std::uint64_t{0})),
      with_commas(rewind.value("brought_back", std::uint64_t{0})), salvage, salvage, run);
}

// What the way back did with the data: brought it back, or left it as the migration had.
std::string data_lines(const Loaded& loaded, const std::string& run) {
  const auto& history = loaded.history;
  if (!history.begun("migrate") || history.done("back:rewind")) return salvage_lines(loaded, run);
  if (pipeline::nothing_to_take_back(loaded.plan, history))
    return "  the data is as it was before the migration\n";
  std::string out = "  the data stays as the migration left it";
  if (history.done("restore_point"))
    out += "; to bring it back: belay rewind " +
           history.record("restore_point")->result.value("point", "rp-" + run);
  return out + "\n";
}

// Of a salvage.
std::string put_back_ending(const Loaded& loaded, const std::string& took) {
  const auto& result = loaded.history.record("apply")->result;
  return fmt::format("\nPut back from {} ({}).\n  {}\n{}", result.value("salvage", std::string()),
                     took, engine::put_back_text(result), left_alone_lines(result));
}

std::string shipped_text(const Loaded& loaded, const std::string& run) {
  const auto& plan = loaded.plan;
  const auto took = loaded.history.finished_at
                        ? for_people(*loaded.history.finished_at - loaded.history.created_at)
                        : "";
  if (plan.pipeline == "deploy") {
    return fmt::format("\nShipped. Customers are on {} ({}).\n  {}\n", plan.release, took,
                       plan.live.empty() ? "the first release: there is none to go back to"
                                         : "to go back: belay rollback " + plan.live);
  }
  if (loaded.history.done("apply")) return put_back_ending(loaded, took);
  const bool code = plan.pipeline == "rollback" && plan.facts.value("code", false);
  std::string out = fmt::format(
      "\n{}. Customers are on {}{} ({}).\n", code ? "Rolled back" : "Done",
      plan.release.empty() ? "the same release" : plan.release, data_as_of(loaded), took);
  if (const auto back = way_back_took(loaded))
    out += fmt::format("  back {} after the lock was had{}\n", for_people(*back),
                       budget_text(loaded, *back));
  out += salvage_lines(loaded, run);
  if (code)
    out += fmt::format("  to go forward again:       belay rollback {}{}\n", plan.live,
                       rewind_result(loaded).is_null() ? " --code-only" : "");
  return out;
}

// Further lines stand under the first.
std::string indented(const std::string& text) {
  return join(split(trim(text), '\n'), "\n  ");
}

// Services that their own programs made live: where nothing was live before, nothing is known that
// would take them down.
std::vector<std::string> left_up(const Loaded& loaded) {
  std::vector<std::string> names;
  if (!loaded.history.begun("switch") || !loaded.plan.live.empty()) return names;
  for (const auto& step : loaded.plan.steps) {
    const auto* record = loaded.history.record(step.id);
    if (step.kind == "start" && record != nullptr && !record->result.contains("port"))
      names.push_back(step.args.value("service", step.id));
  }
  return names;
}

std::string failed_text(const Loaded& loaded, const std::string& run, const std::string& because) {
  const auto& plan = loaded.plan;
  if (!loaded.history.way_back)
    return fmt::format("\nFailed; nothing was changed{}.\n  {}\n",
                       plan.live.empty() ? "" : ", customers are on " + plan.live, because);
  const auto up = join(left_up(loaded), ", ");
  std::string out = fmt::format("\nFailed, and taken back{}{}.\n  because of {}\n",
                                up.empty() ? ": nothing is live" : ", all but " + up,
                                data_as_of(loaded), because);
  if (!up.empty())
    out += fmt::format(
        "  {} was made live by its own program (activate), and nothing was live before that Belay "
        "could\n  go back to: take it down by hand, or ship a good release\n",
        up);
  return out + data_lines(loaded, run);
}

std::string stopped_text(const Loaded& loaded, const std::string& run) {
  const auto& history = loaded.history;
  if (pipeline::open_question(loaded.plan, history) == nullptr) {
    return fmt::format(
        "\nSTOPPED, a person is needed: {}\n  The run keeps its lock. When the cause is mended: "
        "belay resume {}\n{}",
        *history.stopped, run,
        history.way_back ? ""
                         : fmt::format("  To {}: belay cancel {}\n",
                                       loaded.plan.back.empty() ? "leave it as it is"
                                                                : "take back what it changed",
                                       run));
  }
  std::string out = fmt::format(
      "\nSTOPPED, an answer is needed: {}. Does the data go back too?\n",
      loaded.plan.live.empty() ? "nothing is live" : "customers are on " + loaded.plan.live);
  for (const auto& step : loaded.plan.back) {
    if (step.kind == "preview" && history.done(step.id))
      out += "  " + history.record(step.id)->result.value("summary", std::string()) + "\n";
  }
  return out +
         fmt::format(
             "  yes, what is written since is kept in a salvage: belay resume {} --rewind\n"
             "  no, it stays as it is:                           belay resume {} --keep-data\n"
             "  The run keeps its lock until then.\n",
             run, run);
}

std::string ending_of(const std::string& run, const Loaded& loaded) {
  const auto& history = loaded.history;
  const auto& plan = loaded.plan;
  if (history.stopped) return stopped_text(loaded, run);
  const auto because = indented(history.finished.value("text", std::string()));
  if (history.ending == "done") return shipped_text(loaded, run);
  if (history.ending == "rolled_back") {
    std::string out = fmt::format("\nRolled back. Customers are on {}{}.\n  because of {}\n  {}\n",
                                  plan.live, data_as_of(loaded), because, times_back(loaded));
    return out + data_lines(loaded, run);
  }
  if (history.ending == "failed") return failed_text(loaded, run, because);
  if (history.ending == "superseded")
    return fmt::format("\nSuperseded; nothing was changed.\n  {}\n", because);
  if (history.ending == "refused" || history.ending == "expired")
    return fmt::format("\nNot approved; nothing was changed.\n  {}\n", because);
  if (history.ending == "busy") return fmt::format("\nBusy; nothing was changed.\n  {}\n", because);
  if (history.ending == "cancelled")
    return fmt::format("\nCancelled; {}.\n  {}\n",
                       pipeline::changed(plan, history) ? "what was put back by then stays"
                                                        : "nothing was changed",
                       because);
  return fmt::format("\nRun {} goes on: belay resume {}\n", run, run);
}

}  // namespace

Durations durations_of(const Loaded& loaded) {
  const auto& history = loaded.history;
  Durations out;
  const bool deploy = loaded.plan.pipeline == "deploy";
  if (deploy) {
    const auto until = history.way_back_at ? history.way_back_at : history.finished_at;
    const auto since = ended(loaded, "lock");
    if (until && since) out.deployment = *until - *since;
  }
  if (history.finished_at) out.rollback = deploy ? came_back_in(loaded) : way_back_took(loaded);
  const Millis budget(loaded.plan.facts.value("budget_ms", std::int64_t{0}));
  if (out.rollback && budget > Millis(0)) out.within_budget = *out.rollback <= budget;
  return out;
}

std::string ending_for_people(const std::string& run, const Loaded& loaded) {
  return printable(ending_of(run, loaded), true);
}

}  // namespace belay::cli
