// SPDX-License-Identifier: Apache-2.0
#include "base/counted.hpp"
#include "probe/rule.hpp"

namespace belay::probe {
namespace {

using pipeline::Check;

struct Watched {
  const Check* check = nullptr;
  CheckResult result;
  Row row;
  Millis due{0};  // on the clock's steady time
};

struct Watching {
  Prober& prober;
  Clock& clock;
  const Surroundings& surroundings;
  const Options& options;
  std::vector<Watched> all;
  Millis start{0}, end{0};
};

// One round of a percentile check counts as one sample.
Sample one_round(Watching& watching, const Check& check, const std::stop_token& stop) {
  if (!check.percentile) {
    return take_sample(watching.prober, watching.clock, check, watching.surroundings, stop);
  }
  auto round = run_percentile(watching.prober, watching.clock, check, watching.surroundings, stop);
  auto sample = round.last.value_or(Sample{});
  sample.stopped = stop.stop_requested() && round.verdict != Verdict::pass;
  sample.good = round.verdict == Verdict::pass;
  sample.text = std::move(round.message);
  return sample;
}

bool has_failed(const Watched& one) {
  return !one.check->warn_only && one.row.bad >= one.check->fall;
}

// After the end only those go on that are in a bad row: undecided is not good.
bool wants_more(const Watched& one, bool over) {
  return !over || (one.row.bad > 0 && one.row.bad < one.check->fall && !one.check->warn_only);
}

void take(Watching& watching, Watched& one, std::stop_source& round) {
  auto sample = one_round(watching, *one.check, round.get_token());
  if (sample.stopped) return;
  one.row.add(sample.good);
  record(one.result, std::move(sample));
  one.due = watching.clock.steady() + one.check->interval;
  if (has_failed(one)) round.request_stop();  // the others need not be waited for
}

// Samples everything that is due, side by side.
void run_round(Watching& watching, bool over) {
  std::stop_source round;
  const std::stop_callback stop(watching.options.stop, [&round] { round.request_stop(); });
  const Millis now = watching.clock.steady();
  std::vector<std::function<void()>> work;
  for (auto& one : watching.all) {
    if (!wants_more(one, over) || one.due > now) continue;
    work.emplace_back([&watching, &one, &round] { take(watching, one, round); });
  }
  run_work(watching.options.side_by_side, std::move(work));
}

std::optional<Millis> next_due(const Watching& watching, bool over) {
  std::optional<Millis> next;
  for (const auto& one : watching.all) {
    if (wants_more(one, over) && (!next || one.due < *next)) next = one.due;
  }
  return next;
}

const Watched* failed_one(const Watching& watching) {
  for (const auto& one : watching.all) {
    if (has_failed(one)) return &one;
  }
  return nullptr;
}

// Until a check has failed, or the time is over and nothing is left open.
void go_round(Watching& watching) {
  while (!watching.options.stop.stop_requested()) {
    const Millis now = watching.clock.steady();
    const bool over = now >= watching.end;
    const auto due = next_due(watching, over);
    if (!due) return;
    const Millis until = over ? *due : std::min(*due, watching.end);
    if (until > now && !watching.clock.sleep(until - now, watching.options.stop)) return;
    if (until < *due) continue;  // the end came first
    run_round(watching, over);
    if (failed_one(watching) != nullptr) return;
  }
}

std::string evidence(const Watched& one) {
  const auto& result = one.result;
  return fmt::format(
      "{}: {} ({} good before): {}", result.check,
      one.row.bad == 1 ? "a bad sample" : fmt::format("{} bad samples in a row", one.row.bad),
      result.good > 0 ? fmt::format("{}", result.good) : "none", result.last->text);
}

// What is wrong before, or apart from, any sample.
bool refuse(WatchResult& result, const std::vector<Check>& checks) {
  if (checks.empty()) {
    result.message = "there is no check to watch, so nothing shows that the service is healthy";
    return true;
  }
  for (const auto& check : checks) {
    result.message = rule_problem(check);
    result.check = check.name;
    if (!result.message.empty()) return true;
  }
  result.check.clear();
  return false;
}

void conclude(WatchResult& result, const Watching& watching) {
  if (const auto* failed = failed_one(watching)) {
    result.check = failed->result.check;
    result.message = evidence(*failed);
    return;
  }
  if (watching.options.stop.stop_requested()) {
    result.stopped = true;
    result.message = "stopped after " + for_people(result.since_start);
    return;
  }
  int samples = 0;
  for (const auto& one : watching.all) {
    samples += one.result.attempts;
    if (one.result.attempts > 0) continue;
    result.check = one.result.check;
    result.message = one.result.check + ": not a single sample was taken";
    return;
  }
  result.good = true;
  result.message =
      fmt::format("{} of {} in {}", counted(static_cast<std::uint64_t>(samples), "sample"),
                  counted(watching.all.size(), "check"), for_people(result.since_start));
}

CheckResult finished(Watched&& one) {
  const bool bad = one.result.attempts == 0 || one.row.bad >= one.check->fall;
  one.result.verdict = !bad                   ? Verdict::pass
                       : one.check->warn_only ? Verdict::warning
                                              : Verdict::fail;
  if (one.result.last) one.result.message = one.result.last->text;
  return std::move(one.result);
}

}  // namespace

WatchResult watch(Prober& prober, Clock& clock, const std::vector<Check>& checks,
                  const Surroundings& surroundings, Millis duration, const Options& options) {
  WatchResult result;
  if (refuse(result, checks)) return result;
  const Millis start = clock.steady();
  Watching watching{prober, clock, surroundings, options, {}, start, start + duration};
  for (const auto& check : checks) {
    Watched one;
    one.check = &check;
    one.result.check = check.name;
    one.due = start;
    watching.all.push_back(std::move(one));
  }
  go_round(watching);
  result.since_start = clock.steady() - start;
  conclude(result, watching);
  for (auto& one : watching.all) {
    one.result.duration = result.since_start;
    result.checks.push_back(finished(std::move(one)));
  }
  return result;
}

}  // namespace belay::probe
