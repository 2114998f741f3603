// SPDX-License-Identifier: Apache-2.0
// What a plan says of the source tree, kept to a size that can be read and stored.
#include <fmt/format.h>

#include "app/plan_sources.hpp"
#include "app/plan_steps.hpp"
#include "app/planner.hpp"
#include "base/text.hpp"

namespace belay::app {

namespace {

constexpr std::size_t shown = 50;
constexpr std::size_t subject_bytes = 200;

// Of the commits that `to` has and `from` has not.
Status put_subjects(Json& change, const char* name, source::Source& source, const std::string& from,
                    const std::string& to, const std::string& path) {
  TRY_LET(auto commits, source.between(from, to, path, static_cast<int>(shown) + 1));
  Json subjects = Json::array();
  for (const auto& commit : commits) {
    if (subjects.size() < shown) subjects.push_back(commit.subject.substr(0, subject_bytes));
  }
  change[name] = std::move(subjects);
  if (commits.size() > shown) change[std::string(name) + "_more"] = true;
  return {};
}

Json change_of(source::Source* source, const std::string& service, const std::string& path,
               const std::string& from, const std::string& to) {
  Json change{{"service", service}, {"commits", Json::array()}, {"out", Json::array()}};
  const auto put = [&]() -> Status {
    if (source == nullptr) return fail(Fault::missing, "this folder is in no git work tree");
    TRY(put_subjects(change, "commits", *source, from, to, path));
    return from.empty() ? Status() : put_subjects(change, "out", *source, to, from, path);
  };
  if (auto done = put(); !done) change["error"] = done.error().message();
  return change;
}

}  // namespace

Json changes_between(source::Source* source, const pipeline::Spec& spec,
                     const pipeline::EnvironmentSpec& env, const Path& project_folder,
                     const std::string& from, const std::string& to) {
  Json changes = Json::array();
  const auto prefix = prefix_of(project_folder);
  for (const auto& placed : env.services) {
    const auto* service = spec.service(placed.service);
    if (service == nullptr) continue;
    const auto path = (prefix / service->path).lexically_normal().string();
    changes.push_back(change_of(source, placed.service, path == "." ? "" : path, from, to));
  }
  return changes;
}

void put_some(Json& notes, const char* name, const std::vector<std::string>& all) {
  Json some = Json::array();
  for (const auto& each : all) {
    if (some.size() < shown) some.push_back(each);
  }
  const auto more = all.size() - some.size();
  notes[name] = std::move(some);
  if (more > 0) notes[std::string(name) + "_more"] = more;
}

Status tell_old_file(pipeline::Plan& plan, const StoredSpec& stored, const Needs& needs) {
  TRY(can_be_started(stored, needs));
  std::vector<std::string> lines = plan.notes.value("old_rules", std::vector<std::string>{});
  for (auto& line : remarks(stored)) lines.push_back(std::move(line));
  const auto more = plan.notes.value("old_rules_more", std::size_t{0});
  plan.notes.erase("old_rules_more");
  if (!lines.empty()) put_some(plan.notes, "old_rules", lines);
  if (more > 0)
    plan.notes["old_rules_more"] = more + plan.notes.value("old_rules_more", std::size_t{0});
  return {};
}

Status fits_the_journal(const pipeline::Plan& plan) {
  const auto bytes = canonical(created_body(plan)).size();
  if (bytes <= journal::body_limit) return {};
  const auto file = canonical(plan.config).size();
  return fail(
      Fault::invalid,
      fmt::format("the plan has {} bytes and the journal takes {}; {} of them are belay.yaml, "
                  "the present one, that of the release and that of the rules: make it "
                  "shorter",
                  with_commas(bytes), with_commas(journal::body_limit), with_commas(file)));
}

}  // namespace belay::app
