// SPDX-License-Identifier: Apache-2.0
#include "base/counted.hpp"
#include "probe/health.hpp"

namespace belay::probe {
namespace {

Json to_json(const Phases& phases) {
  return {{"time_namelookup", phases.namelookup},       {"time_connect", phases.connect},
          {"time_appconnect", phases.appconnect},       {"time_pretransfer", phases.pretransfer},
          {"time_starttransfer", phases.starttransfer}, {"time_total", phases.total}};
}

Json to_json(const Certificate& certificate) {
  Json out = {{"subject", certificate.subject},
              {"issuer", certificate.issuer},
              {"not_before", belay::to_text(certificate.not_before)},
              {"not_after", belay::to_text(certificate.not_after)},
              {"chain_ends", belay::to_text(certificate.chain_ends)},
              {"name_matches", certificate.name_matches},
              {"chain_valid", certificate.chain_valid},
              {"self_signed", certificate.self_signed}};
  if (!certificate.problem.empty()) out["problem"] = certificate.problem;
  return out;
}

Json to_json(const CheckResult& result) {
  Json out = {{"check", result.check},
              {"status", to_string(result.verdict)},
              {"message", result.message},
              {"duration_ms", result.duration.count()},
              {"attempts", result.attempts},
              {"good", result.good},
              {"bad", result.bad}};
  if (result.percentile) out["percentile_seconds"] = *result.percentile;
  if (!result.last) return out;
  if (result.last->http_status != 0) out["http_status"] = result.last->http_status;
  if (result.last->phases) out["phases"] = to_json(*result.last->phases);
  if (result.last->certificate) out["certificate"] = to_json(*result.last->certificate);
  return out;
}

Json to_json(const std::vector<CheckResult>& checks) {
  Json out = Json::array();
  for (const auto& check : checks) out.push_back(to_json(check));
  return out;
}

// A message may hold what a server said.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return text;
}

}  // namespace

int HealthReport::count(Verdict verdict) const {
  return static_cast<int>(std::count_if(
      checks.begin(), checks.end(), [verdict](const auto& one) { return one.verdict == verdict; }));
}

bool HealthReport::unhealthy() const {
  // A report that says why it is not whole is not a good one.
  return checks.empty() || !message.empty() || count(Verdict::fail) > 0;
}

const char* HealthReport::status() const {
  if (unhealthy()) return "UNHEALTHY";
  return count(Verdict::warning) > 0 ? "DEGRADED" : "HEALTHY";
}

Json to_json(const HealthReport& report) {
  Json out = {{"timestamp", belay::to_text(report.timestamp)},
              {"health_status", report.status()},
              {"summary",
               {{"total_checks", report.checks.size()},
                {"passed", report.count(Verdict::pass)},
                {"failed", report.count(Verdict::fail)},
                {"warnings", report.count(Verdict::warning)}}},
              {"environment", report.environment},
              {"checks", to_json(report.checks)}};
  if (!report.message.empty()) out["message"] = report.message;
  return out;
}

Json to_json(const WatchResult& result) {
  return {{"good", result.good},
          {"stopped", result.stopped},
          {"check", result.check},
          {"message", result.message},
          {"since_start_ms", result.since_start.count()},
          {"checks", to_json(result.checks)}};
}

std::string to_table(const HealthReport& report) {
  std::size_t width = 5;
  for (const auto& check : report.checks) width = std::max(width, check.check.size());
  std::string out;
  for (const auto& check : report.checks) {
    out +=
        fmt::format("{:<{}}  {:<7}  {:>7}  {}\n", one_line(check.check), width,
                    to_string(check.verdict), for_people(check.duration), one_line(check.message));
  }
  if (!report.message.empty()) out += one_line(report.message) + "\n";
  return out + fmt::format(
                   "{}: {} passed, {} failed, {}\n", report.status(), report.count(Verdict::pass),
                   report.count(Verdict::fail),
                   counted(static_cast<std::uint64_t>(report.count(Verdict::warning)), "warning"));
}

}  // namespace belay::probe
