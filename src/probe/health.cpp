// SPDX-License-Identifier: Apache-2.0
#include "probe/health.hpp"

#include "base/text.hpp"
#include "probe/rule.hpp"

namespace belay::probe {
namespace {

using pipeline::Check;

// A check that goes up and down is decided some time: by failing.
int most_attempts(const Check& check) {
  return 4 * (check.rise + check.fall) + 2;
}

Sample bad_sample(std::string text) {
  Sample sample;
  sample.text = std::move(text);
  return sample;
}

std::string joined_url(const std::string& base, const std::string& path) {
  if (path.empty() || path == "/") return base;
  return (base.ends_with('/') ? base.substr(0, base.size() - 1) : base) +
         (path.starts_with('/') ? path : "/" + path);
}

// host:port of a URL or of a bare address.
std::string address_of(const std::string& url, const char* usual_port) {
  const bool secure = url.starts_with("https://");
  const auto scheme = url.find("://");
  auto host = scheme == std::string::npos ? url : url.substr(scheme + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const auto at = host.rfind('@'); at != std::string::npos) host = host.substr(at + 1);
  const auto colon = host.rfind(':');
  const bool has_port = colon != std::string::npos && host.find(']', colon) == std::string::npos;
  if (has_port) return host;
  if (scheme == std::string::npos) return host + ":" + usual_port;
  return host + (secure ? ":443" : ":80");
}

Result<Place> place_of(const Check& check, const Surroundings& surroundings) {
  if (!check.url.empty()) return Place{check.url, ""};
  if (check.service.empty()) return fail(Fault::invalid, "the check names no service and no url");
  if (!surroundings.resolve) return fail(Fault::missing, "no address of " + check.service);
  return surroundings.resolve(check.service);
}

Sample sample_http(Prober& prober, const Check& check, const Place& place, std::stop_token stop) {
  HttpRequest request;
  request.url = joined_url(place.base_url, check.path);
  request.method = check.method;
  request.body = check.send_body;
  request.headers = check.send_headers;
  request.timeout = check.timeout;
  request.connect_to = place.connect_to;
  Expectation expected;
  expected.status = check.status;
  expected.json = check.json.is_null() ? Json::object() : check.json;
  expected.body = check.body;
  expected.headers = check.headers;
  expected.under = check.under;
  return prober.http(request, expected, stop);
}

Sample sample_tcp(Prober& prober, const Check& check, const Place& place, std::stop_token stop) {
  const auto address =
      place.connect_to.empty() ? address_of(place.base_url, "0") : place.connect_to;
  return prober.tcp(address, check.timeout, stop);
}

// Good when there are enough; more than enough is fine.
Sample sample_query(const Check& check, const Surroundings& surroundings) {
  if (!check.query.is_object() || !check.query.contains("collection")) {
    return bad_sample("the query names no collection");
  }
  if (!surroundings.matching) return bad_sample("no database is configured to ask");
  const auto least = check.query.value("at_least", Json(1));
  if (!least.is_number_unsigned() && !(least.is_number_integer() && least >= 0)) {
    return bad_sample("at_least is not a count");
  }
  const auto found = surroundings.matching(check.query, check.timeout);
  if (!found.ok()) return bad_sample(found.error().message());
  auto sample = bad_sample(fmt::format("{} matching documents, expected at least {}",
                                       with_commas(*found), least.get<std::uint64_t>()));
  sample.good = *found >= least.get<std::uint64_t>();
  if (sample.good) sample.text = fmt::format("{} matching documents", with_commas(*found));
  return sample;
}

Sample sample_database(Clock& clock, const Check& check, const Surroundings& surroundings) {
  const Millis start = clock.steady();
  Sample sample;
  if (!check.query.is_null()) {
    sample = sample_query(check, surroundings);
  } else if (!surroundings.ping) {
    sample = bad_sample("no database is configured to ask");
  } else {
    const auto answer = surroundings.ping(check.timeout);
    sample.good = answer.ok();
    sample.text = answer.ok() ? "the database answers" : answer.error().message();
  }
  sample.took = clock.steady() - start;
  return sample;
}

// Kinds without an exchange of HTTP keep `under` too.
void hold_to_limit(Sample& sample, const Check& check) {
  if (!sample.good || !check.under || check.kind == Check::Kind::http) return;
  if (sample.took < *check.under) return;
  sample.good = false;
  sample.text = fmt::format("expected an answer under {}, it took {} ms", to_text(*check.under),
                            sample.took.count());
}

Sample ask(Prober& prober, Clock& clock, const Check& check, const Surroundings& surroundings,
           std::stop_token stop) {
  switch (check.kind) {
    case Check::Kind::database: return sample_database(clock, check, surroundings);
    case Check::Kind::command:
      return prober.command(check.run, surroundings.command_env, check.timeout, stop);
    case Check::Kind::http:
    case Check::Kind::tcp:
    case Check::Kind::tls: break;
  }
  const auto place = place_of(check, surroundings);
  if (!place.ok()) return bad_sample(place.error().message());
  if (check.kind == Check::Kind::http) return sample_http(prober, check, *place, stop);
  if (check.kind == Check::Kind::tcp) return sample_tcp(prober, check, *place, stop);
  return prober.tls(address_of(place->base_url, "443"), check.certificate_days, check.timeout,
                    stop);
}

void decide(CheckResult& result, const Check& check, const Row& row) {
  const auto last = result.last ? result.last->text : "";
  if (row.good >= check.rise) {
    result.verdict = Verdict::pass;
    result.message = last;
    if (result.bad > 0) result.message += fmt::format(" (after {} bad samples)", result.bad);
    return;
  }
  result.verdict = Verdict::fail;
  if (row.bad >= check.fall) {
    result.message =
        check.fall > 1 ? fmt::format("{} bad samples in a row; the last: {}", row.bad, last) : last;
    return;
  }
  result.message = fmt::format("undecided after {} samples, {} good and {} bad; the last: {}",
                               result.attempts, result.good, result.bad, last);
}

CheckResult run_rule(Prober& prober, Clock& clock, const Check& check,
                     const Surroundings& surroundings, const std::stop_token& stop) {
  CheckResult result;
  Row row;
  while (row.good < check.rise && row.bad < check.fall && result.attempts < most_attempts(check)) {
    if (result.attempts > 0 && !clock.sleep(check.interval, stop)) break;
    auto sample = take_sample(prober, clock, check, surroundings, stop);
    if (sample.stopped) break;
    row.add(sample.good);
    record(result, std::move(sample));
  }
  decide(result, check, row);
  if (result.verdict != Verdict::pass && stop.stop_requested() && row.bad < check.fall) {
    result.message = "stopped before it was decided";
  }
  return result;
}

CheckResult run_check(Prober& prober, Clock& clock, const Check& check,
                      const Surroundings& surroundings, const std::stop_token& stop) {
  const Millis start = clock.steady();
  CheckResult result;
  if (auto problem = rule_problem(check); !problem.empty()) {
    result.message = std::move(problem);
  } else if (stop.stop_requested()) {
    result.message = "stopped before it was decided";
  } else if (check.percentile) {
    result = run_percentile(prober, clock, check, surroundings, stop);
  } else {
    result = run_rule(prober, clock, check, surroundings, stop);
  }
  result.check = check.name;
  result.duration = clock.steady() - start;
  if (result.verdict == Verdict::fail && check.warn_only) result.verdict = Verdict::warning;
  return result;
}

}  // namespace

const char* to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass: return "PASS";
    case Verdict::fail: return "FAIL";
    case Verdict::warning: return "WARNING";
  }
  return "FAIL";
}

