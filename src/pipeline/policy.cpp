// SPDX-License-Identifier: Apache-2.0
#include "pipeline/policy.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <cctype>

#include "base/ssh_signature.hpp"
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
    found.push_back(fmt::format("{}: {} is new", what, present.name));
    return;
  }
  for (const auto& key : present.keys) {
    const bool known = std::any_of(before->keys.begin(), before->keys.end(),
                                   [&](const auto& old) { return same_key(old, key); });
    not_wanted(found, !known,
               fmt::format("{}: {} has a new key ({})", what, present.name, key_for_people(key)));
  }
  not_wanted(found, !same_word(before->github, present.github),
             fmt::format("{}: {} has another GitHub account ({})", what, present.name,
                         present.github.empty() ? "none" : present.github));
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
  not_wanted(found, present.by != recorded.by && recorded.required > 0,
             fmt::format("{}: by {}", what,
                         present.by == Evidence::github ? "reviews on GitHub, was by signatures"
                                                        : "signatures, was by reviews on GitHub"));
  not_wanted(found, present.self_approval && !recorded.self_approval && recorded.required > 0,
             fmt::format("{}: requesters may approve their own run", what));
  not_wanted(found, present.wait < recorded.wait,
             fmt::format("{}: wait {}, was {}", what, belay::to_text(present.wait),
                         belay::to_text(recorded.wait)));
  not_wanted(found, present.expires > recorded.expires,
             fmt::format("{}: expires after {}, was {}", what, belay::to_text(present.expires),
                         belay::to_text(recorded.expires)));
}

std::vector<Reviewer> people_named(const Spec& spec, const std::vector<std::string>& names) {
  std::vector<Reviewer> people;
  for (const auto& name : names) {
    if (const auto* person = spec.person(name)) people.push_back(*person);
  }
  return people;
}

}  // namespace

ApprovalRule rule_of(const Spec& spec, const Approvals& approvals) {
  return {approvals.required,      people_named(spec, approvals.reviewers),
          approvals.self_approval, approvals.wait,
          approvals.expires,       approvals.by};
}

ApprovalRule rollback_rule(const Spec& spec, const EnvironmentSpec& environment) {
  auto rule = rule_of(spec, environment.rollback.approvals.value_or(environment.approvals));
  rule.wait = Millis(0);
  return rule;
}

std::string key_for_people(const std::string& key) {
  if (key.starts_with(github_key)) return "a review on GitHub";
  auto kind = key_parts(key).first;
  if (kind.starts_with("ssh-")) kind = kind.substr(4);
  const auto print = ssh::fingerprint(key);
  if (!print) return "no SSH key";
  return fmt::format("SSH {} …{}", kind, print->substr(print->size() - 4));
}

bool same_key(const std::string& a, const std::string& b) {
  const auto parts = key_parts(a);
  return !parts.first.empty() && parts == key_parts(b);
}

bool is_person(const Reviewer& reviewer, const Person& person) {
  const auto named = [&](std::string_view word) {
    return !word.empty() && (same_word(word, reviewer.name) || same_word(word, reviewer.email) ||
                             same_word(word, reviewer.github));
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
  const auto what = branch.empty() ? std::string(
                                         "this commit is on no branch; with a remote only what "
                                         "was pushed and fetched counts")
                                   : fmt::format("the branch {} is not allowed", branch);
  return fail(Fault::refused,
              fmt::format("{}: {}; its branches are {} (belay.yaml: environments.{}.branches)",
                          environment, what, join(patterns, ", "), environment));
}

Policy policy_of(const Spec& spec, const EnvironmentSpec& environment) {
  return {rule_of(spec, environment.approvals),
          rollback_rule(spec, environment),
          environment.branches,
          environment.rollback.branches,
          people_named(spec, environment.rollback.emergency),
          environment.freeze};
}

std::vector<std::string> weaker(const Policy& present, const Policy& recorded) {
  std::vector<std::string> found;
  compare_rules(found, "approvals", present.approvals, recorded.approvals);
  compare_rules(found, "rollback.approvals", present.rollback, recorded.rollback);
  compare_branches(found, "branches", present.branches, recorded.branches);
  compare_branches(found, "rollback.branches", present.rollback_branches,
                   recorded.rollback_branches);
  for (const auto& each : present.emergency)
    compare_reviewer(found, "rollback.emergency", each, recorded.emergency);
  for (const auto& window : recorded.freeze) {
    const auto& now = present.freeze;
    not_wanted(found, std::find(now.begin(), now.end(), window) == now.end(),
               fmt::format("freeze: {} to {} ({}) is gone", window.from, window.to, window.zone));
  }
  return found;
}

}  // namespace belay::pipeline
