// SPDX-License-Identifier: Apache-2.0
// github: where the repository is, and what is done there; and what that needs of the people and
// the environments.
#include <fmt/format.h>

#include "base/lower_case.hpp"
#include "pipeline/spec_parts.hpp"

namespace belay::pipeline {

namespace {

constexpr const char* first_label = "belay";

void read_repository(const Field& field, std::string& repository) {
  std::string text;
  field.text(text);
  if (text.empty()) return;
  const auto slash = text.find('/');
  const bool good = slash != std::string::npos && slash > 0 && slash + 1 < text.size() &&
                    text.find('/', slash + 1) == std::string::npos &&
                    text.find_first_not_of(
                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") ==
                        std::string::npos;
  if (!good)
    return field.complain(fmt::format("expected OWNER/NAME, found \"{}\"", text.substr(0, 60)));
  repository = text;
}

// Two names with one account would be two approvals by one person.
void look_at_logins(const Spec& spec, Complaints& complaints) {
  std::map<std::string, std::string> owners;
  for (const auto& person : spec.people) {
    if (person.github.empty()) continue;
    const auto [owner, fresh] = owners.emplace(lower_case(person.github), person.name);
    if (!fresh)
      complaints.at_key(fmt::format("people.{}.github", person.name),
                        fmt::format("is {}'s account already", owner->second));
  }
}

void look_at_rule(const Spec& spec, Complaints& complaints, const std::string& key,
                  const Approvals& approvals) {
  if (approvals.by != Evidence::github) return;
  if (!spec.github)
    complaints.at_key(key + ".by",
                      "needs to know the repository: add github: { token: ${GITHUB_TOKEN} }");
  for (const auto& name : approvals.reviewers) {
    const auto* person = spec.person(name);
    if (person != nullptr && person->github.empty())
      complaints.at_key(
          key + ".reviewers",
          fmt::format("{0} has no account on GitHub here; add people.{0}.github: LOGIN", name));
  }
}

}  // namespace

void read_github(const Field& field, std::optional<Github>& github) {
  if (!field) return;
  Keys keys(field);
  auto& read = github.emplace();
  read_repository(keys["repository"], read.repository);
  read_endpoint(keys["endpoint"], read.endpoint);
  read_named_secret(keys.required("token", "as in: token: ${GITHUB_TOKEN}"), read.token);
  keys["releases"].texts(read.releases);
  keys.also_called("repo", "repository");
  keys.also_called("url", "endpoint");
  keys.also_called("api", "endpoint");
  keys.finish();
}

// {} will do.
void read_issue(const Field& field, Notification& notification) {
  if (!field) return;
  Keys keys(field);
  std::vector<std::string> labels;
  const auto written = keys["labels"];
  written.texts(labels);
  if (written && labels.empty())
    written.complain("expected one label at least: by it the issue is found again");
  for (const auto& label : labels) {
    if (label.find(',') != std::string::npos)
      written.complain("a label with a comma cannot be asked for: " + label);
  }
  if (labels.empty()) labels = {first_label};
  keys.also_called("label", "labels");
  keys.finish();
  notification.issue_labels = std::move(labels);
}

void look_at_github(const Spec& spec, Complaints& complaints) {
  look_at_logins(spec, complaints);
  for (const auto& name : spec.github ? spec.github->releases : std::vector<std::string>{}) {
    if (spec.environment(name) == nullptr)
      complaints.at_key("github.releases", fmt::format("no environment is called \"{}\"", name));
  }
  for (const auto& environment : spec.environments) {
    const auto key = "environments." + environment.name;
    look_at_rule(spec, complaints, key + ".approvals", environment.approvals);
    if (const auto& own = environment.rollback.approvals)
      look_at_rule(spec, complaints, key + ".rollback.approvals", *own);
    const bool tells = std::any_of(environment.notify.begin(), environment.notify.end(),
                                   [](const auto& each) { return each.issue_labels.has_value(); });
    if (tells && !spec.github)
      complaints.at_key(
          key + ".notify",
          "github_issue needs to know the repository: add github: { token: ${GITHUB_TOKEN} }");
  }
}

}  // namespace belay::pipeline
