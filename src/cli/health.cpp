// SPDX-License-Identifier: Apache-2.0
// belay health: the environment's checks, now.
#include "engine/health.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/job_report.hpp"
#include "cli/session.hpp"

namespace belay::cli {

namespace {

Outputs outputs_of(const probe::HealthReport& report, const std::string& file) {
  const auto count = [&report](probe::Verdict verdict) {
    return std::to_string(report.count(verdict));
  };
  std::error_code code;
  return {{"health_status", report.status()},
          {"passed_checks", count(probe::Verdict::pass)},
          {"failed_checks", count(probe::Verdict::fail)},
          {"warning_checks", count(probe::Verdict::warning)},
          {"report_file", file.empty() ? "" : std::filesystem::absolute(file, code).string()}};
}

int health(Session& session, const Args& args) {
  auto opened = open(session, args);
  if (!opened) return tell(opened.error());
  auto& desk = *opened->desk;
  auto works = app::wire_present(desk, opened->environment, {true, true, false});
  if (!works) return tell(works.error(), exit_usage);
  auto& site = (*works)->site;
  const Json facts{{"name", opened->environment}, {"project", desk.project.spec.project}};
  auto checks = engine::checks_of(site, "");
  if (!checks) return tell(checks.error(), exit_usage);
  const auto report =
      probe::run_checks(*site.prober, desk.world().clock, *checks,
                        engine::surroundings(site, "", false), {&desk.world().executor, {}, facts});
  const auto json = probe::to_json(report);
  if (const auto file = args.get("--report"); !file.empty()) {
    if (auto written = write_file(file, (*works)->secrets->mask(json.dump(2)) + "\n", 0644);
        !written)
      return tell(written.error());
  }
  fmt::print("{}\n",
             (*works)->secrets->mask(session.json ? canonical(json) : probe::to_table(report)));
  if (session.job != nullptr) {
    tell(*session.job, outputs_of(report, args.get("--report")));
    session.job->summary(
        fmt::format("### health of {}\n\n{}\n", markdown_text(opened->environment),
                    markdown_block((*works)->secrets->mask(probe::to_table(report)))));
  }
  if (report.unhealthy()) return exit_failed;
  const bool degraded = report.count(probe::Verdict::warning) > 0;
  return degraded && args.has("--strict") ? exit_failed : exit_done;
}

}  // namespace

Command health_command() {
  return {"health",
          "run the environment's checks",
          "",
          0,
          0,
          {{"--env", "ENV", "environment"},
           {"--report", "FILE", "also write the report as JSON"},
           {"--strict", "", "exit 1 for DEGRADED as well"}},
          health,
          manual_of("health")};
}

}  // namespace belay::cli
