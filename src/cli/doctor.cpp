// SPDX-License-Identifier: Apache-2.0
// belay doctor: what could go wrong later, looked at now; --fix mends what can be mended safely.
#include "app/doctor.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/session.hpp"

namespace belay::cli {

namespace {

constexpr const char* mark(app::Grade grade) {
  switch (grade) {
    case app::Grade::good: return "✓";
    case app::Grade::warn: return "!";
    case app::Grade::bad: return "✗";
  }
  return "✗";
}

void print(const Session& session, const app::Finding& one) {
  if (session.json) {
    fmt::print("{}\n", canonical(app::to_json(one)));
    return;
  }
  fmt::print(" {}  {:<32} {}\n", mark(one.grade), printable(one.about), printable(one.found, true));
  if (!one.remedy.empty()) fmt::print("    {:<32} -> {}\n", "", printable(one.remedy, true));
}

int print_all(const Session& session, const std::vector<app::Finding>& findings) {
  std::size_t warnings = 0, bad = 0, mends = 0;
  for (const auto& one : findings) {
    print(session, one);
    warnings += one.grade == app::Grade::warn ? 1 : 0;
    bad += one.grade == app::Grade::bad ? 1 : 0;
    mends += one.mend ? 1 : 0;
  }
  if (!session.json) {
    fmt::print("\n{} findings: {} good, {} to think about, {} bad.{}\n", findings.size(),
               findings.size() - warnings - bad, warnings, bad,
               mends > 0 ? " Some can be mended here: belay doctor --fix" : "");
  }
  return app::any_bad(findings) ? exit_failed : exit_done;
}

// Each mend is asked for by itself. False: something that was agreed to did not work.
Result<bool> mend(const Session& session, const std::vector<app::Finding>& findings) {
  bool worked = true;
  for (const auto& one : findings) {
    if (!one.mend) continue;
    TRY_LET(const bool agreed, agree(session, one.mend->question));
    if (!agreed) continue;
    auto done = one.mend->apply();
    worked = worked && done.ok();
    if (!done)
      tell(std::move(done).error().in(one.about));
    else if (!session.json)
      fmt::print("{}: {}\n", one.about, *done);
  }
  return worked;
}

int doctor(Session& session, const Args& args) {
  std::error_code code;
  const app::Checkup checkup{session.file,
                             session.here,
                             session.env,
                             args.get("--env"),
                             std::filesystem::read_symlink("/proc/self/exe", code),
                             hears(session)};
  auto findings = app::examine(checkup);
  if (!args.has("--fix")) return print_all(session, findings);
  auto mended = mend(session, findings);
  if (!mended) return tell(mended.error(), exit_usage);
  const int state = print_all(session, app::examine(checkup));
  return *mended ? state : exit_failed;
}

}  // namespace

Command doctor_command() {
  return {"doctor",
          "check now what could go wrong later",
          "",
          0,
          0,
          {{"--env", "ENV", "only this environment; all of them when not given"},
           {"--fix", "",
            "mend what can be mended safely, each after a question: install `belay agent`, take "
            "rights to private files away from others, set environments on GitHub"}},
          doctor,
          manual_of("doctor")};
}

}  // namespace belay::cli
