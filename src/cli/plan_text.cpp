// SPDX-License-Identifier: Apache-2.0
// A plan as text that could be read out over the telephone.
#include <fmt/format.h>

#include "base/counted.hpp"
#include "base/text.hpp"
#include "cli/screen.hpp"
#include "engine/put_back.hpp"

namespace belay::cli {

using pipeline::Plan;
using pipeline::Step;

namespace {

// A text of somebody else's, on one line.
std::string shown(const Json& text) {
  return text.is_string() ? printable(text.get<std::string>()) : std::string();
}

// "\"Faster search\" and 3 more", "... and 50 or more"
std::string commits_text(const Json& change, const char* name) {
  const auto commits = change.value(name, Json::array());
  if (commits.empty()) return {};
  const bool more = change.value(std::string(name) + "_more", false);
  std::string out = "\"" + shown(commits[0]) + "\"";
  if (more) return out + fmt::format(" and {} or more", commits.size());
  return out + (commits.size() > 1 ? fmt::format(" and {} more", commits.size() - 1) : "");
}

std::string change_text(const Json& change) {
  if (change.contains("error")) return "not known: " + shown(change["error"]);
  const auto in = commits_text(change, "commits"), out = commits_text(change, "out");
  if (in.empty() && out.empty()) return "no commits touch it";
  if (out.empty()) return in;
  return in + (in.empty() ? "goes out: " : "; goes out: ") + out;
}

std::string change_lines(const Plan& plan) {
  std::string out;
  const char* head = "  changes  ";
  for (const auto& one : plan.facts.value("changes", Json::array())) {
    out += fmt::format("{} {:<9} {}\n", head, shown(one["service"]), change_text(one));
    head = "           ";
  }
  for (const auto& pull : plan.notes.value("pulls", Json::array())) {
    out += fmt::format("            #{:<8} \"{}\" by {}, merged by {}\n",
                       number_in(pull, "number").value_or(0), shown(pull["title"]),
                       shown(pull["author"]), shown(pull["merged_by"]));
  }
  if (plan.notes.contains("pulls_unknown"))
    out += "            merged    not known: " + shown(plan.notes["pulls_unknown"]) + "\n";
  if (const auto* migrate = plan.first_of("migrate"))
    out += fmt::format("            data      {}\n", printable(migrate->title));
  return out;
}

// Where what counts was read.
std::string source_lines(const Plan& plan) {
  std::string out;
  out += fmt::format("  rules     from {}\n", plan.facts.value("policy_from", "?"));
  if (plan.facts.contains("build_from")) {
    out += fmt::format("  build     from {}: build, run, test, env, checks\n",
                       plan.facts["build_from"].get<std::string>());
  }
  return out + "  places    from the present file: database, vault, targets\n";
}

// What the release is started with is what the secrets are now; names only.
std::string secret_lines(const Plan& plan) {
  const auto note = plan.notes.find("secrets");
  if (note == plan.notes.end()) return {};
  constexpr std::pair<const char*, const char*> words[] = {
      {"other", "another value now"},
      {"new", "new"},
      {"gone", "not used any more"},
      {"unreadable", "no value here"},
      {"unknown", "unknown whether it is the same (no fingerprint that can be compared)"}};
  std::string out;
  for (const auto& [list, meaning] : words) {
    std::vector<std::string> names;
    for (const auto& name : note->value(list, Json::array())) names.push_back(shown(name));
    if (!names.empty()) out += fmt::format("            {}: {}\n", meaning, join(names, ", "));
  }
  const auto since = printable(note->value("since", std::string()));
  if (out.empty())
    return fmt::format("  secrets   present values; the same as when {} was last started\n", since);
  return fmt::format("  secrets   present values; since {} was last started:\n", since) + out;
}

std::string names_of(const Json& note, const char* list) {
  std::vector<std::string> names;
  for (const auto& name : note.value(list, Json::array())) names.push_back(shown(name));
  if (const auto more = note.value(std::string(list) + "_more", std::size_t{0}); more > 0)
    names.push_back(with_commas(more) + " more");
  return join(names, ", ");
}

std::size_t count_of(const Json& note, const char* list) {
  return note.value(list, Json::array()).size() +
         note.value(std::string(list) + "_more", std::size_t{0});
}

// "adds A, B; changes C; 3 stay as they are; 5 others are left alone"
std::string variables_text(const Json& note) {
  if (note.contains("error")) return "not known: " + shown(note["error"]);
  std::vector<std::string> parts;
  for (const auto& [list, word] : {std::pair{"adds", "adds "}, {"changes", "changes "}}) {
    if (note.contains(list)) parts.push_back(word + names_of(note, list));
  }
  if (note.contains("may_change"))
    parts.push_back("may change " + names_of(note, "may_change") + " (not shown there)");
  if (const auto same = count_of(note, "same"); same > 0)
    parts.push_back(fmt::format("{} as they are", same));
  if (const auto others = count_of(note, "left_alone"); others > 0)
    parts.push_back(fmt::format("{} left alone", counted(others, "other")));
  return join(parts, "; ");
}

// What is set where a platform runs a service; never a value.
std::string variable_lines(const Plan& plan) {
  std::string out;
  const char* head = "  variables";
  for (const auto& one : plan.notes.value("variables", Json::array())) {
    const auto platform = shown(one["platform"]);
    out += fmt::format("{} {} at {}: {}\n", head, shown(one["service"]), platform,
                       variables_text(one));
    head = "           ";
    if (!one.contains("former")) continue;
    out += fmt::format("            {} {}: {}\n", names_of(one, "former"),
                       one["former"].size() == 1 ? "is another now" : "are others now",
                       platform == "Vercel"
                           ? "the deployment keeps the former value that it was built with"
                           : "built anew with the present value, which takes longer");
  }
  return out;
}

std::string about_time(const Plan& plan, const std::string& step) {
  const auto estimates = plan.notes.value("estimates", Json::object());
  if (!estimates.contains(step)) return {};
  return "about " + for_people(Millis(estimates[step].get<std::int64_t>()));
}

// "undo: stop it", "cannot be undone: the tag stays", "nothing to undo"
std::string undo_text(const Step& step) {
  if (!step.cannot_undo.empty())
    return (step.changes ? "CANNOT BE UNDONE: " : "cannot be undone: ") + step.cannot_undo;
  if (step.undo.empty() || step.undo.starts_with("nothing to undo")) return step.undo;
  return "undo: " + step.undo;
}

std::string step_lines(const Plan& plan) {
  std::string out;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const auto& step = plan.steps[i];
    std::string name = step.id;
    std::replace(name.begin(), name.end(), '_', ' ');
    std::replace(name.begin(), name.end(), ':', ' ');
    // The tag's name is a label: another one makes no other plan.
    const auto title = step.kind == "tag" ? step.title + " " + plan.release : step.title;
    std::string right = about_time(plan, step.id);
    const auto undo = undo_text(step);
    if (!undo.empty()) right += (right.empty() ? "" : " · ") + undo;
    out += fmt::format("  {:>2}  {:<18} {}{}\n", i + 1, name, printable(title),
                       right.empty() ? "" : "   [" + right + "]");
  }
  return out;
}

bool has_back(const Plan& plan, const char* kind) {
  return std::any_of(plan.back.begin(), plan.back.end(),
                     [kind](const Step& step) { return step.kind == kind; });
}

// What the steps of these kinds took in earlier ways back; those of one kind follow each other.
std::string measured(const Plan& plan, const std::vector<std::string>& kinds) {
  const auto times = plan.notes.value("times_back", Json::object());
  Millis all{0};
  bool known = false;
  for (const auto& step : plan.back) {
    if (std::find(kinds.begin(), kinds.end(), step.kind) == kinds.end()) continue;
    const auto at = times.find(step.id.substr(step.id.find(':') + 1));
    if (at == times.end()) continue;
    all += Millis(at->get<std::int64_t>());
    known = known || step.kind == kinds.back();
  }
  return known ? "about " + for_people(all) + " by earlier runs" : "not measured yet";
}

const Step* hold_of(const Plan& plan) {
  for (const auto* list : {&plan.steps, &plan.back}) {
    for (const auto& step : *list) {
      if (step.kind == "hold") return &step;
    }
  }
  return nullptr;
}

// From the step that holds to the one that lifts.
std::string time_held(const Plan& plan) {
  const auto estimates = plan.notes.value("estimates", Json::object());
  Millis all{0};
  bool within = false;
  for (const auto& step : plan.steps) {
    within = within || step.kind == "hold";
    if (!within) continue;
    const auto at = estimates.find(step.id);
    if (at == estimates.end() && step.kind != "lift") return "for a time not measured yet";
    if (at != estimates.end()) all += Millis(at->get<std::int64_t>());
    if (step.kind == "lift") break;
  }
  return within ? "for about " + for_people(all) + " by earlier runs"
                : "for a time not measured yet";
}

// The fence, as the customers know it.
std::string held_text(const Plan& plan) {
  const auto* hold = hold_of(plan);
  std::vector<std::string> parts;
  if (hold == nullptr || hold->args.value("proxied", true)) {
    parts.push_back(fmt::format("customers' requests wait meanwhile, each at most {}, then 503",
                                plan.notes.value("hold", std::string("the environment's hold"))));
  }
  if (hold != nullptr) {
    for (const auto& text : hold->args.value("platforms", Json::array()))
      parts.push_back(shown(text) + " meanwhile, out of service " + time_held(plan));
  }
  return join(parts, "; ");
}

std::string way_back_of_deploy(const Plan& plan) {
  std::string out = plan.live.empty() ? "the new versions are taken down; nothing was live before."
                                      : fmt::format("code back to {} ({}).", plan.live,
                                                    measured(plan, {"start", "switch"}));
  const auto* migrate = plan.first_of("migrate");
  if (!has_back(plan, "rewind")) {
    if (migrate == nullptr) return out;
    return out + "\n  The data STAYS MIGRATED: " + migrate->cannot_undo + ".";
  }
  out += has_back(plan, "ask") ? "\n  Whether the data goes back is asked then, with a preview"
                               : "\n  Data back to the restore point";
  out += fmt::format(" ({})", measured(plan, {"rewind"}));
  if (has_back(plan, "hold")) out += ";\n  " + held_text(plan);
  return out + ".\n  Writes made after the restore point are kept in a salvage, not lost.";
}

// Of a rollback or a rewind: everything as it is now.
std::string way_back_of_rollback(const Plan& plan) {
  std::string out;
  if (has_back(plan, "switch"))
    out = fmt::format("code as it is now, {} ({})", plan.live, measured(plan, {"switch"}));
  if (has_back(plan, "rewind"))
    out += (out.empty() ? "" : "; ") +
           fmt::format("data as it is now, from the salvage ({})", measured(plan, {"rewind"}));
  return (out.empty() ? "nothing was changed" : out) + ".";
}

std::string way_back_lines(const Plan& plan) {
  if (plan.back.empty())
    return "\n  If it goes wrong: what was put back by then stays; belay resume goes on with the "
           "rest.\n";
  return "\n  If it goes wrong: " +
         (plan.pipeline == "deploy" ? way_back_of_deploy(plan) : way_back_of_rollback(plan)) + "\n";
}

// "point:rp-2", "undo:salvage-3", "none"
std::string data_for_people(const std::string& data) {
  if (data.starts_with("point:")) return "back to restore point " + data.substr(6);
  if (data.starts_with("undo:"))
    return "as it was before the rewind that " + data.substr(5) + " keeps";
  if (data.starts_with("apply:"))
    return "what a rewind discarded is put back from " + data.substr(6);
  return "stays as it is";
}

std::string counts(const Json& one) {
  return fmt::format("{} reverted, {} taken back, {} brought back",
                     with_commas(one.value("reverted", std::uint64_t{0})),
                     with_commas(one.value("removed", std::uint64_t{0})),
                     with_commas(one.value("brought_back", std::uint64_t{0})));
}

// Of writes that are put back.
std::string put_back_lines(const Plan& plan) {
  const auto preview = plan.notes.find("put_back");
  if (preview == plan.notes.end()) return {};
  return fmt::format("  As things stand it would be: {}.\n{}", engine::put_back_text(*preview),
                     left_alone_lines(*preview));
}

std::string preview_lines(const Plan& plan) {
  const auto preview = plan.notes.find("preview");
  if (preview == plan.notes.end()) return {};
  const auto goal = printable(preview->value("goal", std::string()));
  const auto& collections = preview->at("collections");
  if (collections.empty())
    return fmt::format("  The data is as it was in {}: nothing is lost.\n", goal);
  std::string out = fmt::format("  {} of {}, as things stand; what differs is kept in a salvage:\n",
                                goal.starts_with("salvage-") ? "Back comes what was kept in " + goal
                                                             : "The data goes back to " + goal,
                                preview->value("instant", std::string()));
  for (const auto& one : collections) {
    out += fmt::format("    {:<28} {}\n", shown(one["collection"]), counts(one));
    for (const char* list : {"remarks", "samples"}) {
      for (const auto& text : one.value(list, Json::array())) out += "      " + shown(text) + "\n";
    }
  }
  if (const auto more = preview->value("more", 0); more > 0)
    out += fmt::format("    and {} more collections\n", more);
  if (collections.size() < 2) return out;
  return out + "    in all: " + counts(*preview) + "\n";
}

// At most some of them stand in the plan.
std::string listed(const Plan& plan, const char* name, const char* before, const char* behind) {
  std::string out;
  for (const auto& text : plan.notes.value(name, Json::array()))
    out += fmt::format("  {}{}{}\n", before, shown(text), behind);
  if (const auto more = plan.notes.value(std::string(name) + "_more", std::size_t{0}); more > 0)
    out += fmt::format("  {}{} more\n", before, with_commas(more));
  return out;
}

std::string expected_lines(const Plan& plan) {
  const auto* hold = plan.first_of("hold");
  if (hold == nullptr) return {};
  if (plan.pipeline != "deploy") return "  While the data goes back " + held_text(plan) + ".\n";
  // Of a deploy the fence is in its title; that a platform's service is down is told once more.
  return hold->args.contains("platforms") ? "  !! From hold to lift: " + held_text(plan) + ".\n"
                                          : "";
}

std::string warnings(const Plan& plan) {
  std::string out;
  for (const char* reason : {"skip_tests", "skip_backup", "skip_checks", "emergency"}) {
    if (plan.facts.contains(reason)) {
      out += fmt::format("  !! --{}: {}\n", std::string(reason), shown(plan.facts[reason]));
    }
  }
  for (const auto& text : plan.facts.value("unchecked", Json::array()))
    out += "  !! " + shown(text) + "\n";
  out += listed(plan, "warnings", "!! ", "");
  out += listed(plan, "uncommitted", "not shipped: ", " is not committed");
  out += listed(plan, "not_carried", "not carried: ", "");
  out += listed(plan, "policy", "policy: ", "");
  out += listed(plan, "old_rules", "not by today's rules: ", "");
  return out;
}

}  // namespace

