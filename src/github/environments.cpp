// SPDX-License-Identifier: Apache-2.0
// Environments: who may let a job pass, how long it waits, from which branches it may come.
#include <fmt/format.h>

#include "github/parts.hpp"

namespace belay::github {

namespace {

std::string path_of(const std::string& name, const char* what = "") {
  return "/environments/" + net::percent_encoded(name) + what;
}
constexpr const char* branch_policies = "/deployment-branch-policies";

void read_rule(const Json& rule, EnvironmentRules& rules) {
  const auto type = text_in(rule, "type");
  if (type == "wait_timer")
    rules.wait_minutes = static_cast<int>(number_in(rule, "wait_timer").value_or(0));
  if (type != "required_reviewers") return;
  rules.prevent_self_review = flag_in(rule, "prevent_self_review");
  const auto& reviewers = member_in(rule, "reviewers");
  for (const auto& each : reviewers.is_array() ? reviewers : Json::array()) {
    const auto& who = member_in(each, "reviewer");
    if (text_in(each, "type") != "User")
      ++rules.teams;
    else
      rules.reviewers.push_back({number_in(who, "id").value_or(0), text_in(who, "login")});
  }
}

struct Pattern {
  std::int64_t id = 0;
  std::string name;
};

Result<std::vector<Pattern>> patterns_of(GithubApi& api, const std::string& name,
                                         const std::stop_token& stop) {
  std::vector<Pattern> patterns;
  TRY(api.list(
      path_of(name, branch_policies), {},
      [&](const Json& each) {
        patterns.push_back({number_in(each, "id").value_or(0), text_in(each, "name")});
        return true;
      },
      stop, "branch_policies"));
  return patterns;
}

Json policy_of(const BranchRule& rule) {
  if (rule.kind == BranchRule::Kind::any) return nullptr;
  const bool patterns = rule.kind == BranchRule::Kind::patterns;
  return {{"protected_branches", !patterns}, {"custom_branch_policies", patterns}};
}

Status set_patterns(GithubApi& api, const std::string& name, const std::vector<std::string>& wanted,
                    const std::stop_token& stop) {
  TRY_LET(const auto there, patterns_of(api, name, stop));
  for (const auto& pattern : wanted) {
    const auto is_it = [&](const Pattern& each) { return each.name == pattern; };
    if (std::any_of(there.begin(), there.end(), is_it)) continue;
    const auto look = [&]() -> Result<std::optional<Json>> {
      TRY_LET(const auto now, patterns_of(api, name, stop));
      return std::any_of(now.begin(), now.end(), is_it) ? std::optional(Json()) : std::nullopt;
    };
    TRY(api.make(path_of(name, branch_policies), {{"name", pattern}, {"type", "branch"}}, look,
                 stop));
  }
  for (const auto& each : there) {
    if (std::find(wanted.begin(), wanted.end(), each.name) != wanted.end()) continue;
    auto gone = api.set("DELETE", fmt::format("{}{}/{}", path_of(name), branch_policies, each.id),
                        Json(), stop);
    if (!gone && gone.error().fault != Fault::missing) return std::move(gone).error();
  }
  return {};
}

}  // namespace

Result<std::optional<EnvironmentRules>> read_environment(GithubApi& api, const std::string& name,
                                                         const std::stop_token& stop) {
  auto json = api.get(path_of(name), stop);
  if (!json && json.error().fault == Fault::missing) return std::optional<EnvironmentRules>();
  if (!json) return std::move(json).error();
  EnvironmentRules rules;
  const auto& list = member_in(*json, "protection_rules");
  for (const auto& rule : list.is_array() ? list : Json::array()) read_rule(rule, rules);
  const auto& policy = member_in(*json, "deployment_branch_policy");
  if (flag_in(policy, "protected_branches")) rules.branches = {BranchRule::Kind::protected_ones};
  if (flag_in(policy, "custom_branch_policies")) {
    rules.branches = {BranchRule::Kind::patterns};
    TRY_LET(const auto patterns, patterns_of(api, name, stop));
    for (const auto& each : patterns) rules.branches.patterns.push_back(each.name);
  }
  return std::optional(std::move(rules));
}

Status write_environment(GithubApi& api, const std::string& name, const EnvironmentRules& rules,
                         const std::stop_token& stop) {
  Json reviewers = Json::array();
  for (const auto& each : rules.reviewers) reviewers.push_back({{"type", "User"}, {"id", each.id}});
  TRY(api.set("PUT", path_of(name),
              {{"wait_timer", rules.wait_minutes},
               {"prevent_self_review", rules.prevent_self_review},
               {"reviewers", std::move(reviewers)},
               {"deployment_branch_policy", policy_of(rules.branches)}},
              stop));
  if (rules.branches.kind != BranchRule::Kind::patterns) return {};
  return set_patterns(api, name, rules.branches.patterns, stop);
}

Result<std::vector<std::string>> secret_names(GithubApi& api, const std::string& name,
                                              const std::stop_token& stop) {
  std::vector<std::string> names;
  TRY(api.list(
      path_of(name, "/secrets"), {},
      [&](const Json& each) {
        names.push_back(text_in(each, "name"));
        return true;
      },
      stop, "secrets"));
  return names;
}

Result<std::optional<Account>> read_account(GithubApi& api, const std::string& login,
                                            const std::stop_token& stop) {
  auto json = api.get("//users/" + net::percent_encoded(login), stop);
  if (!json && json.error().fault == Fault::missing) return std::optional<Account>();
  if (!json) return std::move(json).error();
  const auto id = number_in(*json, "id");
  if (!id) return fail(Fault::corrupt, "GitHub's answer has an account without id");
  return std::optional(Account{*id, text_in(*json, "login")});
}

}  // namespace belay::github
