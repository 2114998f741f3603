// SPDX-License-Identifier: Apache-2.0
// The rule of one check, shared by run_checks, wait_until_ready and watch.
#pragma once

#include "probe/health.hpp"

namespace belay::probe {

// Counts rows of good and bad samples.
struct Row {
  int good = 0, bad = 0;  // in a row, up to now
  void add(bool was_good) {
    good = was_good ? good + 1 : 0;
    bad = was_good ? 0 : bad + 1;
  }
};

// "" or why the check's own numbers can never decide anything.
std::string rule_problem(const pipeline::Check& check);

// Adds a sample to the counts; keeps it as the last.
void record(CheckResult& result, Sample sample);

// The n samples of a percentile check and their order statistic. result.verdict is pass or fail.
CheckResult run_percentile(Prober& prober, Clock& clock, const pipeline::Check& check,
                           const Surroundings& surroundings, const std::stop_token& stop);

// Runs the work on the executor, or here, one after the other.
void run_work(Executor* executor, std::vector<std::function<void()>> work);

}  // namespace belay::probe
