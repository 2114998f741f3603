// SPDX-License-Identifier: Apache-2.0
#include "pipeline/policy.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <cctype>
#include <set>

#include "base/hash.hpp"
#include "base/text.hpp"

namespace belay::pipeline {

namespace {

bool same_word(std::string_view a, std::string_view b) {
  const auto small = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [&](char x, char y) { return small(x) == small(y); });
}

// "ssh-ed25519 AAAA..." of "ssh-ed25519   AAAA... laptop".
std::pair<std::string, std::string> key_parts(const std::string& key) {
  std::vector<std::string> words;
  for (auto& word : split(trim(key), ' ')) {
    if (!word.empty()) words.push_back(std::move(word));
  }
  if (words.size() < 2) return {};
  return {words[0], words[1]};
}

void not_wanted(std::vector<std::string>& found, bool is_weaker, std::string text) {
  if (is_weaker) found.push_back(std::move(text));
}

// Where an empty list means "all".
void compare_branches(std::vector<std::string>& found, const char* what,
                      const std::vector<std::string>& present,
                      const std::vector<std::string>& recorded) {
  if (recorded.empty()) return;
  if (present.empty())
    found.push_back(fmt::format("{}: every branch, was {}", what, join(recorded, ", ")));
  for (const auto& pattern : present) {
    not_wanted(found, std::find(recorded.begin(), recorded.end(), pattern) == recorded.end(),
               fmt::format("{}: {} is new", what, pattern));
  }
}

void compare_reviewer(std::vector<std::string>& found, const char* what, const Reviewer& present,
                      const std::vector<Reviewer>& recorded) {
  const auto before = std::find_if(recorded.begin(), recorded.end(),
                                   [&](const auto& r) { return r.name == present.name; });
  if (before == recorded.end()) {
    found.push_back(fmt::format("{}: {} is new among the reviewers", what, present.name));
    return;
  }
  for (const auto& key : present.keys) {
    const bool known = std::any_of(before->keys.begin(), before->keys.end(),
                                   [&](const auto& old) { return same_key(old, key); });
    not_wanted(found, !known,
               fmt::format("{}: {} has a new key ({})", what, present.name, key_for_people(key)));
  }
  // The email tells whether a requester is this reviewer.
  not_wanted(found, !same_word(before->email, present.email),
             fmt::format("{}: {}'s email is another one", what, present.name));
}

void compare_rules(std::vector<std::string>& found, const char* what, const ApprovalRule& present,
                   const ApprovalRule& recorded) {
  not_wanted(found, present.required < recorded.required,
             fmt::format("{}: {} required, was {}", what, present.required, recorded.required));
  // Where nobody was asked before, whoever is asked now is no loss.
  if (present.required > 0 && recorded.required > 0) {
    for (const auto& each : present.reviewers) {
      compare_reviewer(found, what, each, recorded.reviewers);
    }
  }
  not_wanted(found, present.self_approval && !recorded.self_approval && recorded.required > 0,
             fmt::format("{}: requesters may approve their own run", what));
  not_wanted(found, present.wait < recorded.wait,
             fmt::format("{}: wait {}, was {}", what, belay::to_text(present.wait),
                         belay::to_text(recorded.wait)));
  not_wanted(found, present.expires > recorded.expires,
             fmt::format("{}: expires after {}, was {}", what, belay::to_text(present.expires),
                         belay::to_text(recorded.expires)));
}

}  // namespace

ApprovalRule rule_of(const Spec& spec, const Approvals& approvals) {
  ApprovalRule rule{
      approvals.required, {}, approvals.self_approval, approvals.wait, approvals.expires};
  for (const auto& name : approvals.reviewers) {
    if (const auto* person = spec.person(name)) rule.reviewers.push_back(*person);
  }
  return rule;
}

ApprovalRule rollback_rule(const Spec& spec, const EnvironmentSpec& environment) {
  auto rule = rule_of(spec, environment.rollback.approvals.value_or(environment.approvals));
  rule.wait = Millis(0);
  return rule;
}

std::string fingerprint(const std::string& key) {
  const auto blob = from_base64(key_parts(key).second);
  if (!blob || blob->empty()) return {};
  const auto digest = sha256(*blob);
  auto text = base64(std::string(digest.begin(), digest.end()));
  while (text.ends_with('=')) text.pop_back();
  return "SHA256:" + text;
}

std::string key_for_people(const std::string& key) {
  auto kind = key_parts(key).first;
  if (kind.starts_with("ssh-")) kind = kind.substr(4);
  const auto print = fingerprint(key);
  if (kind.empty() || print.empty()) return "no SSH key";
  return fmt::format("SSH {} …{}", kind, print.substr(print.size() - 4));
}

bool same_key(const std::string& a, const std::string& b) {
  const auto parts = key_parts(a);
  return !parts.first.empty() && parts == key_parts(b);
}

bool is_person(const Reviewer& reviewer, const Person& person) {
  const auto named = [&](std::string_view word) {
    return !word.empty() && (same_word(word, reviewer.name) || same_word(word, reviewer.email));
  };
  return named(person.name) || named(person.email);
}

bool branch_allowed(const std::vector<std::string>& patterns, const std::string& branch) {
  return patterns.empty() || std::any_of(patterns.begin(), patterns.end(), [&](const auto& each) {
           return ::fnmatch(each.c_str(), branch.c_str(), FNM_PATHNAME) == 0;
         });
}

Status check_branch(const std::string& environment, const std::vector<std::string>& patterns,
                    const std::string& branch) {
  if (branch_allowed(patterns, branch)) return Done{};
  const auto what = branch.empty() ? std::string("this commit is on no branch that is allowed")
                                   : fmt::format("the branch {} is not allowed", branch);
  return fail(Fault::refused,
              fmt::format("{}: {}; its branches are {} (belay.yaml: environments.{}.branches)",
                          environment, what, join(patterns, ", "), environment));
}

Policy policy_of(const Spec& spec, const EnvironmentSpec& environment) {
  return {
      rule_of(spec, environment.approvals), rollback_rule(spec, environment), environment.branches,
      environment.rollback.branches,        environment.rollback.emergency,   environment.freeze};
}

std::vector<std::string> weaker(const Policy& present, const Policy& recorded) {
  std::vector<std::string> found;
  compare_rules(found, "approvals", present.approvals, recorded.approvals);
  compare_rules(found, "rollback.approvals", present.rollback, recorded.rollback);
  compare_branches(found, "branches", present.branches, recorded.branches);
  compare_branches(found, "rollback.branches", present.rollback_branches,
                   recorded.rollback_branches);
  const std::set<std::string> before(recorded.emergency.begin(), recorded.emergency.end());
  for (const auto& name : present.emergency) {
    not_wanted(found, !before.contains(name), fmt::format("rollback.emergency: {} is new", name));
  }
  for (const auto& window : recorded.freeze) {
    const auto& now = present.freeze;
    not_wanted(found, std::find(now.begin(), now.end(), window) == now.end(),
               fmt::format("freeze: {} to {} ({}) is gone", window.from, window.to, window.zone));
  }
  return found;
}

}  // namespace belay::pipeline