std::string left_alone_lines(const Json& report) {
  std::string out;
  const auto conflicts = report.value("conflicts", Json::array());
  for (const auto& one : conflicts)
    out += "  left alone: " + printable(one.get<std::string>()) + "\n";
  const auto all = report.value("left_alone", std::size_t{0});
  if (all > conflicts.size())
    out += fmt::format("  left alone: {} more\n", with_commas(all - conflicts.size()));
  return out;
}

std::string plan_json(const Plan& plan) {
  return canonical(Json{{"digest", pipeline::digest(plan)}, {"plan", pipeline::to_json(plan)}});
}

std::string plan_for_people(const Plan& plan, const std::string& next_command) {
  std::string out;
  if (plan.pipeline == "deploy") {
    out += fmt::format("Plan for {} of {}   {}{}\n", plan.environment, plan.project,
                       plan.notes.contains("live_commit")
                           ? plan.notes["live_commit"].get<std::string>().substr(0, 7) + ".."
                           : "",
                       plan.commit.substr(0, 7));
  } else {
    out += fmt::format("Plan: {} in {} of {}{}\n", plan.pipeline, plan.environment, plan.project,
                       plan.facts.value("code", false) ? " to " + plan.release : "");
    out += fmt::format("  data      {}\n", data_for_people(plan.facts.value("data", "none")));
  }
  out += change_lines(plan);
  out += fmt::format("  live      {}\n", plan.live.empty() ? "nothing yet" : plan.live);
  out += source_lines(plan) + secret_lines(plan) + variable_lines(plan) + "\n";
  out += step_lines(plan);
  out += way_back_lines(plan);
  out += preview_lines(plan);
  out += put_back_lines(plan);
  out += expected_lines(plan);
  out += warnings(plan);
  out += fmt::format("  digest {}\n", pipeline::digest(plan).substr(0, 16));
  if (!next_command.empty()) out += "  Nothing has been changed. To go on: " + next_command + "\n";
  // What is somebody else's and was forgotten above still moves no cursor.
  return printable(out, true);
}

}  // namespace belay::cli
