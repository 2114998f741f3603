// SPDX-License-Identifier: Apache-2.0
// A plan as text that could be read out over the telephone.
#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/screen.hpp"

namespace belay::cli {

using pipeline::Plan;
using pipeline::Step;

namespace {

std::string change_lines(const Plan& plan) {
  std::string out;
  const char* head = "  changes  ";
  for (const auto& one : plan.facts.value("changes", Json::array())) {
    const auto& commits = one["commits"];
    std::string what =
        commits.empty()
            ? "no commits touch it"
            : fmt::format(
                  "\"{}\"{}", commits[0].get<std::string>(),
                  commits.size() > 1 ? fmt::format(" and {} more", commits.size() - 1) : "");
    out += fmt::format("{} {:<9} {}\n", head, one["service"].get<std::string>(), what);
    head = "           ";
  }
  if (const auto* migrate = plan.first_of("migrate"))
    out += fmt::format("            data      {}\n", migrate->title);
  return out;
}

std::string about_time(const Plan& plan, const std::string& step) {
  const auto estimates = plan.notes.value("estimates", Json::object());
  if (!estimates.contains(step)) return {};
  return "about " + for_people(Millis(estimates[step].get<std::int64_t>()));
}

std::string step_lines(const Plan& plan) {
  std::string out;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const auto& step = plan.steps[i];
    std::string name = step.id;
    std::replace(name.begin(), name.end(), '_', ' ');
    std::replace(name.begin(), name.end(), ':', ' ');
    std::string right = about_time(plan, step.id);
    if (!step.undo.empty()) right += (right.empty() ? "undo: " : " · undo: ") + step.undo;
    if (!step.cannot_undo.empty())
      right += (right.empty() ? "" : " · ") + ("CANNOT BE UNDONE: " + step.cannot_undo);
    out += fmt::format("  {:>2}  {:<18} {}{}\n", i + 1, name, step.title,
                       right.empty() ? "" : "   [" + right + "]");
  }
  return out;
}

bool has_back(const Plan& plan, const char* kind) {
  return std::any_of(plan.back.begin(), plan.back.end(),
                     [kind](const Step& step) { return step.kind == kind; });
}

std::string way_back_of_deploy(const Plan& plan) {
  std::string out = plan.live.empty() ? "the new versions are taken down; nothing was live before."
                                      : "code back to " + plan.live + " in about 1 s.";
  if (!has_back(plan, "rewind")) return out;
  out += has_back(plan, "ask")
             ? " Whether the data goes back\n  is asked then, with a preview"
             : " Data back to the restore point,\n  with customers' requests held "
               "meanwhile";
  return out + "; writes made after it are kept in a salvage, not lost.";
}

// Of a rollback or a rewind: everything as it is now.
std::string way_back_of_rollback(const Plan& plan) {
  std::string out;
  if (has_back(plan, "switch")) out = "code as it is now, " + plan.live + ", in about 1 s";
  if (has_back(plan, "rewind"))
    out += (out.empty() ? "" : "; ") + std::string("data as it is now, from the salvage");
  return (out.empty() ? "nothing was changed" : out) + ".";
}

std::string way_back_lines(const Plan& plan) {
  return "\n  If it goes wrong: " +
         (plan.pipeline == "deploy" ? way_back_of_deploy(plan) : way_back_of_rollback(plan)) + "\n";
}

// "point:rp-2", "undo:salvage-3", "none"
std::string data_for_people(const std::string& data) {
  if (data.starts_with("point:")) return "back to restore point " + data.substr(6);
  if (data.starts_with("undo:"))
    return "as it was before the rewind that " + data.substr(5) + " keeps";
  return "stays as it is";
}

std::string warnings(const Plan& plan) {
  std::string out;
  for (const char* reason : {"skip_tests", "skip_backup", "skip_checks", "emergency"}) {
    if (plan.facts.contains(reason)) {
      out += fmt::format("  !! --{}: {}\n", std::string(reason),
                         plan.facts[reason].get<std::string>());
    }
  }
  for (const auto& text : plan.notes.value("warnings", Json::array()))
    out += fmt::format("  !! {}\n", text.get<std::string>());
  for (const auto& path : plan.notes.value("uncommitted", Json::array())) {
    out += fmt::format("  not shipped: {} is not committed\n", path.get<std::string>());
  }
  for (const auto& text : plan.notes.value("not_carried", Json::array())) {
    out += fmt::format("  not carried: {}\n", text.get<std::string>());
  }
  for (const auto& text : plan.notes.value("policy", Json::array()))
    out += "  policy: " + text.get<std::string>() + "\n";
  return out;
}

}  // namespace

std::string plan_for_people(const Plan& plan, const std::string& next_command) {
  std::string out;
  if (plan.pipeline == "deploy") {
    out += fmt::format("Plan for {} of {}   {}{}\n", plan.environment, plan.project,
                       plan.notes.contains("live_commit")
                           ? plan.notes["live_commit"].get<std::string>().substr(0, 7) + ".."
                           : "",
                       plan.commit.substr(0, 7));
    out += change_lines(plan);
  } else {
    out += fmt::format("Plan: {} in {} of {}{}\n", plan.pipeline, plan.environment, plan.project,
                       plan.facts.value("code", false) ? " to " + plan.release : "");
    out += fmt::format("  data      {}\n", data_for_people(plan.facts.value("data", "none")));
  }
  out += fmt::format("  live      {}\n", plan.live.empty() ? "nothing yet" : plan.live);
  out += fmt::format("  rules     from {}\n\n", plan.facts.value("policy_from", "?"));
  out += step_lines(plan);
  out += way_back_lines(plan);
  out += warnings(plan);
  out += fmt::format("  digest {}\n", pipeline::digest(plan).substr(0, 16));
  if (!next_command.empty()) out += "  Nothing has been changed. To go on: " + next_command + "\n";
  return out;
}

}  // namespace belay::cli
