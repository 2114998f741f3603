// SPDX-License-Identifier: Apache-2.0
// belay audit and belay audit verify: the tamper-evident log, and the repetition of every approval.
#include <fmt/format.h>

#include "app/plan_sources.hpp"
#include "base/text.hpp"
#include "cli/session.hpp"
#include "engine/votes.hpp"
#include "pipeline/repeat.hpp"

namespace belay::cli {

namespace {

struct Findings {
  std::vector<std::string> problems;
  std::vector<std::string> untold;  // what this machine could not compare
  int approvals = 0, reviews = 0, anchors = 0;
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
  found.approvals += repeated->votes - repeated->reviews;
  found.reviews += repeated->reviews;
  for (const auto& doubt : repeated->doubts) found.problems.push_back("run " + run + ": " + doubt);
}

// "412:9f3c..." kept outside the journal, compared with what the journal says today.
void compare_anchor(app::Desk& desk, const std::string& anchor, const std::string& where,
                    Findings& found) {
  const auto at = anchor.find(':');
  if (at == std::string::npos || at == 0) return;
  const auto id = std::strtoll(anchor.substr(0, at).c_str(), nullptr, 10);
  if (id == 0) return;  // made when the journal was empty: it anchors nothing
  auto hash = desk.journal->hash_of(id);
  if (!hash && hash.error().fault != Fault::missing) {
    found.untold.push_back(where + ": " + hash.error().message());
    return;
  }
  if (!hash || *hash != anchor.substr(at + 1)) {
    found.problems.push_back(
        fmt::format("{} was made when event {} {}: the journal was rewritten or cut before it",
                    where, id, hash ? "had another hash" : "was there"));
    return;
  }
  ++found.anchors;
  found.anchored_to = std::max<std::int64_t>(found.anchored_to, id);
}

void repeat_all_votes(app::Desk& desk, Findings& found) {
  constexpr int every_run = 1'000'000;
  auto rows = desk.journal->runs({}, every_run);
  if (!rows) return found.untold.push_back("the runs: " + rows.error().message());
  for (const auto& row : *rows) repeat_votes(desk, row.run, found);
}

// What a line of a tag's message says: "journal: 412:9f3c..." -> "412:9f3c...".
std::string member_of(const std::string& message, const std::string& name) {
  for (const auto& line : split(message, '\n')) {
    if (line.starts_with(name + ": ")) return line.substr(name.size() + 2);
  }
  return {};
}

// Every tag of this project, whether or not the journal still knows its run.
void compare_tags(app::Desk& desk, Findings& found) {
  auto source = app::source_of(desk.project.folder);
  if (!source) return found.untold.push_back("the tags: " + source.error().message());
  if (*source == nullptr) return;
  auto tags = (*source)->annotated_tags();
  if (!tags) return found.untold.push_back("the tags: " + tags.error().message());
  for (const auto& tag : *tags) {
    if (member_of(tag.message, "project") != desk.project.spec.project) continue;
    compare_anchor(desk, member_of(tag.message, "journal"), "tag " + tag.name, found);
  }
}

// Restore points carry the chain's head as well.
Status compare_vault(app::Desk& desk, const std::string& environment, Findings& found) {
  const auto& project = desk.project;
  if (pipeline::database_of(project.spec, environment) == nullptr) return {};
  TRY_LET(const bool made, app::vault_is_made(desk, environment));
  if (!made) return {};
  TRY_LET(auto works, app::wire_present(desk, environment, {true, false}));
  TRY_LET(auto points, works->site.vault->list());
  for (const auto& summary : points) {
    TRY_LET(auto point, works->site.vault->load(summary.name).in(summary.name));
    if (point.project != project.spec.project || point.environment != environment) continue;
    compare_anchor(desk, point.journal_head, "restore point " + summary.name, found);
  }
  return {};
}

std::string verdict(const Findings& found) {
  if (!found.problems.empty()) return "THE JOURNAL WAS TAMPERED WITH.";
  return found.untold.empty() ? "The journal is whole."
                              : "Nothing that could be compared was tampered with; not everything "
                                "could be compared.";
}

int verify(Session& session, app::Desk& desk) {
  auto report = desk.journal->verify();
  if (!report) return tell(report.error());
  Findings found;
  found.problems = report->problems;
  repeat_all_votes(desk, found);
  compare_tags(desk, found);
  for (const auto& env : desk.project.spec.environments) {
    if (auto compared = compare_vault(desk, env.name, found); !compared)
      found.untold.push_back(env.name + ": " + compared.error().message());
  }
  const int code = found.problems.empty() && found.untold.empty() ? exit_done : exit_failed;
  if (session.json) {
    fmt::print("{}\n", canonical({{"events", report->events},
                                  {"head", report->head},
                                  {"approvals", found.approvals},
                                  {"reviews", found.reviews},
                                  {"anchors", found.anchors},
                                  {"anchored_to", found.anchored_to},
                                  {"not_compared", found.untold},
                                  {"problems", found.problems}}));
    return code;
  }
  for (const auto& problem : found.problems) fmt::print("✗ {}\n", problem);
  for (const auto& each : found.untold) fmt::print("? could not be compared: {}\n", each);
  fmt::print("{} events, head {}; {} signatures repeated{}; {} anchors elsewhere agree{}\n",
             report->events, report->head.substr(0, 16), found.approvals,
             found.reviews > 0 ? fmt::format(", {} reviews counted again", found.reviews) : "",
             found.anchors,
             found.anchored_to > 0
                 ? fmt::format(", up to event {} nothing can have been cut off", found.anchored_to)
                 : "; without an anchor a cut-off end cannot be seen");
  fmt::print("{}\n", verdict(found));
  return code;
}

int audit(Session& session, const Args& args) {
  auto opened = open(session, args);
  if (!opened) return tell(opened.error());
  auto& desk = *opened->desk;
  if (args.word(0) == "verify") return verify(session, desk);
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