std::string rule_problem(const Check& check) {
  if (check.rise < 1 || check.fall < 1) return "rise and fall must be at least 1";
  if (!check.percentile) return "";
  const auto& percentile = *check.percentile;
  if (percentile.samples < 1) return "a percentile needs at least 1 sample";
  if (percentile.rank < 1 || percentile.rank > 100) return "a percentile lies between 1 and 100";
  if (percentile.limit <= Millis(0)) return "a percentile needs a limit";
  return "";
}

void record(CheckResult& result, Sample sample) {
  ++result.attempts;
  ++(sample.good ? result.good : result.bad);
  result.last = std::move(sample);
}

void run_work(Executor* executor, std::vector<std::function<void()>> work) {
  if (executor != nullptr) return executor->run_all(std::move(work));
  for (const auto& one : work) one();
}

Sample take_sample(Prober& prober, Clock& clock, const Check& check,
                   const Surroundings& surroundings, std::stop_token stop) {
  auto sample = ask(prober, clock, check, surroundings, std::move(stop));
  hold_to_limit(sample, check);
  return sample;
}

HealthReport run_checks(Prober& prober, Clock& clock, const std::vector<Check>& checks,
                        const Surroundings& surroundings, const Options& options) {
  HealthReport report;
  report.timestamp = clock.now();
  report.environment = options.environment;
  report.checks.resize(checks.size());
  std::vector<std::function<void()>> work;
  for (std::size_t i = 0; i < checks.size(); ++i) {
    work.emplace_back([&, i] {
      report.checks[i] = run_check(prober, clock, checks[i], surroundings, options.stop);
    });
  }
  run_work(options.side_by_side, std::move(work));
  if (checks.empty()) {
    report.message =
        "there is no check to run, so nothing shows that the service is healthy: add "
        "checks to the environment";
  } else if (options.stop.stop_requested()) {
    report.message = "stopped before all checks were decided";
  }
  return report;
}

CheckResult wait_until_ready(Prober& prober, Clock& clock, const Check& check,
                             const Surroundings& surroundings, Millis limit,
                             const Options& options) {
  CheckResult result;
  result.check = check.name;
  const Millis start = clock.steady();
  result.message = rule_problem(check);
  if (!result.message.empty()) return result;
  Row row;
  while (row.good < check.rise && clock.steady() - start < limit) {
    auto sample = take_sample(prober, clock, check, surroundings, options.stop);
    if (sample.stopped || options.stop.stop_requested()) break;
    row.add(sample.good);
    record(result, std::move(sample));
    if (row.good < check.rise && !clock.sleep(check.interval, options.stop)) break;
  }
  result.duration = clock.steady() - start;
  const auto last = result.last ? result.last->text : "no sample was taken";
  if (row.good >= check.rise) {
    result.verdict = Verdict::pass;
    result.message = last;
  } else if (options.stop.stop_requested()) {
    result.message = "stopped before it was ready; the last: " + last;
  } else {
    result.message = fmt::format("not ready within {}; the last: {}", to_text(limit), last);
  }
  return result;
}

}  // namespace belay::probe
