// SPDX-License-Identifier: Apache-2.0
// belay audit and belay audit verify: the tamper-evident log, and the repetition of every approval.
#include <fmt/format.h>

#include "cli/session.hpp"
#include "engine/votes.hpp"
#include "pipeline/repeat.hpp"
#include "source/source.hpp"

namespace belay::cli {

namespace {

struct Findings {
  std::vector<std::string> problems;
  std::vector<std::string> untold;  // what this machine could not compare
  int approvals = 0, anchors = 0;
  std::int64_t anchored_to = 0;
};

// Every recorded vote is judged again, from the journal alone.
void repeat_votes(app::Desk& desk, const std::string& run, Findings& found) {
  auto loaded = engine::load_run(*desk.journal, run);
  if (!loaded) {
    found.problems.push_back("run " + run + ": " + loaded.error().message());
    return;
  }
  auto repeated =
      pipeline::repeat_approval(loaded->plan, loaded->history, run, engine::verify_signature);
  if (!repeated) {
    found.untold.push_back("the approval of run " + run + ": " + repeated.error().message());
    return;
  }
  found.approvals += repeated->votes;
  for (const auto& doubt : repeated->doubts) found.problems.push_back("run " + run + ": " + doubt);
}

// "412:9f3c..." kept outside the journal, compared with what the journal says today.
void compare_anchor(app::Desk& desk, const std::string& anchor, const std::string& where,
                    Findings& found) {
  const auto at = anchor.find(':');
  if (at == std::string::npos || at == 0) return;
  const auto id = std::strtoll(anchor.substr(0, at).c_str(), nullptr, 10);
  auto hash = desk.journal->hash_of(id);
  if (!hash || *hash != anchor.substr(at + 1)) {
    found.problems.push_back(fmt::format(
        "{} was made when event {} had another hash: the journal was rewritten or cut before it",
        where, id));
    return;
  }
  ++found.anchors;
  found.anchored_to = std::max<std::int64_t>(found.anchored_to, id);
}

void compare_anchors(app::Desk& desk, Findings& found) {
  auto rows = desk.journal->runs({}, 100'000);
  auto source = source::make_git(desk.project.folder);
  for (const auto& row : rows ? *rows : std::vector<journal::RunRow>{}) {
    repeat_votes(desk, row.run, found);
    auto summary = parse_json(row.summary.empty() ? "{}" : row.summary);
    if (!summary || row.pipeline != "deploy" || !source) continue;
    const auto tag = summary->value("release", std::string());
    auto annotated = (*source)->find_tag(tag);
    if (!annotated || !*annotated) continue;
    const auto line = (*annotated)->message.find("journal: ");
    if (line == std::string::npos) continue;
    const auto begin = line + 9;
    compare_anchor(
        desk, (*annotated)->message.substr(begin, (*annotated)->message.find('\n', begin) - begin),
        "tag " + tag, found);
  }
}

// Restore points carry the chain's head as well, when the vault can be opened.
void compare_vault(app::Desk& desk, const std::string& environment, Findings& found) {
  auto works = app::wire_present(desk, environment, {true, false});
  if (!works || (*works)->site.vault == nullptr) return;
  auto points = (*works)->site.vault->list();
  for (const auto& summary : points ? *points : std::vector<vault::PointSummary>{}) {
    auto point = (*works)->site.vault->load(summary.name);
    if (point && !point->journal_head.empty())
      compare_anchor(desk, point->journal_head, "restore point " + summary.name, found);
  }
}

int verify(Session& session, app::Desk& desk, const std::string& environment) {
  auto report = desk.journal->verify();
  if (!report) return tell(report.error());
  Findings found;
  found.problems = report->problems;
  compare_anchors(desk, found);
  compare_vault(desk, environment, found);
  if (session.json) {
    fmt::print("{}\n", canonical({{"events", report->events},
                                  {"head", report->head},
                                  {"approvals", found.approvals},
                                  {"anchors", found.anchors},
                                  {"anchored_to", found.anchored_to},
                                  {"problems", found.problems}}));
    return found.problems.empty() ? exit_done : exit_failed;
  }
  for (const auto& problem : found.problems) fmt::print("✗ {}\n", problem);
  fmt::print("{} events, head {}; {} signatures repeated; {} anchors elsewhere agree{}\n",
             report->events, report->head.substr(0, 16), found.approvals, found.anchors,
             found.anchored_to > 0
                 ? fmt::format(", up to event {} nothing can have been cut off", found.anchored_to)
                 : "; without an anchor a cut-off end cannot be seen");
  fmt::print("{}\n",
             found.problems.empty() ? "The journal is whole." : "THE JOURNAL WAS TAMPERED WITH.");
  return found.problems.empty() ? exit_done : exit_failed;
}

int audit(Session& session, const Args& args) {
  auto opened = open(session, args);
  if (!opened) return tell(opened.error());
  auto& desk = *opened->desk;
  if (args.word(0) == "verify") return verify(session, desk, opened->environment);
  if (!args.words.empty())
    return tell(fail(Fault::invalid, "belay audit knows: verify"), exit_usage);
  std::int64_t after = 0;
  for (;;) {
    auto events = desk.journal->tail(after, 1000);
    if (!events) return tell(events.error());
    if (events->empty()) return exit_done;
    for (const auto& event : *events) {
      after = event.id;
      fmt::print("{}\n", canonical({{"id", event.id},
                                    {"run", event.run},
                                    {"seq", event.seq},
                                    {"at", to_text(event.at)},
                                    {"kind", event.kind},
                                    {"key", event.key},
                                    {"hash", event.hash},
                                    {"body", parse_json(event.body) ? *parse_json(event.body)
                                                                    : Json(event.body)}}));
    }
  }
}

}  // namespace

Command audit_command() {
  return {"audit",    "every event as NDJSON; `verify` checks chain, signatures and anchors",
          "[verify]", 0,
          1,          {{"--env", "ENV", "environment"}},
          audit,      manual_of("audit")};
}

}  // namespace belay::cli
