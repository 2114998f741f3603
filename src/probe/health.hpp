// SPDX-License-Identifier: Apache-2.0
// What samples mean over time. A check passes after `rise` good samples in a row and fails after
// `fall` bad ones in a row; a percentile check needs every one of its samples, all good. What was
// not seen is never a pass: no samples, no checks, a stop in the middle, a rule that cannot be
// decided are failures that say so. Nothing is left behind; every call may be repeated.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/world.hpp"
#include "pipeline/spec.hpp"
#include "probe/sample.hpp"

namespace belay::probe {

// Where a service is to be asked.
struct Place {
  std::string base_url;         // "http://127.0.0.1:8080"
  std::string connect_to = {};  // as in HttpRequest
};

// What the checks need of the rest of the house.
struct Surroundings {
  std::function<Result<Place>(const std::string& service)> resolve = {};
  // The database's answers, each within `timeout`.
  std::function<Status(Millis timeout)> ping = {};
  // How many documents match {collection, filter}; counting may end at at_least.
  std::function<Result<std::uint64_t>(const Json& query, Millis timeout)> matching = {};
  std::map<std::string, std::string> command_env = {};
};

struct Options {
  Executor* side_by_side = nullptr;  // none: one after the other
  std::stop_token stop = {};
  Json environment = Json::object();  // goes into the report as it is
};

enum class Verdict { pass, fail, warning };
const char* to_string(Verdict verdict);  // "PASS", "FAIL", "WARNING"

struct CheckResult {
  std::string check;
  Verdict verdict = Verdict::fail;
  std::string message;
  Millis duration{0};                   // of the whole check, waits included
  int attempts = 0, good = 0, bad = 0;  // samples
  std::optional<double> percentile;     // seconds, when the check is one
  std::optional<Sample> last;           // the sample that decided
};

struct HealthReport {
  TimePoint timestamp{};
  Json environment = Json::object();
  std::vector<CheckResult> checks;  // in the order of the file
  std::string message;              // set when there was nothing to check, or it was stopped

  int count(Verdict verdict) const;
  // "HEALTHY", "DEGRADED" (warnings only), "UNHEALTHY" (a failure, or no check at all).
  const char* status() const;
  bool unhealthy() const;
};

HealthReport run_checks(Prober& prober, Clock& clock, const std::vector<pipeline::Check>& checks,
                        const Surroundings& surroundings, const Options& options = {});

// The names that existing readers of such reports know, plus attempts, phases (curl's names) and
// certificate.
Json to_json(const HealthReport& report);
// For a terminal, one line a check; without colours and control characters.
std::string to_table(const HealthReport& report);

// Waits until a new version passes its check `rise` times in a row. Bad samples before that are
// part of starting up; the limit ends it. Never later than the sample under way at the limit.
CheckResult wait_until_ready(Prober& prober, Clock& clock, const pipeline::Check& check,
                             const Surroundings& surroundings, Millis limit,
                             const Options& options = {});

struct WatchResult {
  bool good = false;
  bool stopped = false;             // by the stop token; then good is false
  std::string check;                // the failed one; "" when there was nothing to watch
  std::string message;              // the evidence: "api-health: 3 bad samples in a row: ..."
  Millis since_start{0};            // when it was decided
  std::vector<CheckResult> checks;  // with the counts
};

// Runs the checks again and again for `duration` and returns at the first that fails `fall` times
// in a row. A check that is in a bad row when the time is over goes on until it is good again or
// fails. A check without one sample fails. warn_only checks are counted and never fail the watch.
WatchResult watch(Prober& prober, Clock& clock, const std::vector<pipeline::Check>& checks,
                  const Surroundings& surroundings, Millis duration, const Options& options = {});
Json to_json(const WatchResult& result);

// One sample of a check, whatever its kind; for a percentile check its n samples.
Sample take_sample(Prober& prober, Clock& clock, const pipeline::Check& check,
                   const Surroundings& surroundings, std::stop_token stop);

}  // namespace belay::probe
