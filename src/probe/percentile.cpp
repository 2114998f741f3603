// SPDX-License-Identifier: Apache-2.0
#include "probe/rule.hpp"

namespace belay::probe {
namespace {

double seconds(const Sample& sample) {
  if (sample.phases) return sample.phases->total;
  return std::chrono::duration<double>(sample.took).count();
}

// Nearest rank: the smallest value that at least rank % of the samples do not exceed.
double order_statistic(std::vector<double> times, int rank) {
  std::sort(times.begin(), times.end());
  const auto count = static_cast<std::size_t>(times.size());
  const auto place = (count * static_cast<std::size_t>(rank) + 99) / 100;
  return times[std::max<std::size_t>(place, 1) - 1];
}

}  // namespace

// One request after the other without waits: twenty samples must not take twenty seconds.
CheckResult run_percentile(Prober& prober, Clock& clock, const pipeline::Check& check,
                           const Surroundings& surroundings, const std::stop_token& stop) {
  const auto& rule = *check.percentile;
  CheckResult result;
  std::vector<double> times;
  while (result.attempts < rule.samples && !stop.stop_requested()) {
    auto sample = take_sample(prober, clock, check, surroundings, stop);
    if (sample.stopped) break;
    times.push_back(seconds(sample));
    const bool good = sample.good;
    record(result, std::move(sample));
    if (good) continue;
    // A failing request is infinitely slow, and all samples have to be good: decided.
    result.message =
        fmt::format("sample {} of {} failed: {}", result.attempts, rule.samples, result.last->text);
    return result;
  }
  if (result.attempts < rule.samples) {
    result.message = fmt::format("stopped after {} of {} samples", result.attempts, rule.samples);
    return result;
  }
  const double value = order_statistic(std::move(times), rule.rank);
  const double limit = std::chrono::duration<double>(rule.limit).count();
  result.percentile = value;
  result.verdict = value < limit ? Verdict::pass : Verdict::fail;
  result.message =
      fmt::format("p{} of {} samples is {:.0f} ms, {} {}", rule.rank, rule.samples, value * 1000,
                  value < limit ? "under" : "not under", to_text(rule.limit));
  if (rule.samples * (100 - rule.rank) < 100) result.message += " (the slowest sample)";
  return result;
}

}  // namespace belay::probe
